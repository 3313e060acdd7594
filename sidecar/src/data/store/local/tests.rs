use std::os::unix::fs::symlink;
use std::path::Path;

use taskgate_core::key::{KeyId, Secret};
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;

fn settings(folder: &Path) -> LocalSettings {
    LocalSettings {
        name: StoreName::parse("main").expect("a name"),
        folder: folder.into(),
        public_url: "https://data.example.test".into(),
        audience: "test".into(),
        uri_base: None,
        max_object_bytes: 1000,
        keep_free_bytes: 0,
        durable: true,
    }
}

fn open(settings: LocalSettings) -> Result<LocalStore, StoreError> {
    let keys = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))]);
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_767_225_600_500)));
    LocalStore::open(settings, Arc::new(ArcSwap::from_pointee(keys)), clock)
}

fn store() -> (TempDir, LocalStore) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(settings(directory.path())).expect("opens");
    (directory, store)
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

async fn write(store: &LocalStore, name: &str, text: &'static str, mode: WriteMode) -> Result<(), StoreError> {
    store.write(&key(name), Bytes::from_static(text.as_bytes()), mode).await
}

fn count(directory: &Path) -> usize {
    std::fs::read_dir(directory).expect("lists").count()
}

#[tokio::test]
async fn objects_are_files_under_their_raw_keys() {
    let (directory, store) = store();
    for name in ["a/foo bar ü #1?%.txt", "======", "a/%2e%2e/x", "a/...", "staging/x", "a/\u{202e}b"] {
        write(&store, name, "hello", WriteMode::Create).await.expect("writes");
        assert_eq!(std::fs::read(directory.path().join("objects").join(name)).expect("reads"), b"hello");
        assert_eq!(store.read(&key(name), 5).await, Ok(Some("hello".into())));
        let object = store.head(&key(name)).await.expect("looks").expect("is there");
        assert_eq!((object.size, object.content_md5), (5, Some(Md5::digest(b"hello").into())));
        let uri = store.uri(&key(name));
        assert_eq!(uri, format!("taskgate://main/{name}"));
        assert_eq!(store.key(&uri), Some(key(name)));
    }
    assert_eq!(store.read(&key("======"), 4).await, Err(StoreError::TooLarge { size: 5, most: 4 }));
    assert_eq!(store.key("taskgate://other/a"), None);
    assert_eq!(store.key("taskgate://main/../a"), None);
    assert_eq!(count(&directory.path().join("staging")), 0);
    assert_eq!(store.head(&key("a")).await, Ok(None), "a folder is no object");
    assert_eq!(store.head(&key("nothing/here")).await, Ok(None));
    assert_eq!(store.head(&key("======/x")).await, Ok(None), "below an object");
}

#[tokio::test]
async fn what_is_there_is_replaced_or_stays() {
    let (_directory, store) = store();
    write(&store, "a/b", "1", WriteMode::Replace).await.expect("writes");
    assert_eq!(write(&store, "a/b", "2", WriteMode::Create).await, Err(StoreError::Exists));
    assert_eq!(store.read(&key("a/b"), 9).await, Ok(Some("1".into())));
    write(&store, "a/b", "3", WriteMode::Replace).await.expect("replaces");
    assert_eq!(store.read(&key("a/b"), 9).await, Ok(Some("3".into())));
    // Names that can't be had.
    for name in ["a", "a/b/c", "a/b/c/d"] {
        for mode in [WriteMode::Create, WriteMode::Replace] {
            let refused = write(&store, name, "4", mode).await;
            assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{name}: {refused:?}");
        }
    }
    assert_eq!(store.read(&key("a/b"), 9).await, Ok(Some("3".into())));
}

#[tokio::test]
async fn deleting_leaves_no_empty_folders_and_takes_no_others() {
    let (directory, store) = store();
    for name in ["a/b/c/d", "a/x"] {
        write(&store, name, "1", WriteMode::Create).await.expect("writes");
    }
    for name in ["a/b/c", "a/b/c/d/e", "a/b/c/d", "a/b/c/d", "nothing"] {
        store.delete(&key(name)).await.expect("deletes");
    }
    assert_eq!(count(&directory.path().join("objects/a")), 1);
    write(&store, "a/b", "where a folder was", WriteMode::Create).await.expect("writes");
    store.delete(&key("a/b")).await.expect("deletes");
    store.delete(&key("a/x")).await.expect("deletes");
    assert_eq!(count(&directory.path().join("objects")), 0);
}

#[tokio::test]
async fn no_link_leads_out() {
    let (directory, store) = store();
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("secret"), "secret").expect("writes");
    let objects = directory.path().join("objects");
    symlink(outside.path(), objects.join("folder")).expect("links");
    symlink(outside.path().join("secret"), objects.join("file")).expect("links");
    symlink("../../../../../../etc/passwd", objects.join("passwd")).expect("links");
    for name in ["folder/secret", "file", "passwd"] {
        assert_eq!(store.head(&key(name)).await, Ok(None), "{name}");
        assert_eq!(store.read(&key(name), 9000).await, Ok(None), "{name}");
    }
    let refused = write(&store, "folder/new", "1", WriteMode::Replace).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    store.delete(&key("folder/secret")).await.expect("does nothing");
    assert_eq!(write(&store, "file", "1", WriteMode::Create).await, Err(StoreError::Exists));
    // Replacing takes the link's place.
    write(&store, "file", "1", WriteMode::Replace).await.expect("writes");
    assert_eq!(store.read(&key("file"), 9).await, Ok(Some("1".into())));
    assert_eq!(std::fs::read(outside.path().join("secret")).expect("reads"), b"secret");
    assert_eq!(count(outside.path()), 1);
}

#[tokio::test]
async fn what_is_no_file_is_no_object() {
    let (directory, store) = store();
    let path = directory.path().join("objects/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("binds");
    assert_eq!(store.head(&key("socket")).await, Ok(None));
    assert_eq!(store.read(&key("socket"), 9).await, Ok(None));
}

#[test]
fn one_of_eight_creates() {
    let (directory, store) = store();
    for round in 0..30 {
        let key = key(&format!("race/{round}/object"));
        let won: Vec<usize> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8_usize)
                .map(|racer| {
                    let (store, key) = (&store, &key);
                    scope.spawn(move || {
                        let mut writing = store.begin(Expected::default()).expect("begins");
                        writing.push(&[u8::try_from(racer).expect("few"); 200]).expect("writes");
                        match writing.finish(key, WriteMode::Create) {
                            Ok(written) => Some((written.placed == Placed::Created).then_some(racer).expect("new")),
                            Err(LocalError::Exists) => None,
                            Err(error) => panic!("{error}"),
                        }
                    })
                })
                .collect();
            racers.into_iter().filter_map(|racer| racer.join().expect("ends")).collect()
        });
        let [winner] = won[..] else { panic!("round {round}: {won:?} created it") };
        let bytes = std::fs::read(directory.path().join(format!("objects/{key}"))).expect("reads");
        assert!(bytes.len() == 200 && bytes.iter().all(|byte| usize::from(*byte) == winner));
    }
    assert_eq!(count(&directory.path().join("staging")), 0);
}

#[test]
fn folders_that_come_and_go_are_no_failure() {
    let (directory, store) = store();
    std::thread::scope(|scope| {
        for racer in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let key = key(&format!("a/b/c/{racer}"));
                for _ in 0..50 {
                    let writing = store.begin(Expected::default()).expect("begins");
                    writing.finish(&key, WriteMode::Create).expect("creates");
                    store.folder.delete(&key).expect("deletes");
                }
            });
        }
    });
    assert_eq!(count(&directory.path().join("objects")), 0);
}

#[test]
fn only_what_was_promised_becomes_an_object() {
    let (directory, store) = store();
    let put = |expected: Expected, text: &[u8]| {
        let mut writing = store.begin(expected)?;
        writing.push(text)?;
        writing.finish(&key("a"), WriteMode::Replace)
    };
    let size = |size| Expected { size: Some(size), ..Expected::default() };
    assert!(matches!(put(size(4), b"hello"), Err(LocalError::Length { came: 5, promised: 4 })));
    assert!(matches!(put(size(6), b"hello"), Err(LocalError::Length { came: 5, promised: 6 })));
    assert!(matches!(put(size(1001), b"hello"), Err(LocalError::TooLarge { most: 1000 })));
    assert!(matches!(put(Expected::default(), &[0; 1001]), Err(LocalError::TooLarge { most: 1000 })));
    let other = Expected { md5: Some([0; 16]), ..Expected::default() };
    assert!(matches!(put(other, b"hello"), Err(LocalError::Digest("MD5"))));
    let other = Expected { sha256: Some([0; 32]), ..Expected::default() };
    assert!(matches!(put(other, b"hello"), Err(LocalError::Digest("SHA-256"))));
    assert_eq!(count(&directory.path().join("objects")), 0);
    assert_eq!(count(&directory.path().join("staging")), 0);

    let sha256 = *crate::digest::Digest::of(b"hello").as_bytes();
    let right = Expected {
        md5_metadata: true,
        size: Some(5),
        md5: Some(Md5::digest(b"hello").into()),
        sha256: Some(sha256),
        ..Expected::default()
    };
    let written = put(right.clone(), b"hello").expect("writes");
    let note = Note { sha256, md5: right.md5, md5_metadata: true };
    assert_eq!((written.placed, written.facts.note), (Placed::Created, Some(note)));
    let written = put(right, b"hello").expect("writes");
    assert_eq!(written.placed, Placed::Replaced);
    let opened = store.object(&key("a")).expect("looks").expect("is there");
    assert_eq!(opened.facts, written.facts);
}

#[test]
fn a_crash_leaves_only_what_is_collected() {
    let (directory, store) = store();
    let staging = directory.path().join("staging");
    std::fs::write(staging.join("orphan"), "of a crash").expect("writes");
    std::fs::create_dir(staging.join("folder")).expect("makes");
    let mut writing = store.begin(Expected::default()).expect("begins");
    writing.push(b"hello").expect("writes");
    assert_eq!(store.collect().expect("collects"), 1);
    assert!(!staging.join("orphan").exists());
    // Another process, or this one started anew, leaves alone what is being written.
    let second = open(settings(directory.path())).expect("opens");
    writing.finish(&key("a"), WriteMode::Create).expect("finishes");
    assert!(second.object(&key("a")).expect("looks").is_some());
    let abandoned = store.begin(Expected::default()).expect("begins");
    assert_eq!(count(&staging), 2);
    drop(abandoned);
    assert_eq!(count(&staging), 1);
}

#[tokio::test]
async fn the_disk_is_not_filled_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(LocalSettings { keep_free_bytes: u64::MAX, ..settings(directory.path()) }).expect("opens");
    let refused = write(&store, "a", "1", WriteMode::Create).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(matches!(store.begin(Expected::default()), Err(LocalError::NoRoom)));
    assert_eq!(count(&directory.path().join("staging")), 0);
}

#[tokio::test]
async fn what_is_signed_is_verified() {
    let (_directory, store) = store();
    let name = key("p/d/======/foo bar ü #1?%&+'.txt");
    let terms = UploadTerms {
        expires_in: Duration::from_secs(60),
        content_md5: Some([1; 16]),
        content_sha256: Some([2; 32]),
        content_length: Some(15),
        max_length: None,
        create_only: true,
        md5_metadata: true,
    };
    let signed = store.sign_upload(&name, &terms).await.expect("signs");
    assert_eq!(signed.expires_at, UnixTime::from_millis(1_767_225_660_000));
    let md5 = "AQEBAQEBAQEBAQEBAQEBAQ==";
    assert_eq!(
        signed.headers,
        [
            (META_HEADER, md5),
            ("Content-MD5", md5),
            ("Repr-Digest", "sha-256=:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=:")
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let url = signed.url.expose();
    let path = url.strip_prefix("https://data.example.test").expect("the public address");
    let head = "/v1/data/objects/main/p/d/======/foo%20bar%20%C3%BC%20%231%3F%25&+'.txt?tg-method=PUT&";
    assert!(path.starts_with(head), "{path}");
    let (verified, claims) = store.verify("PUT", path).expect("verifies");
    assert_eq!((verified, claims.size, claims.create_only), (name.clone(), Some(15), true));
    assert_eq!(store.verify("GET", path).map(|_| ()), Err(SignedUrlError::WrongMethod));

    let terms = DownloadTerms { expires_in: Duration::from_secs(60), ..DownloadTerms::default() };
    let signed = store.sign_download(&name, &terms).await.expect("signs");
    let path = signed.url.expose().strip_prefix("https://data.example.test").expect("the public address");
    assert_eq!(store.verify("HEAD", path).expect("verifies").0, name);
    assert!(!format!("{signed:?} {store:?}").contains("tg-"), "no query is shown");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("writes");
    let base = || settings(directory.path());
    for (settings, why) in [
        (LocalSettings { public_url: "https://a.test/below".into(), ..base() }, "no path"),
        (LocalSettings { public_url: "ftp://a.test".into(), ..base() }, "public URL"),
        (LocalSettings { uri_base: Some("file:///a".into()), ..base() }, "must end in `/`"),
        (LocalSettings { folder: file, ..base() }, "can't be used"),
    ] {
        let error = open(settings).expect_err("refused").to_string();
        assert!(error.contains(why) && error.contains("`main`"), "{error}");
    }
    for name in ["", "A", "a/b", "a.b", &"a".repeat(64)] {
        assert_eq!(StoreName::parse(name), Err(InvalidStoreName), "{name}");
    }
}
