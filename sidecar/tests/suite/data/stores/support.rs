//! Clients of signed URLs, as plain as they come, and what every store can do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::{Client, Method};
use taskgate::clock::{Clock as _, ManualClock, SharedClock, SystemClock};
use taskgate::data::path::Key;
use taskgate::data::store::credential::S3Credential;
use taskgate::data::store::{
    DownloadTerms, S3Key, S3Settings, SignedRequest, Store, StoreError, UploadTerms, WriteMode,
};

/// What is uploaded.
pub(crate) const BODY: &[u8] = b"hello, store";
/// As many other bytes.
pub(crate) const OTHER: &[u8] = b"HELLO, STORE";
/// The same and more.
pub(crate) const LONGER: &[u8] = b"hello, store!";
/// The MD5 digest of [`BODY`].
pub(crate) const MD5: [u8; 16] = [71, 130, 30, 86, 178, 71, 191, 246, 92, 217, 180, 183, 43, 143, 133, 207];
/// The MD5 digest of [`OTHER`].
pub(crate) const OTHER_MD5: [u8; 16] = [41, 147, 1, 80, 225, 44, 213, 125, 120, 32, 222, 167, 132, 254, 14, 7];
/// The MD5 digest of nothing.
pub(crate) const EMPTY_MD5: [u8; 16] = [212, 29, 140, 217, 143, 0, 178, 4, 233, 128, 9, 152, 236, 248, 66, 126];
/// Names that are not easy.
pub(crate) const ODD_NAMES: [&str; 8] = [
    "p/dev/MFRGGZDFMZTWQ2LK======/foo bar ü #1?%.txt",
    "p/dev/q?x=1&y=2#frag",
    "p/dev/100%/%2e%2e/%2F",
    "p/dev/日本 語/+plus+",
    "p/dev/~-._*'()!,;:@$",
    "p/dev/[a]{b}^`|<>\"",
    "p/dev/...",
    "p/dev/a=b=/c",
];

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

/// The machine's clock.
pub(crate) fn now() -> SharedClock {
    Arc::new(SystemClock)
}

/// A clock that is an hour behind: what is signed by it for less is over.
pub(crate) fn an_hour_ago() -> SharedClock {
    Arc::new(ManualClock::new(SystemClock.now().before(Duration::from_secs(3600))))
}

/// An upload of [`BODY`] as the SDK asks for it.
pub(crate) fn upload() -> UploadTerms {
    UploadTerms {
        expires_in: Duration::from_secs(60),
        content_md5: Some(MD5),
        md5_metadata: true,
        ..UploadTerms::default()
    }
}

/// A download for a minute.
pub(crate) fn download() -> DownloadTerms {
    DownloadTerms { expires_in: Duration::from_secs(60), ..DownloadTerms::default() }
}

pub(crate) async fn send(method: Method, url: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
    let mut request = Client::new().request(method.clone(), url).body(body.to_vec());
    if body.is_empty() && method == Method::PUT {
        // `reqwest` leaves the length of nothing out; other clients send it.
        request = request.header("Content-Length", "0");
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.bytes().await.expect("a body") }
}

/// Uploads as told.
pub(crate) async fn put(signed: &SignedRequest, body: &[u8]) -> u16 {
    send(Method::PUT, signed.url.expose(), &signed.headers, body).await.status
}

/// Uploads as told, but without this header.
pub(crate) async fn put_without(signed: &SignedRequest, left_out: &str, body: &[u8]) -> u16 {
    let headers: Vec<(String, String)> = signed.headers.iter().filter(|(name, _)| name != left_out).cloned().collect();
    assert_eq!(headers.len() + 1, signed.headers.len(), "{left_out}");
    send(Method::PUT, signed.url.expose(), &headers, body).await.status
}

pub(crate) async fn get(signed: &SignedRequest) -> Answer {
    send(Method::GET, signed.url.expose(), &signed.headers, b"").await
}

/// The same with another first character of the signature, which this parameter has.
pub(crate) fn forged(signed: &SignedRequest, parameter: &str) -> SignedRequest {
    let url = signed.url.expose();
    let start = url.find(&format!("{parameter}=")).expect("a signature") + parameter.len() + 1;
    let (head, tail) = url.split_at(start);
    let first = if tail.starts_with('0') { '1' } else { '0' };
    let forged = format!("{head}{first}{}", tail.get(1..).unwrap_or_default());
    SignedRequest { url: forged.into(), ..signed.clone() }
}

/// The statuses of eight clients that send their own bytes to one URL at a time, and what is there then.
pub(crate) async fn race(store: &dyn Store, name: &str, success: u16) -> Vec<u16> {
    let terms = UploadTerms { content_md5: None, create_only: true, md5_metadata: false, ..upload() };
    let signed = store.sign_upload(&key(name), &terms).await.expect("signed");
    let bodies: Vec<Vec<u8>> = (0..8_u8).map(|client| vec![client; 200_000]).collect();
    let statuses = join_all(bodies.iter().map(|body| put(&signed, body))).await;
    let found = store.read(&key(name), 200_000).await.expect("read").expect("an object");
    let writer = bodies.iter().position(|body| *body == found).expect("the bytes of one client, whole");
    assert_eq!(statuses.get(writer), Some(&success), "{statuses:?}");
    statuses
}

/// Everything that a store does itself, with names that are not easy and with nothing in it.
pub(crate) async fn reads_and_writes(store: &dyn Store) {
    for name in ODD_NAMES {
        let key = key(name);
        assert_eq!(store.head(&key).await, Ok(None), "{name}");
        assert_eq!(store.read(&key, 100).await, Ok(None), "{name}");
        store.write(&key, Bytes::from_static(BODY), WriteMode::Create).await.expect(name);
        assert_eq!(store.write(&key, Bytes::from_static(OTHER), WriteMode::Create).await, Err(StoreError::Exists));
        assert_eq!(store.read(&key, 100).await, Ok(Some(Bytes::from_static(BODY))), "{name}");
        store.write(&key, Bytes::from_static(OTHER), WriteMode::Replace).await.expect(name);
        assert_eq!(store.read(&key, 12).await, Ok(Some(Bytes::from_static(OTHER))), "{name}");
        assert_eq!(store.read(&key, 11).await, Err(StoreError::TooLarge { size: 12, most: 11 }), "{name}");
        let object = store.head(&key).await.expect(name).expect(name);
        assert_eq!((object.size, object.content_md5), (12, None), "{name}");
        let age = SystemClock.now().since(object.modified.expect("a time"));
        assert!(age < Duration::from_secs(60), "{age:?}");
        store.delete(&key).await.expect(name);
        store.delete(&key).await.expect("there is nothing any more");
        assert_eq!(store.head(&key).await, Ok(None), "{name}");
    }
    let empty = key("p/dev/empty");
    store.write(&empty, Bytes::new(), WriteMode::Create).await.expect("written");
    assert_eq!(store.read(&empty, 0).await, Ok(Some(Bytes::new())));
}

/// Uploads and downloads of clients, with names that are not easy and with nothing in it.
pub(crate) async fn clients_put_and_get(store: &dyn Store, success: u16) {
    for name in ODD_NAMES {
        let key = key(name);
        let signed = store.sign_upload(&key, &upload()).await.expect(name);
        assert_eq!(put(&signed, BODY).await, success, "{name}");
        assert_eq!(put(&signed, BODY).await, success, "{name}: the same again");
        let object = store.head(&key).await.expect(name).expect(name);
        assert_eq!((object.size, object.content_md5), (12, Some(MD5)), "{name}");
        assert_eq!(store.read(&key, 100).await, Ok(Some(Bytes::from_static(BODY))), "{name}");
        assert_eq!(store.key(&store.uri(&key)), Some(key.clone()), "{name}");
        assert!(store.uri(&key).ends_with(name), "{name}: it is raw");
        let terms = DownloadTerms {
            content_disposition: Some("attachment; filename=\"report 1.html\"".to_owned()),
            content_type: Some("text/html; charset=utf-8".to_owned()),
            ..download()
        };
        let answer = get(&store.sign_download(&key, &terms).await.expect(name)).await;
        assert_eq!((answer.status, &answer.body[..]), (200, BODY), "{name}");
        assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"report 1.html\"");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    }
    let empty = key("p/dev/MFRGGZDFMZTWQ2LK======/empty");
    let terms = UploadTerms { content_md5: Some(EMPTY_MD5), content_length: Some(0), ..upload() };
    assert_eq!(put(&store.sign_upload(&empty, &terms).await.expect("signed"), b"").await, success);
    assert_eq!(store.read(&empty, 0).await, Ok(Some(Bytes::new())));
    assert_eq!(get(&store.sign_download(&empty, &download()).await.expect("signed")).await.status, 200);
}

/// A bucket of a server that speaks S3.
pub(crate) fn bucket(endpoint: &str, bucket: &str, access_key_id: &str, secret_access_key: &str) -> S3Settings {
    let credential = S3Credential {
        access_key_id: access_key_id.to_owned(),
        secret_access_key: secret_access_key.to_owned().into(),
        session_token: None,
    };
    S3Settings {
        bucket: bucket.to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        key: Some(S3Key { credential, ends: None }),
        ..S3Settings::default()
    }
}
