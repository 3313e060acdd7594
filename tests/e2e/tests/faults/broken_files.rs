//! Every file that the sidecar reads, broken while it runs: what ran before goes on, the error says which file, and
//! the next valid one is taken.

use std::collections::BTreeSet;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use taskgate_test_kit::{Sidecar, SidecarHome, environment, wait_until};

use crate::support::service::{ALICE, Service, file as services};
use crate::support::setup::{Setup, key, token};
use crate::support::{Outcome, PATIENCE};

/// A kind of file.
struct Kind {
    /// The key of the configuration that names it, as its schema has it.
    key: &'static str,
    /// What makes a configuration name the file `it`.
    name: fn(&mut Value),
    good: String,
    bad: &'static str,
}

/// Keys of the schema with files that are not configuration, or that are not read here.
const OTHERS: [(&str, &str); 13] = [
    ("FileProviderConfig.path", "the services file: `the_services_file` below"),
    ("FileCatalogConfig.path", "a catalog follows its file by itself; tested in the sidecar"),
    ("CatalogConfig.file", "a section, not a file"),
    ("ProviderConfig.file", "a section, not a file"),
    ("CommandOperationConfig.path", "a program that is run"),
    ("EnvoyGatewayConfig.certificate_file", "read by Envoy, on its machine"),
    ("EnvoyGatewayConfig.client_ca_file", "read by Envoy, on its machine"),
    ("EnvoyGatewayConfig.filter_file", "read by Envoy, on its machine"),
    ("EnvoyGatewayConfig.key_file", "read by Envoy, on its machine"),
    ("FilterConfig.wasm_file", "handed out, never read as configuration"),
    ("LogRow.file", "a template of addresses of logs"),
    ("LogRow.finished_file", "a template of addresses of logs"),
    ("ServicesTableConfig.path", "a path in the cluster"),
];

fn table() -> Vec<Kind> {
    let secret = || "a-secret".to_owned();
    let kind = |key, name, good, bad| Kind { key, name, good, bad };
    vec![
        kind("KeyConfig.secret_file", |c| c["keys"] = json!([{"id": "k1", "secret_file": "it"}]), key('B'), "short"),
        kind("InternalConfig.secret_file", |c| c["internal"] = json!({"secret_file": "it"}), secret(), ""),
        kind(
            "TokensConfig.tokens_file",
            |c| c["verdicts"]["sources"] = json!([{"tokens": {"tokens_file": "it"}}]),
            json!([token(ALICE, "alice")]).to_string(),
            "- {sha256: 12}",
        ),
        kind(
            "JwtConfig.jwks_file",
            |c| {
                let jwt = json!({"issuer": "https://idp.test", "audiences": ["t"], "jwks_file": "it"});
                c["verdicts"]["sources"] = json!([{ "jwt": jwt }]);
            },
            json!({"keys": [{"kty": "RSA", "kid": "1", "alg": "RS256", "n": "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw", "e": "AQAB"}]}).to_string(),
            "{\"keys\": 7}",
        ),
        kind(
            "CalloutConfig.authorization_file",
            |c| {
                let callout = json!({"url": "http://127.0.0.1:1/", "mode": "decide", "authorization_file": "it"});
                c["verdicts"]["sources"] = json!([{ "callout": callout }]);
            },
            secret(),
            "",
        ),
        kind("YtsaurusProviderConfig.token_file", |c| ytsaurus(c, "token_file"), secret(), ""),
        kind("YtsaurusProviderConfig.authorities_file", |c| ytsaurus(c, "authorities_file"), AUTHORITY.into(), "none"),
        kind("ArvadosProviderConfig.token_file", |c| arvados(c, "token_file"), secret(), ""),
        kind("ArvadosProviderConfig.authorities_file", |c| arvados(c, "authorities_file"), AUTHORITY.into(), "none"),
        kind("ArvadosProviderConfig.anonymous_token_file", |c| arvados(c, "anonymous_token_file"), secret(), ""),
        kind("DeterminedProviderConfig.token_file", |c| determined(c, "token_file"), secret(), ""),
        kind("DeterminedProviderConfig.password_file", |c| determined(c, "password_file"), secret(), ""),
        kind("DeterminedProviderConfig.authorities_file", |c| determined(c, "authorities_file"), AUTHORITY.into(), "none"),
        kind("InternalTaskGatewayConfig.store_file", gateway, "sqlite:p.db".into(), "nonsense"),
        kind("SignInConfig.client_secret_file", |c| access(c, true), secret(), ""),
        kind("AccessConfig.store_file", |c| access(c, false), "sqlite:a.db".into(), "nonsense"),
        kind("TasksConfig.store_file", tasks, "sqlite:t.db".into(), "nonsense"),
        kind("HttpOperationConfig.secret_file", operation, secret(), ""),
        kind(
            "ForwardAuthConfig.secret_file",
            |c| c["forward_auth"] = json!({"listen": "127.0.0.1:0", "secret_file": "it"}),
            secret(),
            "",
        ),
        kind("S3StoreConfig.secret_access_key_file", |c| s3(c, "secret_access_key_file"), secret(), ""),
        kind("S3StoreConfig.session_token_file", |c| s3(c, "session_token_file"), secret(), ""),
        kind("AzureStoreConfig.account_key_file", azure, "a2V5".into(), ""),
        kind("GcsStoreConfig.service_account_key_file", gcs, service_account(), ""),
        kind("CalloutCatalogConfig.authorization_file", |c| catalog(c, "callout"), secret(), ""),
        kind("FlyteCatalogConfig.authorization_file", |c| catalog(c, "flyte"), secret(), ""),
        kind(
            "OtlpConfig.headers_file",
            |c| c["telemetry"] = json!({"otlp": {"endpoint": "http://127.0.0.1:1", "headers_file": "it"}}),
            "x-tenant: research".into(),
            "no header",
        ),
    ]
}

/// A certificate that nobody trusts for anything else.
const AUTHORITY: &str = include_str!("broken_files/authority.pem");

fn ytsaurus(config: &mut Value, key: &str) {
    let mut provider = json!({"proxy": "http://127.0.0.1:1", "token": "t"});
    if key == "token_file" {
        provider = json!({"proxy": "http://127.0.0.1:1"});
    }
    provider[key] = "it".into();
    push(config, json!({ "ytsaurus": provider }));
}

fn arvados(config: &mut Value, key: &str) {
    let mut provider = json!({"api": "http://127.0.0.1:1", "token": "t"});
    if key == "token_file" {
        provider = json!({"api": "http://127.0.0.1:1"});
    }
    provider[key] = "it".into();
    push(config, json!({ "arvados": provider }));
}

fn determined(config: &mut Value, key: &str) {
    let mut provider = json!({"master": "http://127.0.0.1:1"});
    match key {
        "password_file" => provider["username"] = "taskgate".into(),
        "token_file" => {}
        _ => provider["token"] = "t".into(),
    }
    provider[key] = "it".into();
    push(config, json!({ "determined": provider }));
}

fn gateway(config: &mut Value) {
    config["xds"] = json!({"listen": "127.0.0.1:0"});
    config["internal_task_gateway"] =
        json!({"gateway_ip": "127.0.0.1", "source_ranges": ["127.0.0.0/8"], "store_file": "it"});
}

fn push(config: &mut Value, provider: Value) {
    if let Some(providers) = config["providers"].as_array_mut() {
        providers.push(provider);
    }
}

fn access(config: &mut Value, is_client: bool) {
    config["public"] = json!({});
    config["state"] = json!({"directory": "state"});
    let mut sign_in = json!({"issuer": "http://127.0.0.1:1", "client_id": "t"});
    config["access"] = json!({});
    if is_client {
        sign_in["client_secret_file"] = "it".into();
    } else {
        config["access"]["store_file"] = "it".into();
    }
    config["access"]["sign_in"] = sign_in;
}

fn tasks(config: &mut Value) {
    config["public"] = json!({});
    config["tasks"] = json!({"store_file": "it", "hsds": {"endpoint": "http://127.0.0.1:1"}});
}

fn operation(config: &mut Value) {
    config["public"] = json!({});
    let http = json!({"url": "http://127.0.0.1:1/", "secret_file": "it"});
    let operation = json!({"name": "thumbnail", "summary": "A picture.", "http": http});
    let hsds = json!({"endpoint": "http://127.0.0.1:1"});
    config["tasks"] = json!({"store": "sqlite:t.db", "hsds": hsds, "operations": [operation]});
}

fn s3(config: &mut Value, key: &str) {
    let mut store = json!({
        "bucket": "b", "region": "r", "endpoint": "http://127.0.0.1:1", "access_key_id": "k",
    });
    if key == "session_token_file" {
        store["secret_access_key"] = "s".into();
    }
    store[key] = "it".into();
    data(config, &json!({ "s3": store }), &json!({"templates": {"projects": {"everyone": true}}}));
}

fn azure(config: &mut Value) {
    let store = json!({
        "account": "a", "container": "c", "endpoint": "http://127.0.0.1:1", "account_key_file": "it",
    });
    data(config, &json!({ "azure": store }), &json!({"templates": {"projects": {"everyone": true}}}));
}

fn gcs(config: &mut Value) {
    let store = json!({"bucket": "b", "endpoint": "http://127.0.0.1:1", "service_account_key_file": "it"});
    data(config, &json!({ "gcs": store }), &json!({"templates": {"projects": {"everyone": true}}}));
}

fn catalog(config: &mut Value, kind: &str) {
    let mut asked = json!({"url": "http://127.0.0.1:1/", "authorization_file": "it"});
    if kind == "flyte" {
        asked["everyone"] = true.into();
    }
    let store = json!({"folder": "objects", "public_url": "https://data.tasks.example.test"});
    data(config, &json!({ "local": store }), &json!({ kind: asked }));
}

fn data(config: &mut Value, store: &Value, catalog: &Value) {
    config["public"] = json!({});
    config["data"] = json!({"stores": {"main": store}, "catalog": [catalog], "self_test": "off"});
}

/// The file of a service account that nobody has.
fn service_account() -> String {
    let pem = KeyPair::generate(KeySize::Rsa2048).ok().and_then(|key| {
        let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
        Some(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref())))
    });
    json!({
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key": pem,
        "private_key_id": "1",
        "token_uri": "http://127.0.0.1:1/",
    })
    .to_string()
}

async fn count(sidecar: &Sidecar, metric: &str) -> u64 {
    let metrics = sidecar.metrics().await.unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

const TAKEN: &str = "taskgate_config_reload_total";
const FAILED: &str = "taskgate_config_reload_failed_total";

async fn rises(sidecar: &Sidecar, metric: &str, from: u64) -> Outcome {
    wait_until(PATIENCE, &format!("{metric} to rise"), async || count(sidecar, metric).await > from).await
}

/// What the sidecar goes by, as filters see it.
async fn table_number(sidecar: &Sidecar) -> u64 {
    count(sidecar, "taskgate_table_number").await
}

async fn check(kind: &Kind) -> Outcome {
    let setup = Setup::new([Service::http("web").at(std::net::SocketAddr::from(([127, 0, 0, 1], 1)))]);
    let setup = setup.configure(|config| {
        config["discovery"] = json!({"startup_secs": 0});
        (kind.name)(config);
    });
    let home: SidecarHome = setup.home()?;
    home.write("it", &kind.good)?;
    let sidecar = home.launch(&setup.config().to_string())?;
    let serves = async || table_number(&sidecar).await > 0;
    wait_until(PATIENCE, "a table", serves).await?;
    let (failed, taken, number) = (count(&sidecar, FAILED).await, count(&sidecar, TAKEN).await, 1);
    sidecar.home().write("it", kind.bad)?;
    rises(&sidecar, FAILED, failed).await?;
    let log = sidecar.log();
    let line = log.lines().find(|line| line.contains("configuration not taken")).unwrap_or_default();
    let (_, name) = kind.key.split_once('.').unwrap_or_default();
    let named = line.contains(name) || line.contains(name.trim_end_matches("_file"));
    anyhow::ensure!(named, "the error does not say which: {line}");
    anyhow::ensure!(count(&sidecar, TAKEN).await == taken, "something was taken");
    anyhow::ensure!(table_number(&sidecar).await >= number, "the table is gone");
    // A file that is gone is no file.
    let failed = count(&sidecar, FAILED).await;
    std::fs::remove_file(sidecar.home().directory().join("it"))?;
    rises(&sidecar, FAILED, failed).await?;
    sidecar.home().write("it", &kind.good)?;
    rises(&sidecar, TAKEN, taken).await
}

#[tokio::test]
async fn what_ran_before_goes_on_and_the_next_valid_file_is_taken() -> Outcome {
    let mut failures = Vec::new();
    for kind in table() {
        if let Err(error) = check(&kind).await {
            failures.push(format!("{}: {error:#}", kind.key));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    Ok(())
}

/// Whoever adds a key that names a file adds it here.
#[test]
fn every_key_that_names_a_file_is_there() -> Outcome {
    let path = environment::repository().join("docs/reference/taskgate.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let known: BTreeSet<String> =
        table().iter().map(|kind| kind.key).chain(OTHERS.iter().map(|(key, _)| *key)).map(Into::into).collect();
    let mut missing = Vec::new();
    for (section, definition) in schema["$defs"].as_object().into_iter().flatten() {
        let mut parts = vec![definition];
        parts.extend(definition["oneOf"].as_array().into_iter().flatten());
        for part in parts {
            for key in part["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
                let name = format!("{section}.{key}");
                let is_file = key.ends_with("_file") || key == "file" || key == "path";
                if is_file && !known.contains(&name) {
                    missing.push(name);
                }
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_file_that_comes_after_the_configuration_that_names_it_is_taken() -> Outcome {
    let setup = Setup::new([Service::http("web").at(std::net::SocketAddr::from(([127, 0, 0, 1], 1)))]);
    let sidecar = setup.start_sidecar().await?;
    let mut config = setup.config().clone();
    config["keys"] = json!([{"id": "k2", "secret_file": "later.key"}]);
    let (failed, taken) = (count(&sidecar, FAILED).await, count(&sidecar, TAKEN).await);
    sidecar.home().configure(&config.to_string())?;
    rises(&sidecar, FAILED, failed).await?;
    sidecar.home().write("later.key", &key('C'))?;
    rises(&sidecar, TAKEN, taken).await
}

#[tokio::test]
async fn the_configuration_and_the_services_file() -> Outcome {
    let at = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let web = || Service::http("web").at(at(1));
    let sidecar = Setup::new([web()]).start_sidecar().await?;
    let number = table_number(&sidecar).await;
    let problem = async |text: &str| sidecar.log().contains(text);
    sidecar.home().write("services.yaml", "services:\n- {operation: o\n  broken")?;
    wait_until(PATIENCE, "the error", async || problem("discovery failed").await).await?;
    assert!(sidecar.log().contains("services.yaml"), "{}", sidecar.log());
    assert_eq!(table_number(&sidecar).await, number, "what was known stays");
    sidecar.home().write("services.yaml", &services(&[web(), Service::http("more").at(at(2))]))?;
    let more = async || table_number(&sidecar).await > number;
    wait_until(PATIENCE, "the next one to be taken", more).await?;

    let failed = count(&sidecar, FAILED).await;
    sidecar.home().write("taskgate.yaml", "gate: {base_domains: [\"tasks.example.test\"\nnonsense: 1\n")?;
    rises(&sidecar, FAILED, failed).await?;
    let log = sidecar.log();
    let line = log.lines().find(|line| line.contains("configuration not taken")).unwrap_or_default();
    assert!(line.contains("taskgate.yaml") && line.contains("line"), "{line}");
    Ok(())
}
