//! Stores that are tried: with the program, by an operator, and when the sidecar starts.

use std::path::Path;
use std::process::Command;

use taskgate::config::load;
use taskgate::serve::{Setting, StartError, start};
use taskgate_test_kit::{Azurite, ReservedAddress, S3};

use super::support::{an_hour_ago, now};
use crate::kit::config;

/// An S3 store.
fn s3(endpoint: &str, secret: &str, more: &str) -> String {
    format!(
        "s3: {{bucket: {}, endpoint: \"{endpoint}\", access_key_id: {}, secret_access_key: {secret}{more}}}",
        S3::BUCKET,
        S3::ACCESS_KEY_ID,
    )
}

/// A container of Azurite.
fn azure(server: &Azurite, container: &str) -> String {
    format!(
        "azure: {{account: {}, container: {container}, endpoint: \"{}\", account_key: {}}}",
        Azurite::ACCOUNT,
        server.url(),
        Azurite::KEY,
    )
}

/// A configuration with these stores.
fn with(stores: &[(&str, String)], more: &str) -> String {
    let stores: String = stores.iter().map(|(name, store)| format!("    {name}:\n      {store}\n")).collect();
    let placement = "  placement: [{store: main}]\n";
    config(&format!(
        "public: {{listen: \"127.0.0.1:0\"}}\ndata:\n  stores:\n{stores}{placement}  catalog: [{{file: {{path: catalog.yaml}}}}]\n{more}"
    ))
}

fn write(directory: &Path, config: &str) {
    std::fs::write(directory.join("taskgate.yaml"), config).expect("writes");
    std::fs::write(directory.join("services.yaml"), "services: []\n").expect("writes");
    std::fs::write(directory.join("catalog.yaml"), "projects: []\n").expect("writes");
}

/// What `taskgate data check` prints, line by line, and its exit status.
fn check(directory: &Path, config: &str, more: &[&str]) -> (Vec<String>, Option<i32>) {
    write(directory, config);
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
    command.current_dir(directory).args(["data", "check", "-c", "taskgate.yaml"]).args(more);
    let output = command.output().expect("runs");
    let said = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Signature=") && !said.contains("tg-") && !said.contains("sig="), "no signed URL: {said}");
    (said.lines().map(str::to_owned).collect(), output.status.code())
}

fn line<'a>(lines: &'a [String], store: &str, step: &str) -> &'a str {
    let found = lines.iter().find(|line| line.starts_with(store) && line.contains(step));
    found.unwrap_or_else(|| panic!("no `{step}` of {store}: {lines:#?}"))
}

#[tokio::test]
async fn stores_that_work_are_said_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let (s3_server, azurite) = (S3::start().await.expect("a server"), Azurite::start().await.expect("a server"));
    let public = format!(", public_endpoint: \"{}\"", s3_server.url().replace("127.0.0.1", "localhost"));
    let stores = [
        ("blobs", azure(&azurite, Azurite::CONTAINER)),
        ("main", "local: {folder: objects, public_url: \"https://nobody.example.test\", keep_free: '0'}".to_owned()),
        ("small", s3(&s3_server.url(), S3::SECRET_ACCESS_KEY, &public)),
    ];
    let config = with(&stores, "");
    let (lines, status) = check(directory.path(), &config, &[]);
    assert_eq!(status, Some(0), "{lines:#?}");
    assert!(lines.iter().skip(1).all(|line| line.ends_with("  ok")), "{lines:#?}");
    for (store, steps) in [("blobs", 10), ("main", 11), ("small", 13)] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(store)).count(), steps, "{store}: {lines:#?}");
    }
    line(&lines, "small", "get an object at the public endpoint");
    line(&lines, "small", "have the same time");
    let left = std::fs::read_dir(directory.path().join("objects/objects/uploads/.taskgate"));
    assert_eq!(left.map_or(0, Iterator::count), 0);

    let (lines, _) = check(directory.path(), &config, &["--store", "main"]);
    assert!(lines.iter().skip(1).all(|line| line.starts_with("main")), "{lines:#?}");
    let (lines, status) = check(directory.path(), &config, &["--store", "other"]);
    assert_eq!((lines, status), (vec!["taskgate: no store is named `other`".to_owned()], Some(1)));
}

#[tokio::test]
async fn what_is_wrong_with_a_store_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = S3::start().await.expect("a server");
    let (nobody, elsewhere) =
        (ReservedAddress::new().expect("an address"), ReservedAddress::new().expect("an address"));
    let gone = format!("http://{}", nobody.address());
    let public = format!(", public_endpoint: \"http://{}\"", elsewhere.address());
    let azurite = Azurite::start().await.expect("a server");
    let stores = [
        ("bucket", azure(&azurite, "other")),
        ("gone", s3(&gone, S3::SECRET_ACCESS_KEY, "")),
        ("main", s3(&server.url(), S3::SECRET_ACCESS_KEY, &public)),
        ("secret", s3(&server.url(), "hunter2", "")),
        ("stranger", s3(&server.url(), S3::SECRET_ACCESS_KEY, "").replace(S3::ACCESS_KEY_ID, "AKOTHER")),
    ];
    let (lines, status) = check(directory.path(), &with(&stores, ""), &[]);
    assert_eq!(status, Some(1), "{lines:#?}");
    assert!(!lines.join("\n").contains("hunter2"));
    assert!(line(&lines, "secret", "write an object").contains("FAILED: the signature is not accepted"));
    assert!(line(&lines, "secret", "put an object").contains("(403 SignatureDoesNotMatch)"));
    assert!(line(&lines, "stranger", "write an object").contains("FAILED: the store does not know the key"));
    assert!(line(&lines, "bucket", "write an object").contains("FAILED: there is no such bucket or container"));
    assert!(line(&lines, "bucket", "put an object").contains("(404 ContainerNotFound)"));
    assert!(line(&lines, "gone", "write an object").contains("can't be reached"));
    assert_eq!(lines.iter().filter(|line| line.starts_with("gone")).count(), 1, "there is no more to try");
    // A public endpoint that is out of reach from here may be in reach of clients.
    assert!(line(&lines, "main", "at the public endpoint").contains("warning: the public endpoint can't be reached"));
    assert!(line(&lines, "main", "write an object").ends_with("  ok"));
}

#[tokio::test]
async fn a_sidecar_that_requires_fit_stores_starts_with_no_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = S3::start().await.expect("a server");
    let begin = async |secret: &str, more: &str, clock| {
        write(directory.path(), &with(&[("main", s3(&server.url(), secret, ""))], more));
        let path = directory.path().join("taskgate.yaml");
        let settings = load::load(&path).expect("the configuration holds");
        start(settings, Setting { clock, config_path: Some(path), logs: None }).await
    };
    let require = "  self_test: require\n";
    let running = begin(S3::SECRET_ACCESS_KEY, require, now()).await.expect("starts");
    let metrics = reqwest::get(format!("http://{}/metrics", running.addresses.operations)).await.expect("an answer");
    assert!(metrics.text().await.expect("text").contains("taskgate_data_store_works{store=\"main\"} 1"));
    assert!(running.end().await);

    let refused = begin("hunter2", require, now()).await.map(|_| ()).expect_err("is refused");
    assert!(matches!(&refused, StartError::Unfit(reason) if reason.to_string().contains("main")), "{refused}");
    let refused = begin(S3::SECRET_ACCESS_KEY, require, an_hour_ago()).await.map(|_| ()).expect_err("is refused");
    assert!(matches!(refused, StartError::Unfit(_)), "the clock is an hour behind: {refused}");
    for otherwise in ["", "  self_test: off\n"] {
        let running = begin("hunter2", otherwise, now()).await.expect("starts all the same");
        assert!(running.end().await);
    }
}

/// What `s3s-fs` does not do: it makes buckets that there are not.
mod radosgw {
    use taskgate_test_kit::Radosgw;

    use super::*;

    #[tokio::test]
    async fn a_bucket_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let server = Radosgw::start().await.expect("a server");
        let good = s3(&server.url(), Radosgw::SECRET_ACCESS_KEY, "");
        let stores = [
            ("bucket", good.replace("bucket: data", "bucket: other")),
            ("main", good),
            ("secret", s3(&server.url(), "hunter2", "")),
        ];
        let (lines, status) = check(directory.path(), &with(&stores, ""), &[]);
        assert_eq!(status, Some(1));
        assert!(lines.iter().filter(|line| line.starts_with("main")).all(|line| line.ends_with("  ok")), "{lines:#?}");
        assert!(line(&lines, "bucket", "write an object").contains("FAILED: there is no such bucket or container"));
        assert!(line(&lines, "secret", "write an object").contains("FAILED: the signature is not accepted"));
    }
}
