//! What the sidecar asks of a service that has uploads in parts, and how it takes the answers. `s3s-fs` and Ceph's
//! gateway are asked in the suite.

use std::sync::Arc;

use super::*;
use crate::clock::ManualClock;
use crate::data::store::credential::S3Credential;
use crate::data::store::testing::{Asked, Scripted};
use crate::data::store::{S3Key, S3Settings, S3Store};

const BEGUN: &str = "<InitiateMultipartUploadResult><UploadId>u/1+</UploadId></InitiateMultipartUploadResult>";
const COMPLETED: &str = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
const NO_UPLOAD: &str = "<Error><Code>NoSuchUpload</Code><UploadId>secret</UploadId></Error>";
/// One of a day before the clock's time, one an hour before, one with a key that is none, and one elsewhere.
const PAGE: &str = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>
    <NextKeyMarker>tenant/uploads/b</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
    <Upload><Key>tenant/uploads/p/d/a ü&amp;</Key><UploadId>u1</UploadId><Initiated>2013-05-23T00:00:00.000Z</Initiated></Upload>
    <Upload><Key>tenant/uploads/b</Key><UploadId>u2</UploadId><Initiated>2013-05-23T23:00:00.000Z</Initiated></Upload>
    <Upload><Key>tenant/uploads/../x</Key><UploadId>u3</UploadId><Initiated>2013-05-23T00:00:00.000Z</Initiated></Upload>
    <Upload><Key>tenant/other/x</Key><UploadId>u4</UploadId><Initiated>2013-05-23T00:00:00.000Z</Initiated></Upload>
    </ListMultipartUploadsResult>";
const LAST_PAGE: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>
    <Upload><Key>tenant/uploads/c</Key><UploadId>u5</UploadId><Initiated>2013-05-23T00:00:00Z</Initiated></Upload>
    </ListMultipartUploadsResult>";

async fn stage(answers: &[(u16, &'static str)]) -> (Scripted, S3Store) {
    let service = Scripted::start(answers).await;
    let settings = S3Settings {
        bucket: "data".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(service.url.clone()),
        public_endpoint: Some("https://s3.example.test".to_owned()),
        prefix: Some(Segments::parse("tenant").expect("segments")),
        key: Some(S3Key {
            credential: S3Credential {
                access_key_id: "AKID".to_owned(),
                secret_access_key: "hunter2".to_owned().into(),
                session_token: None,
            },
            ends: None,
        }),
        ..S3Settings::default()
    };
    let store = S3Store::new(&settings, Arc::new(ManualClock::new(now()))).expect("a store");
    (service, store)
}

/// 2013-05-24T00:00:00Z.
fn now() -> UnixTime {
    UnixTime::from_millis(1_369_353_600_000)
}

fn key() -> Key {
    Key::parse("uploads/p/d/a b").expect("a key")
}

fn upload() -> UploadId {
    UploadId::new("u/1+".to_owned())
}

fn completion(etags: &[String], mode: WriteMode) -> Completion<'_> {
    Completion { etags, mode, content_md5: None }
}

fn only(service: &Scripted) -> Asked {
    let mut asked = service.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.remove(0)
}

#[tokio::test]
async fn an_upload_is_begun_with_the_digest_as_metadata() {
    let (service, store) = stage(&[(200, BEGUN)]).await;
    assert_eq!(store.begin(&key(), Some([7; 16])).await, Ok(upload()));
    let asked = only(&service);
    assert_eq!(asked.what, "POST /data/tenant/uploads/p/d/a%20b");
    assert_eq!(asked.query["uploads"], "");
    assert_eq!(asked.query["X-Amz-SignedHeaders"], "host;x-amz-meta-flytecontentmd5");
    assert_eq!(asked.headers["x-amz-meta-flytecontentmd5"], "BwcHBwcHBwcHBwcHBwcHBw==");
    assert_eq!(asked.headers["content-length"], "0");
    for (status, text, error) in [
        (200, "<html>", StoreError::Failed("its answer makes no sense".into())),
        (
            403,
            "<Error><Code>AccessDenied</Code></Error>",
            StoreError::Denied("s3:PutObject is needed (AccessDenied)".into()),
        ),
        (307, "", StoreError::Failed("it did not say why".into())),
    ] {
        let (_service, store) = stage(&[(status, text)]).await;
        assert_eq!(store.begin(&key(), None).await, Err(error), "{status}");
    }
}

#[tokio::test]
async fn a_part_is_put_by_the_client_at_the_public_address() {
    let (_service, store) = stage(&[(500, "")]).await;
    let part = PartTerms {
        number: 10_000,
        expires_in: Duration::from_secs(60),
        content_md5: Some([7; 16]),
        content_length: Some(5),
    };
    let signed = store.sign_part(&key(), &upload(), &part).await.expect("signed");
    assert_eq!(signed.headers, [("Content-MD5".to_owned(), "BwcHBwcHBwcHBwcHBwcHBw==".to_owned())]);
    let url = url::Url::parse(signed.url.expose()).expect("a URL");
    assert_eq!((url.host_str(), url.path()), (Some("s3.example.test"), "/data/tenant/uploads/p/d/a%20b"));
    let query: std::collections::BTreeMap<_, _> = url.query_pairs().collect();
    assert_eq!((&*query["partNumber"], &*query["uploadId"]), ("10000", "u/1+"));
    assert_eq!(query["X-Amz-SignedHeaders"], "content-length;content-md5;host");
    for number in [0, 10_001] {
        let refused = store.sign_part(&key(), &upload(), &PartTerms { number, ..part.clone() }).await;
        assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{number}");
    }
}

#[tokio::test]
async fn parts_are_listed_to_the_last_page() {
    let (service, store) = stage(&[
        (
            200,
            "<R><IsTruncated>true</IsTruncated><NextPartNumberMarker>7</NextPartNumberMarker>
             <Part><PartNumber>7</PartNumber><Size>70</Size></Part>
             <Part><PartNumber>2</PartNumber><Size>20</Size><ETag>\"b\"</ETag></Part></R>",
        ),
        (200, "<R><IsTruncated>false</IsTruncated><Part><PartNumber>9</PartNumber><Size>90</Size></Part></R>"),
    ])
    .await;
    let parts = store.parts(&key(), &upload()).await.expect("parts");
    let sizes: Vec<(u16, u64)> = parts.iter().map(|part| (part.number, part.size)).collect();
    assert_eq!(sizes, [(2, 20), (7, 70), (9, 90)]);
    assert_eq!(parts[0].etag.as_deref(), Some("\"b\""));
    let asked = service.asked();
    assert_eq!(asked[0].what, "GET /data/tenant/uploads/p/d/a%20b");
    assert_eq!((asked[0].query["uploadId"].as_str(), asked[0].query.get("part-number-marker")), ("u/1+", None));
    assert_eq!(asked[1].query["part-number-marker"], "7");
}

#[tokio::test]
async fn pages_that_do_not_end_are_not_followed() {
    let (service, store) =
        stage(&[(200, "<R><IsTruncated>true</IsTruncated><NextPartNumberMarker>7</NextPartNumberMarker></R>")]).await;
    assert_eq!(store.parts(&key(), &upload()).await, Ok(Vec::new()));
    assert_eq!(service.asked().len(), 2);
    let (service, store) = stage(&[(200, PAGE)]).await;
    let found = store.unfinished(&Segments::parse("uploads").expect("segments"), now()).await.expect("found");
    assert_eq!((found.len(), service.asked().len()), (4, 2));
}

#[tokio::test]
async fn only_uploads_of_the_prefix_that_are_old_are_found() {
    let (service, store) = stage(&[(200, PAGE), (200, LAST_PAGE)]).await;
    let before = now().before(Duration::from_secs(23 * 3600));
    let found = store.unfinished(&Segments::parse("uploads").expect("segments"), before).await.expect("found");
    let found: Vec<(&str, &str)> = found.iter().map(|(key, upload)| (key.as_str(), upload.as_str())).collect();
    assert_eq!(found, [("uploads/p/d/a ü&", "u1"), ("uploads/c", "u5")]);
    let asked = service.asked();
    assert_eq!(asked[0].what, "GET /data");
    assert_eq!((asked[0].query["uploads"].as_str(), asked[0].query["prefix"].as_str()), ("", "tenant/uploads/"));
    assert_eq!(asked[0].query.get("key-marker"), None);
    let markers = (asked[1].query["key-marker"].as_str(), asked[1].query["upload-id-marker"].as_str());
    assert_eq!(markers, ("tenant/uploads/b", "u2"));
}

#[tokio::test]
async fn an_object_is_made_on_the_condition_that_there_is_none() {
    let etags = ["\"a\"".to_owned(), "\"b\"".to_owned()];
    for (mode, condition) in [(WriteMode::Create, true), (WriteMode::Replace, false)] {
        let answers = [(404, ""), (200, COMPLETED)];
        let (service, store) = stage(if condition { &answers } else { &answers[1..] }).await;
        assert_eq!(store.complete(&key(), &upload(), &completion(&etags, mode)).await, Ok(()));
        let asked = service.asked().pop().expect("it was asked");
        assert_eq!(asked.what, "POST /data/tenant/uploads/p/d/a%20b");
        assert_eq!(asked.query["uploadId"], "u/1+");
        assert_eq!(asked.headers.get("if-none-match").is_some(), condition);
        assert_eq!(asked.query["X-Amz-SignedHeaders"].contains("if-none-match"), condition);
        assert!(asked.body.contains("<Part><PartNumber>2</PartNumber><ETag>&quot;b&quot;</ETag></Part>"));
    }
    for (status, text, error) in [
        (412, "<Error><Code>PreconditionFailed</Code></Error>", StoreError::Exists),
        (404, NO_UPLOAD, StoreError::NoUpload),
        (400, "<Error><Code>InvalidPart</Code></Error>", StoreError::Unavailable("InvalidPart".into())),
        // S3 begins to answer before it knows.
        (200, "<Error><Code>InternalError</Code></Error>", StoreError::Unavailable("InternalError".into())),
    ] {
        let (_service, store) = stage(&[(404, ""), (status, text)]).await;
        let done = store.complete(&key(), &upload(), &completion(&etags, WriteMode::Create)).await;
        assert_eq!(done, Err(error), "{text}");
    }
    let (service, store) = stage(&[(200, COMPLETED)]).await;
    let done = store.complete(&key(), &upload(), &completion(&[], WriteMode::Create)).await;
    assert!(matches!(done, Err(StoreError::Unsupported(_))), "{done:?}");
    assert_eq!(service.asked().len(), 0);
}

#[tokio::test]
async fn an_upload_is_given_up_once() {
    let (service, store) = stage(&[(204, ""), (404, NO_UPLOAD)]).await;
    assert_eq!(store.abort(&key(), &upload()).await, Ok(()));
    assert_eq!(store.abort(&key(), &upload()).await, Err(StoreError::NoUpload));
    let asked = service.asked();
    assert_eq!(
        (asked[0].what.as_str(), asked[0].query["uploadId"].as_str()),
        ("DELETE /data/tenant/uploads/p/d/a%20b", "u/1+")
    );
}

#[tokio::test]
async fn a_service_that_is_not_there_is_said_without_its_address() {
    let (service, store) = stage(&[(200, "")]).await;
    let url = service.url.clone();
    drop(service);
    // Until the listener is closed it may still take the connection.
    for _ in 0..100 {
        if let Err(error) = store.begin(&key(), None).await
            && error == StoreError::Unavailable("it can't be reached".into())
        {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{url} is still there");
}
