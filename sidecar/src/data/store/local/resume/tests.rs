use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::time::UnixTime;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::data::path::Key;
use crate::data::store::local::{Expected, LocalSettings, StoreName};
use crate::data::store::{Store as _, UploadTerms};

const MINUTE: Duration = Duration::from_secs(60);

struct Place {
    directory: TempDir,
    clock: Arc<ManualClock>,
    store: LocalStore,
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

fn digest(text: &[u8]) -> Option<ChunkDigest> {
    let text = format!("sha256 {}", STANDARD.encode(crate::digest::Digest::of(text).as_bytes()));
    Some(ChunkDigest::parse(&text).expect("a digest"))
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_767_225_600_000)));
        let store = Self::open(&directory, &clock, 0);
        Self { directory, clock, store }
    }

    fn open(directory: &TempDir, clock: &Arc<ManualClock>, keep_free_bytes: u64) -> LocalStore {
        let settings = LocalSettings {
            name: StoreName::parse("main").expect("a name"),
            folder: directory.path().into(),
            public_url: "https://data.example.test".into(),
            audience: "test".into(),
            uri_base: None,
            max_object_bytes: 1 << 20,
            keep_free_bytes,
            durable: true,
        };
        let keys = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))]);
        let clock: Arc<ManualClock> = Arc::clone(clock);
        LocalStore::open(settings, Arc::new(ArcSwap::from_pointee(keys)), clock).expect("opens")
    }

    /// Another process with the same folder.
    fn another(&self) -> LocalStore {
        Self::open(&self.directory, &self.clock, 0)
    }

    fn restart(&mut self) {
        self.store = self.another();
    }

    async fn ticket(&self, name: &str, terms: UploadTerms) -> Ticket {
        let terms = UploadTerms { expires_in: MINUTE, ..terms };
        let signed = self.store.sign_resumable(&key(name), &terms).await.expect("signs");
        let path = signed.url.expose().strip_prefix("https://data.example.test").expect("the public address");
        self.store.verify_upload("PATCH", path).expect("verifies")
    }

    async fn created(&self, name: &str, length: u64) -> Ticket {
        let ticket = self.ticket(name, UploadTerms::default()).await;
        assert_eq!(self.store.create(&ticket, length).expect("creates").offset, 0);
        ticket
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path().join(folder)).expect("lists");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.directory.path().join("objects").join(name)).ok()
    }
}

impl LocalStore {
    fn free_turn(&self, ticket: &Ticket) -> Turn {
        self.try_turn(ticket).expect("nobody else")
    }

    fn create(&self, ticket: &Ticket, length: u64) -> Result<Progress, ResumeError> {
        self.create_upload(ticket, length, &self.free_turn(ticket))
    }

    fn progress(&self, ticket: &Ticket) -> Result<Progress, ResumeError> {
        self.upload_progress(ticket, &self.free_turn(ticket))
    }

    fn begin_at(&self, ticket: &Ticket, offset: u64, digest: Option<ChunkDigest>) -> Result<Resuming, ResumeError> {
        self.resume_upload(ticket, Chunk { offset, length: None, digest }, &self.free_turn(ticket))
    }

    /// One request.
    fn send(&self, ticket: &Ticket, offset: u64, text: &[u8]) -> Result<Progress, ResumeError> {
        let mut upload = self.begin_at(ticket, offset, None)?;
        upload.push(text)?;
        upload.end(true)
    }
}

#[tokio::test]
async fn bytes_come_bit_by_bit_and_outlast_the_process() {
    let mut place = Place::new();
    let terms = UploadTerms {
        content_md5: Some(Md5::digest(b"hello, world").into()),
        content_sha256: Some(*crate::digest::Digest::of(b"hello, world").as_bytes()),
        content_length: Some(12),
        md5_metadata: true,
        ..UploadTerms::default()
    };
    let ticket = place.ticket("p/d/a b", terms).await;
    assert!(matches!(place.store.progress(&ticket), Err(ResumeError::Missing)));
    assert!(matches!(place.store.send(&ticket, 0, b"hello"), Err(ResumeError::Missing)), "nobody created it");
    assert_eq!(place.store.create(&ticket, 12).expect("creates"), Progress { offset: 0, length: 12, object: None });
    assert_eq!(place.store.send(&ticket, 0, b"hello").expect("is taken").offset, 5);
    place.restart();
    assert_eq!(place.store.progress(&ticket).expect("is there").offset, 5);
    assert_eq!(place.store.create(&ticket, 12).expect("is found").offset, 5, "created again, nothing is lost");
    assert!(matches!(place.store.create(&ticket, 13), Err(ResumeError::Store(LocalError::Length { .. }))));
    assert_eq!(place.store.send(&ticket, 5, b"").expect("is taken").offset, 5);
    assert_eq!(place.store.send(&ticket, 5, b", ").expect("is taken").offset, 7);
    assert_eq!(place.bytes("p/d/a b"), None);
    let done = place.store.send(&ticket, 7, b"world").expect("is taken");
    assert_eq!(place.bytes("p/d/a b").as_deref(), Some(&b"hello, world"[..]));

    // It is an object like any other, whose upload is remembered with it.
    let put = place.store.begin(Expected { md5_metadata: true, ..ticket.expected().clone() });
    let mut put = put.expect("begins");
    put.push(b"hello, world").expect("writes");
    let put = put.finish(&key("p/d/another"), WriteMode::Create).expect("writes").facts;
    let facts = done.object.clone().expect("an object");
    assert_eq!((&facts.note, &facts.etag, facts.size), (&put.note, &put.etag, 12));
    place.restart();
    assert_eq!(place.store.progress(&ticket).expect("is known"), done);
    assert!(matches!(place.store.send(&ticket, 12, b""), Err(ResumeError::Done)));
    assert!(matches!(place.store.create(&ticket, 12), Err(ResumeError::Done)));
    assert!(matches!(place.store.discard_upload(&ticket, &place.store.free_turn(&ticket)), Err(ResumeError::Done)));
    assert!(place.bytes("p/d/a b").is_some(), "an object is not deleted by its upload");
    assert!(place.files("uploads").is_empty() && place.files("staging").is_empty());
    // Once the object is another one, nothing is known of that upload.
    place.store.write(&key("p/d/a b"), "1".into(), WriteMode::Replace).await.expect("writes");
    assert!(matches!(place.store.progress(&ticket), Err(ResumeError::Missing)));
}

#[tokio::test]
async fn what_came_of_a_request_that_broke_off_stays() {
    let place = Place::new();
    let ticket = place.created("a", 9).await;
    let mut upload = place.store.begin_at(&ticket, 0, None).expect("begins");
    upload.push(b"abc").expect("writes");
    assert_eq!(upload.end(false).expect("ends").offset, 3);
    let mut upload = place.store.begin_at(&ticket, 3, None).expect("begins");
    upload.push(b"def").expect("writes");
    drop(upload);
    assert_eq!(place.store.progress(&ticket).expect("is there").offset, 6);
    assert!(place.store.send(&ticket, 6, b"ghi").expect("is taken").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b"abcdefghi"[..]));
}

#[tokio::test]
async fn bytes_with_a_checksum_come_whole_or_not_at_all() {
    let mut place = Place::new();
    let ticket = place.created("a", 6).await;
    let begin = |store: &LocalStore, offset, text: &[u8], of: &[u8]| {
        let mut upload = store.begin_at(&ticket, offset, digest(of)).expect("begins");
        upload.push(text).expect("writes");
        upload
    };
    assert_eq!(begin(&place.store, 0, b"abc", b"abc").end(true).expect("is right").offset, 3);
    assert!(matches!(begin(&place.store, 3, b"xyz", b"def").end(true), Err(ResumeError::Checksum)));
    assert_eq!(begin(&place.store, 3, b"de", b"def").end(false).expect("ends").offset, 3);
    drop(begin(&place.store, 3, b"def", b"def"));
    assert_eq!(place.store.progress(&ticket).expect("is there").offset, 3);
    // A crash: nobody cleared away what was written without having been checked.
    let [file] = &place.files("uploads")[..] else { panic!("one file") };
    let opened = std::fs::OpenOptions::new().append(true).open(file).expect("opens");
    let state = State::read(&opened).expect("is noted");
    State { doubtful_from: Some(3), ..state }.write(&opened).expect("writes");
    std::io::Write::write_all(&mut &opened, b"xyz").expect("writes");
    drop(opened);
    place.restart();
    assert_eq!(place.store.progress(&ticket).expect("is there").offset, 3);
    assert!(begin(&place.store, 3, b"def", b"def").end(true).expect("is right").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b"abcdef"[..]));
}

#[tokio::test]
async fn bytes_follow_those_that_are_there() {
    let place = Place::new();
    let ticket = place.created("a", 5).await;
    place.store.send(&ticket, 0, b"he").expect("is taken");
    for offset in [0, 1, 3, 5, u64::MAX] {
        let refused = place.store.send(&ticket, offset, b"x");
        assert!(matches!(refused, Err(ResumeError::Offset { offset: 2 })), "{offset}: {refused:?}");
    }
    // More than was promised is a mistake of the client's: nothing of it stays.
    let mut upload = place.store.begin_at(&ticket, 2, None).expect("begins");
    upload.push(b"llo").expect("writes");
    assert!(matches!(upload.push(b"!"), Err(LocalError::Length { came: 6, promised: 5 })));
    drop(upload);
    let chunk = Chunk { offset: 2, length: Some(4), digest: None };
    let refused = place.store.resume_upload(&ticket, chunk, &place.store.free_turn(&ticket));
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::Length { came: 6, promised: 5 }))));
    assert_eq!(place.store.progress(&ticket).expect("is there").offset, 2);
    assert!(matches!(place.store.create(&ticket, 6), Err(ResumeError::Length { length: 5 })));

    let large = place.ticket("b", UploadTerms::default()).await;
    let refused = place.store.create(&large, (1 << 20) + 1);
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::TooLarge { most: 1_048_576 }))));
    let bound = place.ticket("b", UploadTerms { max_length: Some(7), ..UploadTerms::default() }).await;
    let refused = place.store.create(&bound, 8);
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::TooLarge { most: 7 }))));
    assert_eq!(place.files("uploads").len(), 1);
}

#[tokio::test]
async fn an_empty_object_is_there_at_once() {
    let place = Place::new();
    let ticket = place.ticket("a", UploadTerms::default()).await;
    assert!(place.store.create(&ticket, 0).expect("creates").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn what_was_not_promised_becomes_no_object_and_takes_no_room() {
    let place = Place::new();
    for terms in [
        UploadTerms { content_md5: Some([7; 16]), ..UploadTerms::default() },
        UploadTerms { content_sha256: Some([7; 32]), ..UploadTerms::default() },
    ] {
        let ticket = place.ticket("a", terms).await;
        place.store.create(&ticket, 5).expect("creates");
        let refused = place.store.send(&ticket, 0, b"hello");
        assert!(matches!(refused, Err(ResumeError::Store(LocalError::Digest(_)))), "{refused:?}");
        assert!(matches!(place.store.progress(&ticket), Err(ResumeError::Missing)));
    }
    let create = || UploadTerms { create_only: true, ..UploadTerms::default() };
    let (first, second) = (place.ticket("a", create()).await, place.ticket("a", create()).await);
    place.store.create(&first, 1).expect("creates");
    place.store.create(&second, 1).expect("creates");
    assert!(place.store.send(&second, 0, b"2").expect("is taken").object.is_some());
    let refused = place.store.send(&first, 0, b"1");
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::Exists))), "{refused:?}");
    let late = place.ticket("a", create()).await;
    assert!(matches!(place.store.create(&late, 1), Err(ResumeError::Store(LocalError::Exists))));
    let below = place.created("a/b", 1).await;
    let refused = place.store.send(&below, 0, b"1");
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::Taken))), "{refused:?}");
    assert_eq!(place.bytes("a").as_deref(), Some(&b"2"[..]));
    assert!(place.files("uploads").is_empty() && place.files("staging").is_empty());
}

#[tokio::test]
async fn one_process_writes_at_a_time() {
    let place = Place::new();
    let other = place.another();
    let ticket = place.created("a", 2).await;
    let mut upload = place.store.begin_at(&ticket, 0, None).expect("begins");
    assert!(place.store.try_turn(&ticket).is_none());
    for refused in [other.send(&ticket, 0, b"x"), other.progress(&ticket), other.create(&ticket, 2)] {
        assert!(matches!(refused, Err(ResumeError::Busy)), "{refused:?}");
    }
    upload.push(b"1").expect("writes");
    upload.end(true).expect("ends");
    assert!(other.send(&ticket, 1, b"2").expect("is taken").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b"12"[..]));
    // This one had the file open when the other made an object of it.
    assert!(matches!(place.store.send(&ticket, 2, b""), Err(ResumeError::Done)));
}

#[tokio::test]
async fn what_is_remembered_is_of_this_upload() {
    let place = Place::new();
    let other = place.another();
    let ticket = place.created("a", 6).await;
    place.store.send(&ticket, 0, b"abc").expect("is taken");
    // Given up and begun anew, where this process does not see it.
    other.discard_upload(&ticket, &other.free_turn(&ticket)).expect("is there");
    assert!(matches!(place.store.progress(&ticket), Err(ResumeError::Missing)));
    other.create(&ticket, 6).expect("creates");
    other.send(&ticket, 0, b"xyz").expect("is taken");
    let facts = place.store.send(&ticket, 3, b"def").expect("is taken").object.expect("an object");
    assert_eq!(facts.note.expect("digests").sha256, *crate::digest::Digest::of(b"xyzdef").as_bytes());
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let mut place = Place::new();
    let ticket = place.created("a", 5).await;
    place.store.send(&ticket, 0, b"he").expect("is taken");
    let full = Place::open(&place.directory, &place.clock, u64::MAX);
    let refused = full.send(&ticket, 2, b"llo");
    assert!(matches!(refused, Err(ResumeError::Store(LocalError::NoRoom))), "{refused:?}");
    let another = place.ticket("b", UploadTerms::default()).await;
    assert!(matches!(full.create(&another, 1), Err(ResumeError::Store(LocalError::NoRoom))));
    assert_eq!(full.progress(&ticket).expect("is there").offset, 2);
    place.restart();
    assert!(place.store.send(&ticket, 2, b"llo").expect("is taken").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b"hello"[..]));
}

#[tokio::test]
async fn all_that_is_missing_may_be_the_key() {
    let place = Place::new();
    let ticket = place.created("a", 2).await;
    // A crash between the last byte and the key.
    let [file] = &place.files("uploads")[..] else { panic!("one file") };
    std::fs::write(file, b"hi").expect("writes");
    assert!(place.store.progress(&ticket).expect("is there").object.is_some());
    assert_eq!(place.bytes("a").as_deref(), Some(&b"hi"[..]));
}

#[tokio::test]
async fn what_nobody_may_resume_is_cleared_away() {
    let place = Place::new();
    let (left, going) = (place.created("a", 5).await, place.created("b", 5).await);
    place.store.send(&left, 0, b"he").expect("is taken");
    let upload = place.store.begin_at(&going, 0, None).expect("begins");
    std::fs::create_dir(place.directory.path().join("uploads/folder")).expect("makes");
    std::fs::write(place.directory.path().join("uploads/stray"), "").expect("writes");
    place.clock.advance(MINUTE + Duration::from_secs(599));
    assert_eq!(place.another().collect().expect("collects"), 0, "opening took what was no upload");
    assert_eq!(place.store.progress(&left).expect("is there").offset, 2);
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(place.store.collect().expect("collects"), 1);
    assert!(matches!(place.store.progress(&left), Err(ResumeError::Missing)));
    drop(upload);
    assert_eq!(place.store.collect().expect("collects"), 1);
    assert_eq!(place.files("uploads").len(), 1, "what somebody put there stays");
}

#[tokio::test]
async fn no_planted_link_is_followed() {
    let place = Place::new();
    let ticket = place.ticket("a", UploadTerms::default()).await;
    let outside = place.directory.path().join("outside");
    std::fs::write(&outside, "outside").expect("writes");
    let planted = place.directory.path().join("uploads").join(ticket.id.name());
    std::os::unix::fs::symlink(&outside, planted).expect("links");
    assert!(matches!(place.store.progress(&ticket), Err(ResumeError::Missing)));
    assert!(matches!(place.store.create(&ticket, 9), Err(ResumeError::Busy)));
    assert_eq!(std::fs::read(&outside).expect("reads"), b"outside");
}

/// What a client does, or what becomes of it.
#[derive(Clone, Debug)]
enum Act {
    /// A request with so many bytes, of which so many come.
    Send { bytes: usize, come: usize, with_digest: bool },
    /// The process is another one.
    Restart,
    /// The upload is created again.
    Create,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_usize..40, 0_usize..60, any::<bool>())
            .prop_map(|(bytes, come, with_digest)| Act::Send { bytes, come: come.min(bytes), with_digest }),
        1 => Just(Act::Restart),
        1 => Just(Act::Create),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_it_comes_it_is_the_same_object(
        content in prop::collection::vec(any::<u8>(), 0..100),
        acts in prop::collection::vec(act(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut place = Place::new();
        let terms = UploadTerms {
            content_md5: Some(Md5::digest(&content).into()),
            content_sha256: Some(*crate::digest::Digest::of(&content).as_bytes()),
            ..UploadTerms::default()
        };
        let ticket = runtime.block_on(place.ticket("a", terms));
        let mut progress = place.store.create(&ticket, content.len() as u64).expect("creates");
        for act in acts {
            let offset = usize::try_from(progress.offset).expect("few");
            match act {
                _ if progress.object.is_some() => break,
                Act::Restart => place.restart(),
                Act::Create => {
                    prop_assert_eq!(place.store.create(&ticket, content.len() as u64).expect("is found"), progress.clone());
                }
                Act::Send { bytes, come, with_digest } => {
                    let bytes = &content[offset..(offset + bytes).min(content.len())];
                    let come = come.min(bytes.len());
                    let digest = if with_digest { digest(bytes) } else { None };
                    let mut upload = place.store.begin_at(&ticket, progress.offset, digest).expect("begins");
                    bytes[..come].chunks(7).try_for_each(|bytes| upload.push(bytes)).expect("writes");
                    progress = upload.end(come == bytes.len()).expect("ends");
                    let stays = if with_digest && come < bytes.len() { 0 } else { come };
                    prop_assert_eq!(progress.offset, (offset + stays) as u64);
                }
            }
            prop_assert_eq!(&place.store.progress(&ticket).expect("is there"), &progress);
        }
        let offset = usize::try_from(progress.offset).expect("few");
        if progress.object.is_none() {
            prop_assert!(place.bytes("a").is_none());
            progress = place.store.send(&ticket, progress.offset, &content[offset..]).expect("is taken");
        }
        prop_assert!(progress.object.is_some());
        prop_assert_eq!(place.bytes("a"), Some(content));
        prop_assert!(place.files("uploads").is_empty());
    }
}
