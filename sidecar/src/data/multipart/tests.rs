//! What the service makes of uploads in parts. The store is as strict as S3 is: an upload belongs to its key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use taskgate_core::time::UnixTime;

use super::*;
use crate::data::path::Segments;
use crate::data::placement::{Placement, PlacementRule};
use crate::data::settings::DataSettings;
use crate::data::store::{DownloadTerms, Object, Store, UploadTerms};
use crate::data::testing::{MemoryStore, Parts, caller, lock};

const MIB: u64 = 1 << 20;
const MD5: [u8; 16] = *b"0123456789abcdef";
const KEY: &str = "uploads/p/d/root/a b.bin";

/// A bucket in memory that takes uploads in parts.
#[derive(Debug)]
struct PartsStore {
    memory: Arc<MemoryStore>,
    uploads: Mutex<BTreeMap<String, Upload>>,
    signed: Mutex<Vec<PartTerms>>,
    /// What happens at the last moment before an upload is completed.
    meanwhile: Mutex<Meanwhile>,
}

#[derive(Clone, Debug)]
struct Upload {
    key: Key,
    md5: Option<[u8; 16]>,
    begun: UnixTime,
    sizes: BTreeMap<u16, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// Somebody else writes the object.
    Written,
    /// The last part is put again, and is longer.
    Grown,
}

#[async_trait]
impl Store for PartsStore {
    fn uri(&self, key: &Key) -> String {
        self.memory.uri(key)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        self.memory.key(uri)
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.memory.head(key).await
    }

    async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError> {
        self.memory.read(key, most).await
    }

    async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        self.memory.write(key, bytes, mode).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.memory.delete(key).await
    }

    async fn sign_upload(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        self.memory.sign_upload(key, terms).await
    }

    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        self.memory.sign_download(key, terms).await
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }
}

#[async_trait]
impl Multipart for PartsStore {
    async fn begin(&self, key: &Key, md5: Option<[u8; 16]>) -> Result<UploadId, StoreError> {
        let mut uploads = lock(&self.uploads);
        let id = format!("u{}", uploads.len());
        let begun = UnixTime::from_millis(0);
        uploads.insert(id.clone(), Upload { key: key.clone(), md5, begun, sizes: BTreeMap::new() });
        Ok(UploadId::new(id))
    }

    async fn sign_part(&self, key: &Key, _upload: &UploadId, part: &PartTerms) -> Result<SignedRequest, StoreError> {
        lock(&self.signed).push(part.clone());
        self.memory.sign_upload(key, &UploadTerms::default()).await
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>, StoreError> {
        let sizes = self.upload(key, upload)?.sizes.into_iter();
        Ok(sizes.map(|(number, size)| Part { number, size, etag: Some(format!("\"{number}-{size}\"")) }).collect())
    }

    async fn complete(&self, key: &Key, upload: &UploadId, completion: &Completion<'_>) -> Result<(), StoreError> {
        let Upload { md5, mut sizes, .. } = self.upload(key, upload)?;
        match *lock(&self.meanwhile) {
            Meanwhile::Nothing => {}
            Meanwhile::Written => self.memory.put(key.as_str(), b"other", None),
            Meanwhile::Grown => *sizes.values_mut().last().expect("a part") += 1,
        }
        let mut objects = lock(&self.memory.objects);
        if completion.mode == WriteMode::Create && objects.contains_key(key.as_str()) {
            return Err(StoreError::Exists);
        }
        assert_eq!(completion.etags.len(), sizes.len());
        let size = usize::try_from(sizes.values().sum::<u64>()).expect("a size");
        objects.insert(key.as_str().to_owned(), (Bytes::from(vec![0; size]), md5));
        lock(&self.uploads).remove(upload.as_str());
        Ok(())
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<(), StoreError> {
        self.upload(key, upload)?;
        lock(&self.uploads).remove(upload.as_str());
        Ok(())
    }

    async fn unfinished(&self, under: &Segments, before: UnixTime) -> Result<Vec<(Key, UploadId)>, StoreError> {
        let uploads = lock(&self.uploads);
        let old = uploads.iter().filter(|(_, upload)| upload.begun < before && upload.key.under(under).is_some());
        Ok(old.map(|(id, upload)| (upload.key.clone(), UploadId::new(id.clone()))).collect())
    }
}

impl PartsStore {
    fn upload(&self, key: &Key, upload: &UploadId) -> Result<Upload, StoreError> {
        let uploads = lock(&self.uploads);
        uploads.get(upload.as_str()).filter(|upload| upload.key == *key).cloned().ok_or(StoreError::NoUpload)
    }

    fn put(&self, upload: &str, number: u16, size: u64) {
        lock(&self.uploads).get_mut(upload).expect("an upload").sizes.insert(number, size);
    }
}

/// A service whose only store takes uploads in parts.
fn stage(settings: DataSettings) -> (DataService, Arc<PartsStore>) {
    let (mut service, memory, _) = Parts { settings, ..Parts::default() }.service();
    let store = Arc::new(PartsStore {
        memory,
        uploads: Mutex::default(),
        signed: Mutex::default(),
        meanwhile: Mutex::new(Meanwhile::Nothing),
    });
    let stores: BTreeMap<String, Arc<dyn Store>> = [("main".to_owned(), Arc::clone(&store) as Arc<dyn Store>)].into();
    let rule = PlacementRule { project: None, domain: None, store: "main".into() };
    service.placement = Placement::new(stores, vec![rule]).expect("stores");
    (service, store)
}

/// Twenty mebibytes: three parts.
fn file() -> MultipartAsk {
    MultipartAsk {
        project: "p".into(),
        domain: "d".into(),
        filename: "a b.bin".into(),
        filename_root: "root".into(),
        content_length: 20 * MIB,
        content_md5: Some(MD5),
        ..MultipartAsk::default()
    }
}

/// An upload whose parts are all there.
async fn whole(service: &DataService, store: &PartsStore, ask: &MultipartAsk) -> String {
    let begun = service.begin_multipart(&caller("ann"), ask).await.expect("begun");
    for number in 1..=begun.plan.parts() {
        store.put(begun.id.as_str(), number, begun.plan.length(number).expect("a part"));
    }
    begun.id.as_str().to_owned()
}

fn tags(tags: &[(u16, &str)]) -> Vec<PartTag> {
    tags.iter().map(|(number, etag)| PartTag { number: *number, etag: (*etag).to_owned() }).collect()
}

fn is_invalid<T: std::fmt::Debug>(result: Result<T, DataError>, part: &str) {
    match result {
        Err(DataError::Invalid(text)) => assert!(text.contains(part), "{part} is not in {text}"),
        other => panic!("{part}: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_put_in_parts_and_completed() {
    let (service, store) = stage(DataSettings::default());
    let (ann, ask) = (caller("ann"), file());
    let begun = service.begin_multipart(&ann, &ask).await.expect("begun");
    assert_eq!(begun.native_url, "s3://main/uploads/p/d/root/a b.bin");
    assert_eq!((begun.plan.part_size(), begun.plan.parts()), (8 * MIB, 3));
    assert_eq!(begun.kept, Duration::from_secs(86_400));
    let id = begun.id.as_str();

    let parts = [PartAsk { number: 3, content_md5: Some([7; 16]) }, PartAsk { number: 1, content_md5: None }];
    let in_a_minute = Some(SignedDuration { seconds: 60, nanos: 0 });
    let signed = service.sign_parts(&ann, &ask, id, &parts, in_a_minute).await.expect("signed");
    assert_eq!(signed.iter().map(|part| part.number).collect::<Vec<_>>(), [3, 1]);
    let terms = |number, content_md5, length| PartTerms {
        number,
        expires_in: Duration::from_secs(60),
        content_md5,
        content_length: Some(length),
    };
    assert_eq!(*lock(&store.signed), [terms(3, Some([7; 16]), 4 * MIB), terms(1, None, 8 * MIB)]);

    assert_eq!(service.list_parts(&ann, &ask, id).await.expect("a list"), []);
    is_missing(&service.complete_multipart(&ann, &ask, id, None).await);
    for (number, size) in [(1, 8 * MIB), (3, 4 * MIB)] {
        store.put(id, number, size);
    }
    let there = service.list_parts(&ann, &ask, id).await.expect("a list");
    assert_eq!(there.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(), [(1, 8 * MIB), (3, 4 * MIB)]);
    is_invalid(service.complete_multipart(&ann, &ask, id, None).await, "part 2 is missing");
    store.put(id, 2, 8 * MIB - 1);
    is_invalid(service.complete_multipart(&ann, &ask, id, None).await, "part 2 has 8388607 bytes, not 8388608");
    store.put(id, 2, 8 * MIB);
    assert_eq!(store.memory.get(KEY), None);
    let native_url = service.complete_multipart(&ann, &ask, id, None).await.expect("completed");
    assert_eq!(native_url, begun.native_url);
    let object = store.head(&Key::parse(KEY).expect("a key")).await.expect("looked").expect("an object");
    assert_eq!((object.size, object.content_md5), (20 * MIB, Some(MD5)));
}

fn is_missing<T: std::fmt::Debug>(result: &Result<T, DataError>) {
    assert!(matches!(result, Err(DataError::NotFound(_))), "{result:?}");
}

#[tokio::test]
async fn what_the_client_says_it_put_must_be_there() {
    let (service, store) = stage(DataSettings::default());
    let (ann, ask) = (caller("ann"), file());
    let id = whole(&service, &store, &ask).await;
    let (one, two, three) = ((1, "\"1-8388608\""), (2, "2-8388608"), (3, ""));
    for (etags, part) in [
        (vec![], "etags has not each of the 3 parts once"),
        (vec![one, two], "etags has not each of the 3 parts once"),
        (vec![one, two, two, three], "etags has not each of the 3 parts once"),
        (vec![one, two, two], "etags has not each of the 3 parts once"),
        (vec![one, two, (4, "")], "part 3 is not in etags"),
        (vec![one, (2, "\"2-1\""), three], "part 2 is another one than etags says"),
        (vec![one, (2, &"x".repeat(300)), three], "part 2 is not in etags, or its ETag is too long"),
    ] {
        is_invalid(service.complete_multipart(&ann, &ask, &id, Some(&tags(&etags))).await, part);
    }
    assert_eq!(store.memory.get(KEY), None);
    service.complete_multipart(&ann, &ask, &id, Some(&tags(&[three, one, two]))).await.expect("completed");
}

#[tokio::test]
async fn only_who_may_write_has_parts_of_any_kind() {
    let (service, store) = stage(DataSettings::default());
    let id = whole(&service, &store, &file()).await;
    let part = [PartAsk { number: 1, content_md5: None }];
    let elsewhere = MultipartAsk { project: "q".into(), ..file() };
    for (user, ask, status) in [("bob", file(), "denied"), ("eve", file(), "missing"), ("ann", elsewhere, "missing")] {
        let user = caller(user);
        for result in [
            service.begin_multipart(&user, &ask).await.map(|_| ()),
            service.sign_parts(&user, &ask, &id, &part, None).await.map(|_| ()),
            service.list_parts(&user, &ask, &id).await.map(|_| ()),
            service.complete_multipart(&user, &ask, &id, None).await.map(|_| ()),
            service.abort_multipart(&user, &ask, &id).await,
        ] {
            match status {
                "denied" => assert!(matches!(result, Err(DataError::Denied(_))), "{result:?}"),
                _ => is_missing(&result),
            }
        }
    }
    assert!(lock(&store.signed).is_empty() && store.memory.get(KEY).is_none());
    assert_eq!(lock(&store.uploads).len(), 1);
}

#[tokio::test]
async fn the_name_of_an_upload_leads_to_no_other_key() {
    let (service, store) = stage(DataSettings::default());
    let ann = caller("ann");
    let id = whole(&service, &store, &file()).await;
    let other = MultipartAsk { filename: "b.bin".into(), ..file() };
    is_missing(&service.list_parts(&ann, &other, &id).await);
    is_missing(&service.complete_multipart(&ann, &other, &id, None).await);
    is_missing(&service.abort_multipart(&ann, &other, &id).await);
    assert!(lock(&store.memory.objects).is_empty());
    for id in ["", "a\nb", &"x".repeat(1025)] {
        is_invalid(service.abort_multipart(&ann, &file(), id).await, "upload_id");
    }
    service.abort_multipart(&ann, &file(), &id).await.expect("given up");
    is_missing(&service.complete_multipart(&ann, &file(), &id, None).await);
}

#[tokio::test]
async fn what_can_not_be_is_refused() {
    let (service, store) = stage(DataSettings::default());
    let ann = caller("ann");
    for (ask, part) in [
        (MultipartAsk { filename: String::new(), ..file() }, "filename_root and filename"),
        (MultipartAsk { filename_root: String::new(), ..file() }, "filename_root and filename"),
        (MultipartAsk { content_length: 0, ..file() }, "can't be put in parts"),
        (
            MultipartAsk { content_length: 100 * MIB + 1, ..file() },
            "content_length (104857601 bytes) exceeds maximum allowed size of 104857600 bytes",
        ),
        (MultipartAsk { filename: "../x".into(), ..file() }, "filename"),
        (MultipartAsk { filename_root: "offloaded-inputs".into(), ..file() }, "kept for the inputs of runs"),
        (MultipartAsk { project: "a/b".into(), ..file() }, "project"),
    ] {
        is_invalid(service.begin_multipart(&ann, &ask).await, part);
    }
    assert!(lock(&store.uploads).is_empty());
    let part = |number| PartAsk { number, content_md5: None };
    let many: Vec<PartAsk> = (1..=101).map(part).collect();
    let expires = |seconds| Some(SignedDuration { seconds, nanos: 0 });
    for (parts, expires_in, text) in [
        (&many[..0], None, "1 to 100 parts"),
        (&many[..], None, "1 to 100 parts"),
        (&[part(1), part(4)], None, "there is no part 4; parts are 1 to 3"),
        (&[part(0)], None, "there is no part 0"),
        (&[part(1)], expires(3601), "expires_in (1h0m1s) exceeds"),
        (&[part(1)], expires(-1), "expires_in (-1s) is invalid"),
    ] {
        is_invalid(service.sign_parts(&ann, &file(), "u", parts, expires_in).await, text);
    }
    assert!(lock(&store.signed).is_empty());
    let (other, ..) = Parts::default().service();
    is_invalid(other.begin_multipart(&ann, &file()).await, "`resumable`");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let (service, store) = stage(DataSettings::default());
    let (ann, ask) = (caller("ann"), file());
    let id = whole(&service, &store, &ask).await;
    let late = whole(&service, &store, &ask).await;
    *lock(&store.meanwhile) = Meanwhile::Written;
    let lost = service.complete_multipart(&ann, &ask, &id, None).await;
    assert!(matches!(lost, Err(DataError::Exists(_))), "{lost:?}");
    assert_eq!(store.memory.get(KEY).as_deref(), Some(&b"other"[..]));
    for result in [
        service.begin_multipart(&ann, &ask).await.map(|_| ()),
        service.sign_parts(&ann, &ask, &id, &[PartAsk { number: 1, content_md5: None }], None).await.map(|_| ()),
        service.complete_multipart(&ann, &ask, &late, None).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(DataError::Exists(_))), "{result:?}");
    }
    assert_eq!(store.memory.get(KEY).as_deref(), Some(&b"other"[..]));

    // Without it the last one wins.
    let mut settings = DataSettings::default();
    settings.upload.create_only = false;
    let (service, store) = stage(settings);
    let id = whole(&service, &store, &ask).await;
    *lock(&store.meanwhile) = Meanwhile::Written;
    service.complete_multipart(&ann, &ask, &id, None).await.expect("completed");
}

#[tokio::test]
async fn who_did_not_see_the_answer_may_complete_again() {
    let (service, store) = stage(DataSettings::default());
    let (ann, ask) = (caller("ann"), file());
    let id = whole(&service, &store, &ask).await;
    let first = service.complete_multipart(&ann, &ask, &id, None).await.expect("completed");
    assert_eq!(service.complete_multipart(&ann, &ask, &id, None).await.expect("again"), first);
    // Another file of the same name is another file.
    let longer = MultipartAsk { content_length: 20 * MIB + 1, ..file() };
    let result = service.complete_multipart(&ann, &longer, &id, None).await;
    assert!(matches!(&result, Err(DataError::Exists(text)) if text.contains("size mismatch")), "{result:?}");
    let nameless = MultipartAsk { content_md5: None, ..file() };
    let result = service.complete_multipart(&ann, &nameless, &id, None).await;
    assert!(matches!(result, Err(DataError::Exists(_))), "{result:?}");
}

#[tokio::test]
async fn what_only_claims_a_digest_replaces_nothing() {
    let (service, store) = stage(DataSettings::default());
    let (ann, ask) = (caller("ann"), file());
    let first = whole(&service, &store, &ask).await;
    service.complete_multipart(&ann, &ask, &first, None).await.expect("completed");
    // Nobody looks whether parts have the digest that was said.
    store.memory.put(KEY, b"", Some(MD5));
    let same_size = lock(&store.memory.objects).get(KEY).cloned();
    let again = whole(&service, &store, &ask).await;
    let result = service.complete_multipart(&ann, &ask, &again, None).await;
    assert!(matches!(&result, Err(DataError::Exists(_))), "{result:?}");
    assert_eq!(lock(&store.memory.objects).get(KEY).cloned().map(|kept| kept.0), same_size.map(|kept| kept.0));
}

#[tokio::test]
async fn an_object_of_another_size_is_no_success() {
    let (service, store) = stage(DataSettings::default());
    let id = whole(&service, &store, &file()).await;
    *lock(&store.meanwhile) = Meanwhile::Grown;
    let result = service.complete_multipart(&caller("ann"), &file(), &id, None).await;
    is_invalid(result, "the object has 20971521 bytes, not 20971520");
}

#[tokio::test]
async fn what_nobody_ended_is_given_up() {
    let (service, store) = stage(DataSettings::default());
    let (old, young) = (whole(&service, &store, &file()).await, whole(&service, &store, &file()).await);
    let foreign = store.begin(&Key::parse("elsewhere/x").expect("a key"), None).await.expect("begun");
    lock(&store.uploads).get_mut(&young).expect("an upload").begun = UnixTime::from_millis(3_600_000);
    let day = Duration::from_secs(86_400);
    assert_eq!(service.collect_orphans(UnixTime::from_millis(0).after(day)).await, 0);
    assert_eq!(service.collect_orphans(UnixTime::from_millis(1).after(day)).await, 1);
    let left: Vec<String> = lock(&store.uploads).keys().cloned().collect();
    assert!(!left.contains(&old) && left.contains(&young) && left.contains(&foreign.as_str().to_owned()), "{left:?}");

    let mut settings = DataSettings::default();
    settings.upload.storage_prefix = None;
    let (service, store) = stage(settings);
    whole(&service, &store, &file()).await;
    assert_eq!(service.collect_orphans(UnixTime::from_millis(u64::MAX)).await, 0, "nothing says that they are ours");
    let (service, ..) = Parts::default().service();
    assert_eq!(service.collect_orphans(UnixTime::from_millis(u64::MAX)).await, 0, "there are no parts");
}
