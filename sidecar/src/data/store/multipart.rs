//! Uploads in parts: for objects that are too large for one request, or too large to begin anew.

use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::time::UnixTime;

use crate::data::path::{Key, Segments};
use crate::data::store::{SignedRequest, StoreError, WriteMode};

/// The most parts that an upload can have.
pub const MAX_PARTS: u16 = 10_000;
/// The most bytes of a part: what Azure takes. Amazon and Google take 5 GiB.
pub const MAX_PART: u64 = 4_000 << 20;

/// A store that takes uploads in parts. What is begun takes room until it is completed or aborted.
#[async_trait]
pub trait Multipart: Send + Sync {
    /// Begins an upload. The digest becomes metadata of the object; nothing looks whether it is right.
    async fn begin(&self, key: &Key, content_md5: Option<[u8; 16]>) -> Result<UploadId, StoreError>;

    /// A request with which a client puts a part. A part may be put again.
    async fn sign_part(&self, key: &Key, upload: &UploadId, part: &PartTerms) -> Result<SignedRequest, StoreError>;

    /// The parts that are there, by their numbers. [`StoreError::NoUpload`] where the store knows of no such upload;
    /// one that counts parts alone says that there are none.
    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>, StoreError>;

    /// Makes an object of the parts, and of no others that may be there.
    ///
    /// [`WriteMode::Create`] is [`StoreError::Exists`] where there is an object. Amazon and Azure look and write at
    /// once; Google's service and Ceph's gateway do not, so that one that comes after a look is replaced.
    async fn complete(&self, key: &Key, upload: &UploadId, completion: &Completion<'_>) -> Result<(), StoreError>;

    /// Gives an upload up; its parts go, where the store does not let them go by themselves.
    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<(), StoreError>;

    /// Uploads of keys under these segments that were begun before then and not ended, some thousands at most.
    async fn unfinished(&self, under: &Segments, before: UnixTime) -> Result<Vec<(Key, UploadId)>, StoreError>;
}

/// The name of an upload in parts, as the store gave it. It means nothing with another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(String);

/// What a part is tied to, as far as the store can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTerms {
    /// Which part it is: from 1 to [`MAX_PARTS`].
    pub number: u16,
    /// How long the request can be used.
    pub expires_in: Duration,
    /// The MD5 digest of its bytes.
    pub content_md5: Option<[u8; 16]>,
    /// How many bytes it has, exactly. Only S3 looks.
    pub content_length: Option<u64>,
}

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which part it is.
    pub number: u16,
    /// How many bytes it has.
    pub size: u64,
    /// What the store calls these bytes, where it tells.
    pub etag: Option<String>,
}

/// What an upload is completed with.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// What each part's answer had as its `ETag`, from the first part on; empty where the store has none.
    pub etags: &'a [String],
    /// Whether it may replace an object.
    pub mode: WriteMode,
    /// The digest that the upload was begun with.
    pub content_md5: Option<[u8; 16]>,
}

impl UploadId {
    /// Takes a name; a client may have written it, and only the store knows whether there is such an upload.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartTerms {
    /// The number, where a part can have it.
    pub(crate) fn checked_number(&self) -> Result<u16, StoreError> {
        if (1..=MAX_PARTS).contains(&self.number) {
            Ok(self.number)
        } else {
            Err(StoreError::Unsupported("take a part with such a number"))
        }
    }
}
