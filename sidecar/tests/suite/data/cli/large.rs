//! Files that are too large to begin anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use taskgate::clock::{Clock as _, ManualClock, SystemClock};
use taskgate::data::store::credential::S3Credential;
use taskgate::data::store::{AzureKey, AzureSettings, AzureStore, S3Key, S3Settings, S3Store, Store};
use taskgate_test_kit::{Azurite, S3};

use super::faults::{Cut, Fault, Faults, Proxy};
use super::stage::{Stage, bytes};

const OBJECTS: &str = "/v1/data/objects/";
const MIB: usize = 1 << 20;
/// The size of a large file.
const SIZE: u32 = (66 << 20) + 5;

/// What clients reach a server through.
async fn before(url: &str) -> Proxy {
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an address");
    Proxy::start(address.parse().expect("an address")).await
}

/// With that store, which clients reach through the proxy.
async fn with(store: Arc<dyn Store>, proxy: Proxy) -> Stage {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let folder = tempfile::tempdir().expect("a directory");
    Stage::with_store(store, Faults::default(), proxy, clock, folder).await
}

/// With a bucket.
async fn bucket() -> (S3, Stage) {
    let server = S3::start().await.expect("a server");
    let proxy = before(&server.url()).await;
    let settings = S3Settings {
        bucket: S3::BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(server.url()),
        public_endpoint: Some(proxy.url()),
        key: Some(S3Key {
            credential: S3Credential {
                access_key_id: S3::ACCESS_KEY_ID.to_owned(),
                secret_access_key: S3::SECRET_ACCESS_KEY.to_owned().into(),
                session_token: None,
            },
            ends: None,
        }),
        ..S3Settings::default()
    };
    let store = S3Store::new(&settings, Arc::new(SystemClock)).expect("a store");
    (server, with(Arc::new(store), proxy).await)
}

/// With a container.
async fn container() -> (Azurite, Stage) {
    let server = Azurite::start().await.expect("a server");
    let proxy = before(&server.url()).await;
    let settings = AzureSettings {
        account: Azurite::ACCOUNT.to_owned(),
        container: Azurite::CONTAINER.to_owned(),
        endpoint: Some(server.url()),
        public_endpoint: Some(format!("{}/{}", proxy.url(), Azurite::ACCOUNT)),
        prefix: None,
        key: AzureKey { key: Azurite::KEY.to_owned().into(), ends: None },
    };
    let store = AzureStore::new(&settings, Arc::new(SystemClock)).expect("a store");
    (server, with(Arc::new(store), proxy).await)
}

#[tokio::test]
async fn one_that_breaks_goes_on_where_it_was() {
    let stage = Stage::start().await;
    let content = bytes(SIZE);
    stage.write("a", &content);
    // None of these connections could bring it whole.
    stage.proxy.cut(&[Cut::Up(25 * MIB); 20]);
    stage.faults.plan(Method::PATCH, OBJECTS, Fault::Answer(StatusCode::SERVICE_UNAVAILABLE, ""));
    stage.faults.plan(Method::POST, OBJECTS, Fault::Lost);
    let uri = stage.upload(&["a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(content));
    assert!(stage.faults.are_over());
    assert_eq!(stage.faults.count(&Method::PUT, OBJECTS), 0);
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/uploads"), 1);
}

#[tokio::test]
async fn one_whose_last_answer_is_lost_is_there() {
    let stage = Stage::start().await;
    stage.write("a", bytes(SIZE));
    stage.faults.plan(Method::PATCH, OBJECTS, Fault::Lost);
    let uri = stage.upload(&["--root", "once", "a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(stage.read("a")));
    assert_eq!(stage.faults.count(&Method::PATCH, OBJECTS), 1);
}

#[tokio::test]
async fn one_whose_url_is_over_begins_anew() {
    let stage = Stage::start().await;
    stage.write("a", bytes(SIZE));
    stage.faults.plan(Method::PATCH, OBJECTS, Fault::Late(Duration::from_secs(7_200)));
    let uri = stage.upload(&["--root", "late", "a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(stage.read("a")));
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/uploads"), 2);
    // What is there already is no other file.
    stage.write("a", bytes(SIZE - 1));
    let refused = stage.upload(&["--root", "late", "a"]).await.badly();
    assert!(refused.contains("different content"), "{refused}");
}

#[tokio::test]
async fn a_bucket_takes_parts_and_keeps_those_it_has() {
    let (_server, stage) = bucket().await;
    let content = bytes(SIZE);
    stage.write("a b.bin", &content);
    stage.proxy.cut(&[Cut::Up(11 * MIB), Cut::Up(11 * MIB)]);
    stage.faults.plan(Method::POST, "/v1/data/multipart/parts", Fault::Answer(StatusCode::SERVICE_UNAVAILABLE, ""));
    // Completed, and nobody knows.
    stage.faults.plan(Method::POST, "/v1/data/multipart/complete", Fault::Lost);
    let uri = stage.upload(&["--root", "v1", "a b.bin"]).await.well();
    assert_eq!(uri, "s3://data/uploads/p/d/v1/a b.bin");
    assert_eq!(stage.object(&uri).await.as_ref(), Some(&content));
    assert!(stage.proxy.is_over() && stage.faults.are_over());
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/multipart/list"), 1);
    // Two parts at the most were cut, and are sent twice.
    let sent = stage.proxy.sent.load(Ordering::SeqCst);
    assert!(sent < content.len() + 17 * MIB, "{sent}");
    // The same again is the same, and other content is refused.
    assert_eq!(stage.upload(&["--root", "v1", "a b.bin"]).await.well(), uri);

    stage.proxy.cut(&[Cut::Down(20 * MIB); 20]);
    stage.download(&[&uri, "-o", "b"]).await.well();
    assert_eq!(stage.read("b"), content);
    stage.write("a b.bin", bytes(SIZE - 1));
    let refused = stage.upload(&["--root", "v1", "a b.bin"]).await.badly();
    assert!(refused.contains("different content"), "{refused}");
}

#[tokio::test]
async fn a_container_takes_parts_and_files() {
    let (_server, stage) = container().await;
    let content = bytes(SIZE);
    stage.write("a b.bin", &content);
    stage.write("empty", "");
    stage.proxy.cut(&[Cut::Up(11 * MIB), Cut::Up(11 * MIB)]);
    let large = stage.upload(&["--root", "v1", "a b.bin"]).await.well();
    assert_eq!(stage.object(&large).await.as_ref(), Some(&content));
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/multipart/list"), 1);
    let uris = stage.upload(&["--root", "v1", "a b.bin", "empty"]).await.well();
    let uris: Vec<&str> = uris.lines().collect();
    assert_eq!(uris[0], large);
    stage.proxy.cut(&[Cut::Down(25 * MIB); 20]);
    for (uri, name) in uris.iter().zip(["a b.bin", "empty"]) {
        let line = stage.download(&[uri, "--json", "-o", "b", "--force"]).await.well();
        assert!(line.contains(r#""checked":["md5"]"#), "{line}");
        assert_eq!(stage.read("b"), stage.read(name));
    }
}

#[tokio::test]
async fn one_that_can_only_come_whole_comes_whole() {
    let (server, stage) = bucket().await;
    stage.write("a", bytes(SIZE));
    stage.proxy.cut(&[Cut::Up(25 * MIB)]);
    // Named by its digest, which nobody could check in parts.
    let uri = stage.upload(&["a"]).await.well();
    assert_eq!(stage.object(&uri).await, Some(stage.read("a")));
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/multipart"), 0);
    drop(server);
}

#[tokio::test]
async fn one_that_fails_leaves_no_parts() {
    let (_server, stage) = bucket().await;
    stage.write("a", bytes(SIZE));
    let refusal = r#"{"status": 500, "detail": "the store failed"}"#;
    for _ in 0..9 {
        let fault = Fault::Answer(StatusCode::INTERNAL_SERVER_ERROR, refusal);
        stage.faults.plan(Method::POST, "/v1/data/multipart/complete", fault);
    }
    let refused = stage.upload(&["--root", "v1", "a"]).await.badly();
    assert_eq!(refused, "taskgate: a: the server answered 500: the store failed");
    assert_eq!(stage.faults.count(&Method::POST, "/v1/data/multipart/abort"), 1);
    assert_eq!(stage.object("s3://data/uploads/p/d/v1/a").await, None);
}
