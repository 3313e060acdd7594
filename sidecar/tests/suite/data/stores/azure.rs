//! Azure Blob Storage, as Azurite has it.

use taskgate::data::store::{AzureKey, AzureSettings, AzureStore, Store as _, StoreError, UploadTerms, WriteMode};
use taskgate_test_kit::Azurite;

use super::faults::{Subject, are_documented};
use super::support::{
    BODY, LONGER, OTHER, OTHER_MD5, an_hour_ago, clients_put_and_get, download, forged, get, key, now, put,
    put_without, reads_and_writes, send, upload,
};

fn settings(endpoint: &str) -> AzureSettings {
    AzureSettings {
        account: Azurite::ACCOUNT.to_owned(),
        container: Azurite::CONTAINER.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        public_endpoint: None,
        prefix: None,
        key: AzureKey { key: Azurite::KEY.to_owned().into(), ends: None },
    }
}

pub(super) async fn started() -> (Azurite, AzureStore) {
    let server = Azurite::start().await.expect("a server");
    let store = AzureStore::new(&settings(&server.url()), now()).expect("a store");
    (server, store)
}

#[tokio::test]
async fn blobs_are_read_and_written() {
    let (_server, store) = started().await;
    reads_and_writes(&store).await;
}

#[tokio::test]
async fn clients_put_and_get_blobs() {
    let (_server, store) = started().await;
    clients_put_and_get(&store, 201).await;
}

#[tokio::test]
async fn what_is_not_as_signed_is_refused() {
    let (server, store) = started().await;
    let create = UploadTerms { content_length: Some(12), create_only: true, ..upload() };
    let signed = store.sign_upload(&key("p/x"), &create).await.expect("signed");
    assert_eq!(put(&forged(&signed, "sig"), BODY).await, 403, "another signature");
    assert_eq!(put(&signed, OTHER).await, 400, "another body");
    assert_eq!(put(&signed, LONGER).await, 400, "a longer body");
    assert_eq!(put_without(&signed, "x-ms-blob-type", BODY).await, 400, "what kind of blob?");
    for (from, to) in [("/p/x?", "/p/y?"), ("sp=c", "sp=cw"), ("spr=https%2Chttp", "spr=http"), ("se=20", "se=21")] {
        let other = signed.url.expose().replace(from, to);
        assert_ne!(other, signed.url.expose());
        assert_eq!(send(reqwest::Method::PUT, &other, &signed.headers, BODY).await.status, 403, "{to}");
    }
    assert_eq!(store.head(&key("p/x")).await, Ok(None), "none of them left anything");
    assert_eq!(put(&signed, BODY).await, 201);
    assert_eq!(get(&signed).await.status, 403, "it may not be read");
    let read = store.sign_download(&key("p/x"), &download()).await.expect("signed");
    assert_eq!(send(reqwest::Method::PUT, read.url.expose(), &signed.headers, BODY).await.status, 403);

    let late = AzureStore::new(&settings(&server.url()), an_hour_ago()).expect("a store");
    let signed = late.sign_upload(&key("p/late"), &upload()).await.expect("signed");
    assert_eq!(put(&signed, BODY).await, 403, "too late");
    assert_eq!(store.head(&key("p/late")).await, Ok(None));
}

/// What [`taskgate::data::store::Ties`] says of Azure: a client that leaves the digest out is not held to it.
#[tokio::test]
async fn a_digest_that_is_not_sent_is_not_looked_at() {
    let (_server, store) = started().await;
    let signed = store.sign_upload(&key("p/x"), &upload()).await.expect("signed");
    assert!(!store.ties().content_md5);
    assert_eq!(put_without(&signed, "Content-MD5", OTHER).await, 201);
}

#[tokio::test]
async fn what_may_only_be_created_is_not_replaced() {
    let (_server, store) = started().await;
    let create = UploadTerms { create_only: true, ..upload() };
    let signed = store.sign_upload(&key("p/x"), &create).await.expect("signed");
    assert_eq!(put(&signed, BODY).await, 201);
    assert_eq!(put(&signed, BODY).await, 403, "the right is to create");
    assert_eq!(put_without(&signed, "If-None-Match", BODY).await, 403, "the right is to create");
    let other = UploadTerms { content_md5: Some(OTHER_MD5), ..create };
    assert_eq!(put(&store.sign_upload(&key("p/x"), &other).await.expect("signed"), OTHER).await, 403);
    assert_eq!(store.read(&key("p/x"), 100).await.expect("read").as_deref(), Some(BODY));
}

#[tokio::test]
async fn a_wrong_key_is_refused_by_name_of_the_permission() {
    let server = Azurite::start().await.expect("a server");
    let key_of_others = AzureKey { key: "aHVudGVyMg==".to_owned().into(), ends: None };
    let wrong = AzureSettings { key: key_of_others, ..settings(&server.url()) };
    let store = AzureStore::new(&wrong, now()).expect("a store");
    let error = store.write(&key("p/x"), BODY.into(), WriteMode::Create).await.expect_err("refused");
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("blobs/write")), "{error:?}");
}

#[tokio::test]
async fn faults_are_documented() {
    let (server, store) = started().await;
    let late = AzureStore::new(&settings(&server.url()), an_hour_ago()).expect("a store");
    let subject = Subject {
        column: "Azure (Azurite)",
        store: &store,
        late: &late,
        signature: "sig",
        success: 201,
        rounds: Some(5),
        keeps_refused: false,
    };
    are_documented(&subject).await;
}
