use std::path::Path;

use super::*;
use crate::lifecycle::address::Listen;
use crate::yaml;

const WHOLE: &str = "
stores:
  main:
    s3:
      bucket: data
      endpoint: http://minio.internal:9000
      public_endpoint: https://s3.example.test
      access_key_id: AK
      secret_access_key: hunter2
  here:
    local: {folder: objects, public_url: 'https://gate.example.test', max_object: 2Gi}
placement:
- {project: small, store: here}
- {store: main}
catalog:
- templates:
    projects: {writer_groups: ['{project}-writers']}
    report: 's3://data/{run}/{attempt}.html'
    log: {file: '/var/log/runs/{run}/{action}.log'}
- callout: {url: 'http://catalog.internal/ask', authorization: Bearer x}
upload: {maxSize: 1Gi, maxExpiresIn: 30m, storagePrefix: '', baseDirs: ['s3://data/team']}
download: {maxExpiresIn: 2h}
logs: {folders: [/var/log/runs], http: ['http://logs.internal/'], namespaces: ['{project}-{domain}']}
";

const FILE: &str = "{file: '/var/log/runs/{run}/{action}.log'}";

const LEAST: &str = "
stores: {main: {local: {folder: objects, public_url: 'http://127.0.0.1:1'}}}
catalog: [{file: {path: catalog.yaml}}]
";

fn resolve(text: &str) -> Result<DataPlan, InvalidSetting> {
    let config: DataConfig = yaml::parse(text).expect("reads");
    let (gate, public) = (GateConfig::for_domain("tasks.example.test"), Listen::Tcp(([127, 0, 0, 1], 7012).into()));
    let front = Front::new(public, &[]);
    DataPlan::resolve(config, &gate, Some(&front), &mut Files::new(Path::new("/etc/taskgate")))
}

#[test]
fn a_section_is_read_whole() {
    let plan = resolve(WHOLE).expect("holds");
    assert_eq!(plan.settings.upload.max_size, 1 << 30);
    assert_eq!(plan.settings.upload.max_expires_in, Duration::from_secs(1_800));
    assert_eq!(plan.settings.upload.storage_prefix, None);
    assert_eq!(plan.settings.download.max_expires_in, Duration::from_secs(7_200));
    assert_eq!(plan.placement.len(), 2);
    let names: Vec<&str> = plan.stores.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["here", "main"]);
    assert!(matches!(&plan.stores[0].1, StoreSettings::Local(local) if local.max_object_bytes == 2 << 30));
    assert!(!format!("{plan:?}").contains("hunter2"), "secrets do not show");
}

#[test]
fn the_defaults_are_flytes() {
    let plan = resolve(LEAST).expect("holds");
    let UploadSettings { max_size, max_expires_in, storage_prefix, create_only, multipart_expires, base_dirs } =
        plan.settings.upload;
    assert_eq!(multipart_expires, Duration::from_secs(86_400));
    assert_eq!((max_size, max_expires_in), (100 << 20, Duration::from_secs(3_600)));
    assert_eq!(storage_prefix.expect("a prefix").as_str(), "uploads");
    assert!(create_only && base_dirs.is_empty());
    assert_eq!(plan.settings.download.max_expires_in, Duration::from_secs(3_600));
    assert!(plan.logs.folders.is_empty() && plan.logs.prefixes.is_empty() && plan.logs.namespaces.is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    for (what, with, key) in [
        ("maxSize: 1Gi", "maxSize: 1GB", "data.upload.maxSize"),
        ("maxSize: 1Gi", "maxSize: '0'", "data.upload.maxSize"),
        ("maxExpiresIn: 30m", "maxExpiresIn: 30", "data.upload.maxExpiresIn"),
        ("maxExpiresIn: 30m", "maxExpiresIn: 169h", "data.upload.maxExpiresIn"),
        ("maxExpiresIn: 30m", "multipartExpires: 59m", "data.upload.multipartExpires"),
        ("maxExpiresIn: 30m", "multipartExpires: 169h", "data.upload.multipartExpires"),
        ("storagePrefix: ''", "storagePrefix: a/../b", "data.upload.storagePrefix"),
        ("s3://data/team", "s3://data/../team", "data.upload.baseDirs[0]"),
        ("store: main}", "store: mian}", "data.placement[1].store"),
        ("project: small", "project: a/b", "data.placement[0].project"),
        ("{run}/{attempt}.html", "{pod}.html", "data.catalog[0].templates.report"),
        ("{project}-writers", "{run}-writers", "data.catalog[0].templates.projects.writer_groups"),
        ("http://catalog.internal/ask", "catalog.internal", "data.catalog[1].callout.url"),
        ("folders: [/var/log/runs]", "folders: [logs]", "data.logs.folders[0]"),
        ("http://logs.internal/", "ftp://logs.internal/", "data.logs.http[0]"),
        ("{project}-{domain}", "{project}-{run}", "data.logs.namespaces[0]"),
        (FILE, "{kubernetes: {namespace: n, pod: '{pod}'}}", "data.catalog[0].templates.log.kubernetes.pod"),
        (FILE, "{kubernetes: {namespace: '{', pod: p}}", "data.catalog[0].templates.log.kubernetes.namespace"),
        (
            FILE,
            "{kubernetes: {namespace: n, pod: p, started_at: x}}",
            "data.catalog[0].templates.log.kubernetes.started_at",
        ),
        ("      secret_access_key: hunter2\n", "", "data.stores.main.s3.secret_access_key"),
        ("      access_key_id: AK\n", "", "data.stores.main.s3.access_key_id"),
        ("http://minio.internal:9000", "minio.internal:9000", "data.stores.main.s3.endpoint"),
        ("bucket: data", "bucket: da/ta", "data.stores.main.s3.bucket"),
        ("  main:", "  Main!:", "data.stores.Main!"),
    ] {
        assert!(WHOLE.contains(what), "{what}");
        let error = resolve(&WHOLE.replace(what, with)).expect_err(key);
        assert_eq!(error.key, key);
    }
    for text in ["maxSize", "max_size", "maxsize"] {
        let parsed = yaml::parse::<DataConfig>(&format!("{LEAST}upload: {{{text}: 1Gi}}"));
        assert_eq!(parsed.is_ok(), text == "maxSize", "{text}");
    }
}
