//! S3, as `s3s-fs` has it.

use reqwest::Method;
use taskgate::data::path::Segments;
use taskgate::data::store::{S3Settings, S3Store, Store as _, StoreError, UploadTerms};
use taskgate::digest::Digest;
use taskgate_test_kit::{ReservedAddress, S3};

use super::faults::{Subject, are_documented};
use super::support::{
    BODY, LONGER, OTHER, OTHER_MD5, an_hour_ago, bucket, clients_put_and_get, download, forged, get, key, now, put,
    put_without, reads_and_writes, send, upload,
};

fn settings(endpoint: &str) -> S3Settings {
    bucket(endpoint, S3::BUCKET, S3::ACCESS_KEY_ID, S3::SECRET_ACCESS_KEY)
}

pub(super) async fn started() -> (S3, S3Store) {
    let server = S3::start().await.expect("a server");
    let store = S3Store::new(&settings(&server.url()), now()).expect("a store");
    (server, store)
}

#[tokio::test]
async fn objects_are_read_and_written() {
    let (_server, store) = started().await;
    reads_and_writes(&store).await;
}

#[tokio::test]
async fn clients_put_and_get_objects() {
    let (_server, store) = started().await;
    clients_put_and_get(&store, 200).await;
}

#[tokio::test]
async fn what_is_not_as_signed_is_refused() {
    let (server, store) = started().await;
    let sha256 = Some(*Digest::of(BODY).as_bytes());
    let terms = UploadTerms { content_sha256: sha256, content_length: Some(12), create_only: true, ..upload() };
    let signed = store.sign_upload(&key("p/x"), &terms).await.expect("signed");
    assert_eq!(put(&forged(&signed, "X-Amz-Signature"), BODY).await, 403, "another signature");
    assert_eq!(put(&signed, LONGER).await, 403, "a longer body");
    for header in ["Content-MD5", "x-amz-meta-flyteContentMD5", "x-amz-checksum-sha256", "If-None-Match"] {
        assert_eq!(put_without(&signed, header, BODY).await, 403, "without {header}");
    }
    let elsewhere = signed.url.expose().replace("/p/x?", "/p/y?");
    assert_eq!(send(Method::PUT, &elsewhere, &signed.headers, BODY).await.status, 403, "another object");
    let longer = signed.url.expose().replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert_eq!(send(Method::PUT, &longer, &signed.headers, BODY).await.status, 403, "for longer");
    assert_eq!(get(&signed).await.status, 403, "another method");
    assert_eq!(store.head(&key("p/x")).await, Ok(None), "none of them left anything");
    assert_eq!(put(&signed, BODY).await, 200);

    // `s3s-fs` refuses another body, but keeps it, which S3 does not.
    let signed =
        store.sign_upload(&key("p/md5"), &UploadTerms { content_sha256: None, ..terms }).await.expect("signed");
    assert_eq!(put(&signed, OTHER).await, 400, "another body");
    let sha256_alone = UploadTerms { content_md5: None, content_sha256: sha256, md5_metadata: false, ..upload() };
    let signed = store.sign_upload(&key("p/sha256"), &sha256_alone).await.expect("signed");
    assert_eq!(put(&signed, OTHER).await, 400, "another body");
    assert_eq!(put(&signed, BODY).await, 200);

    let late = S3Store::new(&settings(&server.url()), an_hour_ago()).expect("a store");
    let signed = late.sign_upload(&key("p/late"), &upload()).await.expect("signed");
    assert_eq!(put(&signed, BODY).await, 403, "too late");
    assert_eq!(get(&late.sign_download(&key("p/x"), &download()).await.expect("signed")).await.status, 403);
    assert_eq!(store.head(&key("p/late")).await, Ok(None));
}

#[tokio::test]
async fn what_may_only_be_created_is_not_replaced() {
    let (_server, store) = started().await;
    let create = UploadTerms { create_only: true, ..upload() };
    let signed = store.sign_upload(&key("p/x"), &create).await.expect("signed");
    assert_eq!(put(&signed, BODY).await, 200);
    assert_eq!(put(&signed, BODY).await, 412);
    let other = UploadTerms { content_md5: Some(OTHER_MD5), ..create };
    assert_eq!(put(&store.sign_upload(&key("p/x"), &other).await.expect("signed"), OTHER).await, 412);
    assert_eq!(store.read(&key("p/x"), 100).await.expect("read").as_deref(), Some(BODY));
}

#[tokio::test]
async fn clients_reach_it_at_another_address_than_the_sidecar() {
    let server = S3::start().await.expect("a server");
    let public = server.url().replace("127.0.0.1", "localhost");
    let prefix = Some(Segments::parse("tenant/a").expect("segments"));
    let settings = S3Settings { public_endpoint: Some(public.clone()), prefix, ..settings(&server.url()) };
    let store = S3Store::new(&settings, now()).expect("a store");
    let signed = store.sign_upload(&key("p/x"), &upload()).await.expect("signed");
    assert!(signed.url.expose().starts_with(&format!("{public}/data/tenant/a/p/x?")));
    assert_eq!(put(&signed, BODY).await, 200);
    assert_eq!(store.uri(&key("p/x")), "s3://data/tenant/a/p/x");
    assert_eq!(store.read(&key("p/x"), 100).await.expect("read").as_deref(), Some(BODY));
    let moved = signed.url.expose().replace(&public, &server.url());
    assert_eq!(send(Method::PUT, &moved, &signed.headers, BODY).await.status, 403, "the host is signed");
}

#[tokio::test]
async fn a_store_that_refuses_or_is_not_there_is_told_apart() {
    let server = S3::start().await.expect("a server");
    let mut wrong = settings(&server.url());
    wrong.key.as_mut().expect("a key").credential.secret_access_key = "hunter2".to_owned().into();
    let store = S3Store::new(&wrong, now()).expect("a store");
    let error = store.write(&key("p/x"), BODY.into(), taskgate::data::store::WriteMode::Create).await;
    let Err(StoreError::Denied(reason)) = error else { panic!("{error:?}") };
    assert!(reason.contains("the key's secret is wrong") && reason.ends_with("(SignatureDoesNotMatch)"), "{reason}");
    let nobody = ReservedAddress::new().expect("an address");
    let store = S3Store::new(&settings(&format!("http://{}", nobody.address())), now()).expect("a store");
    let error = store.head(&key("p/x")).await.expect_err("nobody is there");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn faults_are_documented() {
    let (server, store) = started().await;
    let late = S3Store::new(&settings(&server.url()), an_hour_ago()).expect("a store");
    let subject = Subject {
        column: "S3 (`s3s-fs`)",
        store: &store,
        late: &late,
        signature: "X-Amz-Signature",
        success: 200,
        // It looks first and writes then.
        rounds: None,
        keeps_refused: true,
    };
    are_documented(&subject).await;
}
