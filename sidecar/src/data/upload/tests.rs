use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::data::testing::{Parts, caller};

const MD5: [u8; 16] = *b"0123456789abcdef";

fn ask() -> UploadAsk {
    UploadAsk {
        project: "p".into(),
        domain: "d".into(),
        filename: "test-file.txt".into(),
        filename_root: "test-root".into(),
        content_md5: MD5.to_vec(),
        ..UploadAsk::default()
    }
}

fn seconds(seconds: i64) -> Option<SignedDuration> {
    Some(SignedDuration { seconds, nanos: 0 })
}

async fn refusal(ask: UploadAsk) -> String {
    let (service, ..) = Parts::default().service();
    service.create_upload(&caller("ann"), ask).await.expect_err("is refused").to_string()
}

#[tokio::test]
async fn a_name_that_was_chosen_is_taken_once() {
    let (service, store, _) = Parts::default().service();
    let ask = || UploadAsk { expires_in: seconds(1_800), content_length: 5, add_content_md5_metadata: true, ..ask() };
    let key = "uploads/p/d/test-root/test-file.txt";
    let upload = service.create_upload(&caller("ann"), ask()).await.expect("is signed");
    assert_eq!(upload.native_url, format!("s3://main/{key}"));
    let terms = UploadTerms {
        expires_in: Duration::from_secs(1_800),
        content_md5: Some(MD5),
        content_sha256: None,
        content_length: Some(5),
        max_length: None,
        create_only: true,
        md5_metadata: true,
    };
    assert_eq!(store.last_upload(), (key.to_owned(), terms.clone()));

    store.put(key, b"same", Some(MD5));
    service.create_upload(&caller("ann"), ask()).await.expect("the same may come again");
    assert_eq!(store.last_upload().1, UploadTerms { create_only: false, ..terms });

    for other in [None, Some([0; 16])] {
        store.put(key, b"other", other);
        let error = service.create_upload(&caller("ann"), ask()).await.expect_err("is refused");
        let text = format!("file already exists at [s3://main/{key}] with different content (hash mismatch)");
        assert!(matches!(&error, DataError::Exists(own) if *own == text), "{error}");
    }
    let unsure = UploadAsk { content_md5: Vec::new(), ..ask() };
    let error = service.create_upload(&caller("ann"), unsure).await.expect_err("is refused");
    let text = format!("file already exists at [s3://main/{key}]; content_md5 is required to verify safe overwrite");
    assert!(matches!(&error, DataError::Exists(own) if *own == text), "{error}");
}

#[tokio::test]
async fn a_name_is_taken_once_however_it_is_split() {
    let (service, store, _) = Parts::default().service();
    store.put("uploads/p/d/test-root/test-file.txt", b"bundle", Some(MD5));
    let split = |root: &str, file: &str| UploadAsk {
        filename_root: root.into(),
        filename: file.into(),
        content_md5: Vec::new(),
        ..ask()
    };
    for (root, file) in [("test-root", "test-file.txt"), ("test-root/test-file.txt", "")] {
        let error = service.create_upload(&caller("ann"), split(root, file)).await.expect_err("is there already");
        assert!(matches!(&error, DataError::Exists(text) if text.contains("content_md5 is required")), "{error}");
    }
    service.create_upload(&caller("ann"), split("test-root/other.txt", "")).await.expect("is not there");
    assert!(store.last_upload().1.create_only);
}

#[tokio::test]
async fn a_name_made_of_the_digest_needs_no_look() {
    let (service, store, _) = Parts::default().service();
    store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let ask = UploadAsk { filename_root: String::new(), ..ask() };
    let upload = service.create_upload(&caller("ann"), ask).await.expect("is signed");
    assert_eq!(upload.native_url, "s3://main/uploads/p/d/GAYTEMZUGU3DOOBZMFRGGZDFMY======/test-file.txt");
    let (_, terms) = store.last_upload();
    assert!(!terms.create_only);
    assert_eq!((terms.content_length, terms.max_length), (None, Some(100 << 20)), "no more than `maxSize`");
}

#[tokio::test]
async fn paths_are_flytes() {
    let (service, ..) = Parts::default().service();
    let url = async |filename: &str, filename_root: &str, md5: &[u8], organization: &str| {
        let ask = UploadAsk {
            filename: filename.into(),
            filename_root: filename_root.into(),
            content_md5: md5.to_vec(),
            organization: organization.into(),
            ..ask()
        };
        service.create_upload(&caller("ann"), ask).await.expect("is signed").native_url
    };
    assert_eq!(
        url("test-file.txt", "", b"test-hash", "").await,
        "s3://main/uploads/p/d/ORSXG5BNNBQXG2A=/test-file.txt"
    );
    assert_eq!(url("f", "r", b"", "org").await, "s3://main/uploads/p/d/r/f", "the organization is not in it");
    assert_eq!(url("", "root", &MD5, "").await, "s3://main/uploads/p/d/root");
    let odd = "foo bar ü #1?%2e%2e.txt";
    assert_eq!(
        url(odd, "tracked-runs/r/a/1", &MD5, "").await,
        format!("s3://main/uploads/p/d/tracked-runs/r/a/1/{odd}")
    );
}

#[tokio::test]
async fn a_digest_that_no_store_checks_lets_nothing_be_replaced() {
    let (service, store, _) = Parts::default().service();
    let ask = || UploadAsk {
        filename_root: String::new(),
        content_md5: b"test-hash".to_vec(),
        add_content_md5_metadata: true,
        ..ask()
    };
    service.create_upload(&caller("ann"), ask()).await.expect("is signed");
    let (key, terms) = store.last_upload();
    assert_eq!((terms.content_md5, terms.create_only, terms.md5_metadata), (None, true, false));
    store.put(key.leak(), b"there", None);
    assert!(matches!(service.create_upload(&caller("ann"), ask()).await, Err(DataError::Exists(_))));
}

#[tokio::test]
async fn what_makes_no_sense_is_told_in_flytes_words() {
    for (ask, text) in [
        (
            UploadAsk { filename_root: String::new(), content_md5: Vec::new(), ..ask() },
            "either filename_root or content_md5 must be provided",
        ),
        (
            UploadAsk { expires_in: seconds(7_200), ..ask() },
            "expires_in (2h0m0s) exceeds maximum allowed duration of 1h0m0s",
        ),
        (UploadAsk { expires_in: seconds(-5), ..ask() }, "expires_in (-5s) is invalid"),
        (UploadAsk { expires_in: seconds(0), ..ask() }, "expires_in (0s) is invalid"),
        (
            UploadAsk { expires_in: seconds(i64::MAX), ..ask() },
            "expires_in (seconds:9223372036854775807 nanos:0) is invalid",
        ),
        (
            UploadAsk { content_length: 209_715_200, ..ask() },
            "content_length (209715200 bytes) exceeds maximum allowed size of 104857600 bytes",
        ),
        (UploadAsk { content_length: -1, ..ask() }, "content_length (-1 bytes) is invalid"),
        (UploadAsk { project: "missing".into(), ..ask() }, "project \"missing\" not found"),
        (UploadAsk { domain: "missing".into(), ..ask() }, "domain \"missing\" not found in project \"p\""),
        (
            UploadAsk { project: "broken".into(), ..ask() },
            "failed to validate project: the catalog is unavailable: broken",
        ),
        (
            UploadAsk { filename: "../../../other/evil.txt".into(), ..ask() },
            "failed to construct storage path: filename: a path may have no part `.` or `..`",
        ),
        (
            UploadAsk { filename_root: "offloaded-inputs/hash".into(), filename: "inputs.pb".into(), ..ask() },
            "failed to construct storage path: `offloaded-inputs` is kept for the inputs of runs",
        ),
        (
            UploadAsk { filename_root: "d2".into(), filename: "offloaded-inputs/h/inputs.pb".into(), ..ask() },
            "failed to construct storage path: `offloaded-inputs` is kept for the inputs of runs",
        ),
    ] {
        assert_eq!(refusal(ask).await, text);
    }
    assert!(refusal(UploadAsk { content_md5: vec![0; 65], ..ask() }).await.contains("content_md5 has 65 bytes"));
    let long = UploadAsk { organization: "o".repeat(64), ..ask() };
    assert_eq!(refusal(long).await, "organization: is longer than 63 bytes");
    assert!(refusal(UploadAsk { project: "gs://evil".into(), ..ask() }).await.contains("project"));
}

#[tokio::test]
async fn strangers_see_no_project_and_readers_do_not_write() {
    let (service, store, _) = Parts::default().service();
    let missing = UploadAsk { project: "missing".into(), ..ask() };
    let missing = service.create_upload(&caller("eve"), missing).await.expect_err("is refused").to_string();
    let hidden = service.create_upload(&caller("eve"), ask()).await.expect_err("is refused");
    assert!(matches!(hidden, DataError::NotFound(_)));
    assert_eq!(hidden.to_string(), missing.replace("missing", "p"));
    let no_domain = UploadAsk { domain: "other".into(), ..ask() };
    let hidden = service.create_upload(&caller("eve"), no_domain).await.expect_err("is refused");
    assert_eq!(hidden.to_string(), "project \"p\" not found", "nor its domains");
    for reader in ["bob", "carl"] {
        let error = service.create_upload(&caller(reader), ask()).await.expect_err("is refused");
        assert!(matches!(error, DataError::Denied(_)), "{reader}: {error}");
    }
    assert!(crate::data::testing::lock(&store.uploads).is_empty());
    let open = UploadAsk { project: "open".into(), ..ask() };
    service.create_upload(&caller("eve"), open).await.expect("is everybody's");
}

#[tokio::test]
async fn a_store_that_fails_is_told_so() {
    let (service, store, _) = Parts::default().service();
    store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = service.create_upload(&caller("ann"), ask()).await.expect_err("is refused");
    let text = "failed to check if file exists at location [s3://main/uploads/p/d/test-root/test-file.txt]: the store failed: broken";
    assert!(matches!(&error, DataError::Internal(own) if own == text), "{error}");
}

#[test]
fn base32_is_that_of_the_rfc() {
    for (bytes, text) in [
        ("", ""),
        ("f", "MY======"),
        ("fo", "MZXQ===="),
        ("foo", "MZXW6==="),
        ("foob", "MZXW6YQ="),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI======"),
    ] {
        assert_eq!(base32(bytes.as_bytes()), text);
    }
}

/// What leads elsewhere in Flyte: the lines of a list of attacks on it, each of which was seen to work there.
#[tokio::test]
async fn what_leads_elsewhere_in_flyte_does_not_here() {
    let (service, store, _) = Parts::default().service();
    let signed = async |filename: &str| {
        let ask = UploadAsk { filename: filename.into(), ..ask() };
        service.create_upload(&caller("ann"), ask).await.map(|upload| upload.native_url)
    };
    for filename in ["../../../other/evil.txt", "a/../../../../x"] {
        assert!(matches!(signed(filename).await, Err(DataError::Invalid(_))), "{filename}");
    }
    // There these are cut off, refused, or escaped in the address but not in the key.
    for filename in ["q?x=1#frag.txt", "100%.txt", "%2e%2e/%2e%2e/x", "foo bar.txt"] {
        let key = format!("uploads/p/d/test-root/{filename}");
        assert_eq!(signed(filename).await.expect("is signed"), format!("s3://main/{key}"));
        assert_eq!(store.last_upload().0, key, "what is signed is what is said");
    }
    // With nothing before it, a project's name is where a scheme would be.
    let upload = UploadSettings { storage_prefix: None, ..UploadSettings::default() };
    let settings = crate::data::settings::DataSettings { upload, ..Default::default() };
    let (service, store, _) = Parts { settings, ..Parts::default() }.service();
    for project in ["gs://evil", "s3:", "..", ""] {
        let ask = UploadAsk { project: project.into(), ..ask() };
        assert!(service.create_upload(&caller("ann"), ask).await.is_err(), "{project}");
    }
    assert!(crate::data::testing::lock(&store.uploads).is_empty());
}

proptest! {
    #[test]
    fn no_upload_leaves_its_project_and_domain(
        filename in "([a/.%\\\\ ]|\\PC|\\p{Cc}){0,30}",
        filename_root in "([a/.%\\\\ ]|\\PC|\\p{Cc}){0,30}",
        project in prop_oneof![Just("open".to_owned()), "(open|[/.%]){0,4}"],
        domain in prop_oneof![Just("d".to_owned()), "([d/.%\\\\ ]|\\PC|\\p{Cc}){0,8}"],
        organization in "([o/.%]|\\PC){0,8}",
        md5 in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (service, store, _) = Parts::default().service();
        let within = format!("uploads/open/{domain}/");
        let ask = UploadAsk { filename, filename_root, project, domain, organization, content_md5: md5, ..ask() };
        if runtime.block_on(service.create_upload(&caller("eve"), ask)).is_ok() {
            let (key, _) = store.last_upload();
            prop_assert!(key.starts_with(&within), "{}", key);
            prop_assert!(within.split('/').count() == 4, "a domain is one part: {}", within);
            prop_assert!(key.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", key);
        }
    }
}
