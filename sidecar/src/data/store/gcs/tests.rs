//! What a URL of Google Cloud Storage is tied to, judged by the key that signs. The suite compares with Google's own
//! library.

use taskgate_core::time::UnixTime;

use super::*;
use crate::clock::ManualClock;
use crate::data::store::gcs::signer::tests::{RsaKey, key_file};
use crate::data::store::multipart::{Completion, UploadId};
use crate::data::store::testing::Scripted;
use crate::digest::Digest;

fn store(rsa: &RsaKey) -> GcsStore {
    let settings =
        GcsSettings { bucket: "data".to_owned(), service_account_key: Some(key_file(rsa)), ..GcsSettings::default() };
    GcsStore::new(&settings, Arc::new(ManualClock::new(UnixTime::from_millis(1_369_353_600_900)))).expect("a store")
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

#[tokio::test]
async fn an_upload_is_tied_to_digest_length_and_absence() {
    let rsa = RsaKey::new();
    let terms = UploadTerms {
        expires_in: Duration::from_secs(900),
        content_md5: Some([7; 16]),
        content_length: Some(11),
        create_only: true,
        md5_metadata: true,
        ..UploadTerms::default()
    };
    let signed = store(&rsa).sign_upload(&key("p/%2e%2e/x"), &terms).await.expect("signed");
    let headers: Vec<(&str, &str)> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("Content-MD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("x-goog-meta-flyteContentMD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("x-goog-content-length-range", "11,11"),
            ("x-goog-if-generation-match", "0"),
        ]
    );
    let (unsigned, signature) = signed.url.expose().split_once("&X-Goog-Signature=").expect("a signature");
    let query = "X-Goog-Algorithm=GOOG4-RSA-SHA256\
                 &X-Goog-Credential=robot%40project.iam.gserviceaccount.com%2F20130524%2Fauto%2Fstorage%2Fgoog4_request\
                 &X-Goog-Date=20130524T000000Z&X-Goog-Expires=900&X-Goog-SignedHeaders=content-md5%3Bhost%3B\
                 x-goog-content-length-range%3Bx-goog-if-generation-match%3Bx-goog-meta-flytecontentmd5";
    assert_eq!(unsigned, format!("https://storage.googleapis.com/data/p/%252e%252e/x?{query}"));
    let canonical = format!(
        "PUT\n/data/p/%252e%252e/x\n{query}\ncontent-md5:BwcHBwcHBwcHBwcHBwcHBw==\nhost:storage.googleapis.com\n\
         x-goog-content-length-range:11,11\nx-goog-if-generation-match:0\n\
         x-goog-meta-flytecontentmd5:BwcHBwcHBwcHBwcHBwcHBw==\n\n\
         content-md5;host;x-goog-content-length-range;x-goog-if-generation-match;x-goog-meta-flytecontentmd5\n\
         UNSIGNED-PAYLOAD"
    );
    let to_sign = format!(
        "GOOG4-RSA-SHA256\n20130524T000000Z\n20130524/auto/storage/goog4_request\n{}",
        Digest::of(canonical.as_bytes())
    );
    assert!(rsa.verifies(to_sign.as_bytes(), signature), "{signature}");
    assert_eq!(signed.expires_at, UnixTime::from_millis(1_369_354_500_000));
}

#[tokio::test]
async fn sha_256_is_not_promised() {
    let terms = UploadTerms { content_sha256: Some([9; 32]), ..UploadTerms::default() };
    let error = store(&RsaKey::new()).sign_upload(&key("x"), &terms).await.expect_err("refused");
    assert!(matches!(error, StoreError::Unsupported(_)));
}

#[test]
fn nothing_secret_shows() {
    let rsa = RsaKey::new();
    let store = store(&rsa);
    let shown = format!("{store:?}");
    assert!(!shown.contains("PRIVATE KEY") && !shown.contains("BEGIN"), "{shown}");
}

/// A bucket of a service that needs no credential for what `object_store` asks.
fn store_at(url: &str, rsa: &RsaKey) -> GcsStore {
    let mut key: serde_json::Value = serde_json::from_str(key_file(rsa).expose()).expect("JSON");
    key["disable_oauth"] = true.into();
    let settings = GcsSettings {
        bucket: "data".to_owned(),
        endpoint: Some(url.to_owned()),
        service_account_key: Some(key.to_string().into()),
        ..GcsSettings::default()
    };
    GcsStore::new(&settings, Arc::new(ManualClock::new(UnixTime::from_millis(1_369_353_600_900)))).expect("a store")
}

/// Google's service takes no conditions with uploads in parts.
#[tokio::test]
async fn before_parts_become_an_object_it_looks_whether_there_is_one() {
    let completed = "<CompleteMultipartUploadResult/>";
    let (rsa, etags) = (RsaKey::new(), ["\"a\"".to_owned()]);
    let upload = UploadId::new("u".to_owned());
    for (mode, there, done, methods) in [
        (WriteMode::Create, 404, Ok(()), &["HEAD /data/x", "POST /data/x"][..]),
        (WriteMode::Create, 200, Err(StoreError::Exists), &["HEAD /data/x"]),
        (WriteMode::Replace, 200, Ok(()), &["POST /data/x"]),
    ] {
        let answers =
            if mode == WriteMode::Create { vec![(there, ""), (200, completed)] } else { vec![(200, completed)] };
        let service = Scripted::start(&answers).await;
        let store = store_at(&service.url, &rsa);
        let completion = Completion { etags: &etags, mode, content_md5: None };
        assert_eq!(store.complete(&key("x"), &upload, &completion).await, done);
        let asked = service.asked();
        let asked_for: Vec<&str> = asked.iter().map(|asked| asked.what.as_str()).collect();
        assert_eq!(asked_for, methods, "{mode:?}");
        if let Some(post) = asked.iter().find(|asked| asked.what.starts_with("POST")) {
            assert_eq!(post.query["X-Goog-SignedHeaders"], "host");
            assert_eq!(post.query["uploadId"], "u");
        }
    }
}

#[tokio::test]
async fn an_upload_in_parts_has_googles_names() {
    let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let service = Scripted::start(&[(200, begun)]).await;
    let store = store_at(&service.url, &RsaKey::new());
    assert_eq!(store.begin(&key("x"), Some([7; 16])).await, Ok(UploadId::new("u".to_owned())));
    assert_eq!(service.asked()[0].headers["x-goog-meta-flytecontentmd5"], "BwcHBwcHBwcHBwcHBwcHBw==");
    let refusing = Scripted::start(&[(403, "<Error><Code>AccessDenied</Code></Error>")]).await;
    let store = store_at(&refusing.url, &RsaKey::new());
    let error = store.unfinished(&Segments::parse("uploads").expect("segments"), UnixTime::from_millis(0)).await;
    assert_eq!(error, Err(StoreError::Denied("storage.multipartUploads.list is needed (AccessDenied)".into())));
}
