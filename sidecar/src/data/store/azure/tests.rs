//! What a shared access signature grants. Azurite verifies them, in the suite.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::*;
use crate::clock::ManualClock;
use crate::data::store::multipart::{PartTerms, UploadId};

fn store(endpoint: Option<&str>, ends: Option<UnixTime>) -> AzureStore {
    let settings = AzureSettings {
        account: "account".to_owned(),
        container: "data".to_owned(),
        endpoint: endpoint.map(ToOwned::to_owned),
        public_endpoint: None,
        prefix: None,
        key: AzureKey { key: STANDARD.encode("hunter2").into(), ends },
    };
    AzureStore::new(&settings, Arc::new(ManualClock::new(UnixTime::from_millis(1_369_353_600_900)))).expect("a store")
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

async fn upload(store: &AzureStore, create_only: bool) -> (SignedRequest, BTreeMap<String, String>) {
    let terms = UploadTerms {
        expires_in: Duration::from_secs(900),
        content_md5: Some([7; 16]),
        create_only,
        md5_metadata: true,
        ..UploadTerms::default()
    };
    let signed = store.sign_upload(&key("p/ü #1?%.txt"), &terms).await.expect("signed");
    let parameters = Url::parse(signed.url.expose()).expect("a URL").query_pairs().into_owned().collect();
    (signed, parameters)
}

#[tokio::test]
async fn an_upload_may_create_and_is_https_alone() {
    let store = store(None, None);
    let (signed, parameters) = upload(&store, true).await;
    assert!(
        signed.url.expose().starts_with("https://account.blob.core.windows.net/data/p/%C3%BC%20%231%3F%25.txt?sv="),
        "{}",
        signed.url.expose()
    );
    for (name, value) in [("sp", "c"), ("spr", "https"), ("sr", "b"), ("se", "2013-05-24T00:15:00Z")] {
        assert_eq!(parameters[name], value, "{name}");
    }
    assert_eq!(signed.expires_at, UnixTime::from_millis(1_369_354_500_000));
    let headers: Vec<(&str, &str)> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("x-ms-blob-type", "BlockBlob"),
            ("Content-MD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("x-ms-meta-flyteContentMD5", "BwcHBwcHBwcHBwcHBwcHBw=="),
            ("If-None-Match", "*"),
        ]
    );
    assert_eq!(upload(&store, false).await.1["sp"], "cw");
}

#[tokio::test]
async fn it_ends_with_the_key_and_may_be_plain_where_the_endpoint_is() {
    let (ends, endpoint) = (UnixTime::from_millis(1_369_353_660_000), "http://127.0.0.1:10000/account");
    let (signed, parameters) = upload(&store(Some(endpoint), Some(ends)), true).await;
    assert_eq!(signed.expires_at, ends);
    assert_eq!((parameters["se"].as_str(), parameters["spr"].as_str()), ("2013-05-24T00:01:00Z", "https,http"));
    let over = store(None, Some(UnixTime::from_millis(1_369_353_600_950)));
    let terms = DownloadTerms { expires_in: Duration::from_secs(9), ..DownloadTerms::default() };
    let error = over.sign_download(&key("x"), &terms).await;
    assert!(matches!(error, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn what_it_can_not_check_it_does_not_promise() {
    let store = store(None, None);
    let terms = UploadTerms { content_sha256: Some([9; 32]), ..UploadTerms::default() };
    assert!(matches!(store.sign_upload(&key("x"), &terms).await, Err(StoreError::Unsupported(_))));
    let resumable = store.sign_resumable(&key("x"), &UploadTerms::default()).await;
    assert!(matches!(resumable, Err(StoreError::Unsupported(_))), "unless a store says so, it takes none");
    assert_eq!(
        store.ties(),
        Ties { content_md5: false, content_sha256: false, content_length: false, create_only: true }
    );
}

#[test]
fn addresses_have_the_container_and_may_have_the_account() {
    let store = store(None, None);
    assert_eq!(store.uri(&key("p/d/a b")), "abfs://data/p/d/a b");
    for uri in ["abfs://data/p/d/a b", "abfss://data@account.dfs.core.windows.net/p/d/a b"] {
        assert_eq!(store.key(uri), Some(key("p/d/a b")), "{uri}");
    }
    assert_eq!(store.key("abfs://data@other.dfs.core.windows.net/p"), None);
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_block_is_named_by_upload_and_number() {
    let store = store(None, None);
    let upload = store.begin(&key("x"), None).await.expect("begun");
    assert_ne!(store.begin(&key("x"), None).await, Ok(upload.clone()));
    let part = PartTerms {
        number: 7,
        expires_in: Duration::from_secs(60),
        content_md5: Some([7; 16]),
        content_length: Some(5),
    };
    let signed = store.sign_part(&key("x"), &upload, &part).await.expect("signed");
    let parameters: BTreeMap<String, String> =
        Url::parse(signed.url.expose()).expect("a URL").query_pairs().into_owned().collect();
    assert_eq!((parameters["sp"].as_str(), parameters["comp"].as_str()), ("w", "block"));
    assert_eq!(parameters["blockid"], STANDARD.encode(format!("{}-00007", upload.as_str())));
    assert_eq!(signed.headers, [("Content-MD5".to_owned(), "BwcHBwcHBwcHBwcHBwcHBw==".to_owned())]);
    let other = UploadId::new("u&blockid=x".to_owned());
    assert_eq!(store.sign_part(&key("x"), &other, &part).await.err(), Some(StoreError::NoUpload));
    assert_eq!(store.abort(&key("x"), &other).await, Err(StoreError::NoUpload));
}
