//! Uploads in parts: for objects that are too large for one request, or too large to begin anew.

use std::time::Duration;

use async_trait::async_trait;

use crate::data::path::Key;
use crate::data::store::{SignedRequest, StoreError};

/// The most parts that an upload can have.
pub const MAX_PARTS: u16 = 10_000;

/// A store that takes uploads in parts. What is begun takes room until it is completed or aborted; a bucket's
/// lifecycle rule (`AbortIncompleteMultipartUpload`) ends what nobody does.
#[async_trait]
pub trait Multipart: Send + Sync {
    /// Begins an upload.
    async fn begin(&self, key: &Key) -> Result<UploadId, StoreError>;

    /// A request with which a client puts a part. The answer's `ETag` names it in [`Self::complete`]. A part may be
    /// put again.
    async fn sign_part(&self, key: &Key, upload: &UploadId, part: &PartTerms) -> Result<SignedRequest, StoreError>;

    /// Makes an object of the parts, in the order of their numbers from 1 on, each by its `ETag`. It replaces what is
    /// there.
    async fn complete(&self, key: &Key, upload: &UploadId, etags: &[String]) -> Result<(), StoreError>;

    /// Gives an upload up; its parts go.
    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<(), StoreError>;
}

/// The name of an upload in parts, as the store gave it. It means nothing with another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(String);

/// What a part is tied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTerms {
    /// Which part it is: from 1 to [`MAX_PARTS`].
    pub number: u16,
    /// How long the request can be used.
    pub expires_in: Duration,
    /// The MD5 digest of its bytes.
    pub content_md5: Option<[u8; 16]>,
    /// How many bytes it has, exactly.
    pub content_length: Option<u64>,
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
