//! URLs of S3 beside those that another implementation signs, and what ends them.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use url::Url;

use super::*;
use crate::clock::{Clock as _, ManualClock, SystemClock};

fn settings() -> S3Settings {
    S3Settings {
        bucket: "data".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some("http://s3.internal:9000".to_owned()),
        key: Some(S3Key {
            credential: S3Credential {
                access_key_id: "AKID".to_owned(),
                secret_access_key: "hunter2".to_owned().into(),
                session_token: Some("session/=".to_owned().into()),
            },
            ends: None,
        }),
        ..S3Settings::default()
    }
}

fn store(settings: &S3Settings, clock: SharedClock) -> S3Store {
    S3Store::new(settings, clock).expect("a store")
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

fn parameters(url: &str) -> BTreeMap<String, String> {
    Url::parse(url).expect("a URL").query_pairs().into_owned().collect()
}

fn terms() -> UploadTerms {
    UploadTerms {
        expires_in: Duration::from_secs(900),
        content_md5: Some([7; 16]),
        content_sha256: Some([9; 32]),
        content_length: None,
        max_length: None,
        create_only: true,
        md5_metadata: true,
    }
}

/// `object_store` takes the time from the machine: both are asked until they did within one second.
async fn other_and_own(settings: &S3Settings, name: &str, terms: &UploadTerms) -> (String, String) {
    let internal = endpoint(settings, settings.endpoint.as_deref()).expect("an endpoint");
    let other = builder(settings, &internal).expect("a builder").build().expect("a store");
    for _ in 0..100 {
        let clock = ManualClock::new(SystemClock.now());
        let own = store(settings, Arc::new(clock)).sign_upload(&key(name), terms).await.expect("signed");
        let options = own.headers.iter().fold(SignedUrlOptions::default(), |options, (name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            options.with_signed_header(name, HeaderValue::from_str(value).expect("a value"))
        });
        let path = Path::parse(name).expect("a path");
        let other = other.signed_url_opts(Method::PUT, &path, terms.expires_in, &options).await.expect("signed");
        let (other, own) = (other.to_string(), own.url.expose().to_owned());
        if parameters(&other)["X-Amz-Date"] == parameters(&own)["X-Amz-Date"] {
            return (other, own);
        }
    }
    panic!("never within one second");
}

#[tokio::test]
async fn object_store_signs_the_same() {
    for virtual_hosted in [false, true] {
        // `object_store` takes the whole host then, ours is made.
        let settings = S3Settings { virtual_hosted, endpoint: None, ..settings() };
        for name in ["plain.txt", "p/dev/MFRGG======/foo bar ü #1?%.txt", "%2e%2e/x~-._*'()!+&=", "...", "a:b@c"] {
            let (other, own) = other_and_own(&settings, name, &terms()).await;
            assert_eq!(parameters(&own), parameters(&other), "{name}");
            assert_eq!(own.split('?').next(), other.split('?').next(), "{name}");
        }
    }
}

#[tokio::test]
async fn headers_are_spelled_as_the_sdk_does_and_have_no_length() {
    let store = store(&settings(), Arc::new(ManualClock::new(UnixTime::from_millis(1_700_000_000_900))));
    let terms = UploadTerms { content_length: Some(11), ..terms() };
    let signed = store.sign_upload(&key("p/d/x"), &terms).await.expect("signed");
    let headers: Vec<(&str, &str)> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("Content-MD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("x-amz-meta-flyteContentMD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("x-amz-checksum-sha256", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="),
            ("If-None-Match", "*"),
        ]
    );
    assert_eq!(
        parameters(signed.url.expose())["X-Amz-SignedHeaders"],
        "content-length;content-md5;host;if-none-match;x-amz-checksum-sha256;x-amz-meta-flytecontentmd5"
    );
    assert_eq!(signed.expires_at, UnixTime::from_millis(1_700_000_900_000), "whole seconds");
}

#[tokio::test]
async fn clients_are_sent_to_the_public_endpoint() {
    let public = S3Settings { public_endpoint: Some("https://data.example/s3/".to_owned()), ..settings() };
    let signed =
        store(&public, Arc::new(SystemClock)).sign_download(&key("p/d/x"), &download(60)).await.expect("signed");
    assert!(signed.url.expose().starts_with("https://data.example/s3/data/p/d/x?"));
    let hosted = S3Settings { virtual_hosted: true, ..public };
    let signed =
        store(&hosted, Arc::new(SystemClock)).sign_download(&key("p/d/x"), &download(60)).await.expect("signed");
    assert!(signed.url.expose().starts_with("https://data.data.example/s3/p/d/x?"));
}

fn download(secs: u64) -> DownloadTerms {
    DownloadTerms { expires_in: Duration::from_secs(secs), ..DownloadTerms::default() }
}

#[tokio::test]
async fn a_url_ends_with_its_credential() {
    let (clock, ends) = (Arc::new(ManualClock::new(UnixTime::from_millis(10_000))), UnixTime::from_millis(70_500));
    let mut settings = settings();
    settings.key.as_mut().expect("a key").ends = Some(ends);
    let store = store(&settings, clock.clone());
    let signed = store.sign_download(&key("x"), &download(900)).await.expect("signed");
    assert_eq!(signed.expires_at, UnixTime::from_millis(70_000));
    assert_eq!(parameters(signed.url.expose())["X-Amz-Expires"], "60");
    let signed = store.sign_download(&key("x"), &download(30)).await.expect("signed");
    assert_eq!(signed.expires_at, UnixTime::from_millis(40_000), "it would have lived longer");
    clock.advance(Duration::from_secs(60));
    let error = store.sign_download(&key("x"), &download(30)).await.expect_err("over");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn no_url_is_good_for_more_than_a_week() {
    let store = store(&settings(), Arc::new(ManualClock::new(UnixTime::from_millis(0))));
    let signed = store.sign_download(&key("x"), &download(30 * 24 * 3600)).await.expect("signed");
    assert_eq!(signed.expires_at, UnixTime::from_millis(MAX_SECS * 1000));
}

#[test]
fn nothing_secret_shows() {
    let settings = settings();
    let text = format!("{settings:?} {:?}", store(&settings, Arc::new(SystemClock)));
    assert!(!text.contains("hunter2") && !text.contains("session/="), "{text}");
}

#[test]
fn settings_that_can_not_be_are_refused() {
    for bad in [
        S3Settings { bucket: String::new(), ..settings() },
        S3Settings { bucket: "a/b".to_owned(), ..settings() },
        S3Settings { region: "eu/x".to_owned(), ..settings() },
        S3Settings { endpoint: Some("s3.internal".to_owned()), ..settings() },
        S3Settings { public_endpoint: Some("https://u:p@x".to_owned()), ..settings() },
    ] {
        assert!(matches!(S3Store::new(&bad, Arc::new(SystemClock)), Err(StoreError::Failed(_))), "{bad:?}");
    }
}
