//! Google Cloud Storage: no server that can be had verifies its signatures, so its own library is the judge.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use taskgate::clock::ManualClock;
use taskgate::data::store::multipart::{PartTerms, UploadId};
use taskgate::data::store::{DownloadTerms, GcsSettings, GcsStore, Store as _, UploadTerms};
use taskgate_core::time::UnixTime;
use taskgate_test_kit::environment;

use super::support::{MD5, ODD_NAMES, key, upload};

/// What Google's library signs.
fn google(requests: &Value) -> Value {
    let python = environment::gcs_client().expect("Google's client").join("python3");
    let script = environment::repository().join("tests/gcs/sign.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python");
    child.stdin.take().expect("a pipe").write_all(requests.to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn urls_are_those_of_googles_library() {
    let md5 = "R4IeVrJHv/Zc2bS3K4+Fzw==";
    let upload_headers = json!({
        "x-goog-meta-flyteContentMD5": md5,
        "x-goog-content-length-range": "12,12",
        "x-goog-if-generation-match": "0",
    });
    let mut requests = Vec::new();
    for name in ODD_NAMES {
        requests.push(json!({"method": "PUT", "name": name, "md5": md5, "headers": upload_headers, "secs": 900}));
        let headers = json!({"x-goog-content-length-range": "0,100"});
        requests.push(json!({"method": "PUT", "name": name, "md5": md5, "headers": headers, "secs": 900}));
        requests.push(json!({
            "method": "GET", "name": name, "secs": 60, "headers": {},
            "disposition": "attachment; filename=\"a b+ü.html\"", "type": "text/html; charset=utf-8",
        }));
        requests.push(json!({
            "method": "PUT", "name": name, "md5": md5, "secs": 60, "headers": {},
            "parameters": {"partNumber": "7", "uploadId": "A/b+c=_-~ü &"},
        }));
    }
    let time = "20260102T030405Z";
    let signed = google(&json!({"bucket": "data.example", "time": time, "requests": requests}));
    let settings = GcsSettings {
        bucket: "data.example".to_owned(),
        service_account_key: Some(signed["key"].to_string().into()),
        ..GcsSettings::default()
    };
    let clock = ManualClock::new(UnixTime::from_millis(1_767_323_045_678));
    let store = GcsStore::new(&settings, Arc::new(clock)).expect("a store");
    let mut urls = Vec::new();
    for name in ODD_NAMES {
        let terms = UploadTerms {
            expires_in: Duration::from_secs(900),
            content_length: Some(12),
            create_only: true,
            ..upload()
        };
        urls.push(store.sign_upload(&key(name), &terms).await.expect("signed").url);
        let terms = UploadTerms {
            expires_in: Duration::from_secs(900),
            max_length: Some(100),
            md5_metadata: false,
            ..upload()
        };
        let unknown = store.sign_upload(&key(name), &terms).await.expect("signed");
        assert!(unknown.headers.contains(&("x-goog-content-length-range".to_owned(), "0,100".to_owned())));
        urls.push(unknown.url);
        let terms = DownloadTerms {
            expires_in: Duration::from_secs(60),
            content_disposition: Some("attachment; filename=\"a b+ü.html\"".to_owned()),
            content_type: Some("text/html; charset=utf-8".to_owned()),
        };
        urls.push(store.sign_download(&key(name), &terms).await.expect("signed").url);
        let part = PartTerms {
            number: 7,
            expires_in: Duration::from_secs(60),
            content_md5: Some(MD5),
            // It is not signed: Google says nothing of such a header for parts.
            content_length: Some(12),
        };
        let upload = UploadId::new("A/b+c=_-~ü &".to_owned());
        let multipart = store.multipart().expect("parts");
        urls.push(multipart.sign_part(&key(name), &upload, &part).await.expect("signed").url);
    }
    let others = signed["urls"].as_array().expect("URLs");
    assert_eq!(urls.len(), others.len());
    for (own, other) in urls.iter().zip(others) {
        assert_eq!(own.expose(), other.as_str().expect("a URL"));
    }
}
