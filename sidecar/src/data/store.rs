//! Object stores: where data are, and what signs URLs for them.
//!
//! A [`Store`] is one bucket, container or folder. Clients put and get large objects themselves, with URLs that
//! [`Store::sign_upload`] and [`Store::sign_download`] make; the sidecar reads and writes only small ones.

mod azure;
pub mod credential;
mod download;
pub mod endpoint;
mod gcs;
pub mod local;
pub mod multipart;
mod object;
mod place;
pub(crate) mod refusal;
mod s3;
mod sign;
#[cfg(test)]
mod testing;
mod upload;
mod xml;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::data::path::Key;
use crate::data::store::multipart::Multipart;
use crate::secret::SecretText;

pub use azure::{AzureKey, AzureSettings, AzureStore};
pub use gcs::{GcsSettings, GcsStore};
pub use object::Permissions;
pub use s3::{S3Key, S3Settings, S3Store};

/// One bucket, container or folder.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The raw address of an object, `s3://bucket/key`: nothing in it is escaped.
    fn uri(&self, key: &Key) -> String;

    /// The key of such an address; none where it is of another store or leads out of this one.
    fn key(&self, uri: &str) -> Option<Key>;

    /// What an upload of this store can be tied to.
    fn ties(&self) -> Ties {
        Ties { content_md5: true, content_sha256: true, content_length: true, create_only: true }
    }

    /// What the sidecar must be permitted, in the service's words. What it signs for clients is done in its name.
    fn permissions(&self) -> Permissions {
        Permissions::default()
    }

    /// What is known of an object; none where there is none.
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError>;

    /// An object's bytes; none where there is none. An object of more than `most` bytes is [`StoreError::TooLarge`].
    async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError>;

    /// Writes an object of the sidecar's own.
    async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError>;

    /// Deletes an object, if it is there.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// A request with which a client puts an object.
    async fn sign_upload(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError>;

    /// A URL with which a client uploads an object bit by bit, as tus has it, and goes on where it was interrupted.
    /// Unless it says so itself, a store takes no such uploads.
    async fn sign_resumable(&self, _key: &Key, _terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        Err(StoreError::Unsupported("take uploads that are resumed (`resumable`); use uploads in parts"))
    }

    /// A request with which a client gets an object.
    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError>;

    /// Uploads in parts, where the store takes them.
    fn multipart(&self) -> Option<&dyn Multipart> {
        None
    }
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its size in bytes.
    pub size: u64,
    /// The MD5 digest in its metadata (`flyteContentMD5`), or the one that the store itself vouches for.
    pub content_md5: Option<[u8; 16]>,
    /// When it was written.
    pub modified: Option<UnixTime>,
}

/// Whether a write may replace what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// It may not: [`StoreError::Exists`].
    Create,
    /// It may.
    Replace,
}

/// What a store's uploads can be tied to. What it can't be tied to has to be looked at once the object is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ties {
    /// Whether bytes with another MD5 digest are refused, whatever headers the client sends.
    pub content_md5: bool,
    /// Whether a SHA-256 digest is looked at. Where it is not, asking for it is [`StoreError::Unsupported`].
    pub content_sha256: bool,
    /// Whether another number of bytes is refused.
    pub content_length: bool,
    /// Whether an upload that may only create replaces nothing.
    pub create_only: bool,
}

/// What a client's upload is tied to. The store refuses what is not so, as far as its [`Ties`] go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadTerms {
    /// How long the request can be used.
    pub expires_in: Duration,
    /// The MD5 digest of the bytes.
    pub content_md5: Option<[u8; 16]>,
    /// The SHA-256 digest of the bytes.
    pub content_sha256: Option<[u8; 32]>,
    /// How many bytes there are, exactly.
    pub content_length: Option<u64>,
    /// How many bytes there may be at most. Only where `content_length` is not said, and where the store has a way
    /// to tie an upload to that: Google Cloud Storage and the local store.
    pub max_length: Option<u64>,
    /// Whether nothing may be there yet.
    pub create_only: bool,
    /// Whether the MD5 digest becomes metadata of the object (`flyteContentMD5`).
    pub md5_metadata: bool,
}

/// What a client's download is tied to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownloadTerms {
    /// How long the request can be used.
    pub expires_in: Duration,
    /// The `Content-Disposition` of the answer.
    pub content_disposition: Option<String>,
    /// The `Content-Type` of the answer.
    pub content_type: Option<String>,
}

/// A request that a client may send to the store.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// The URL. Whoever has it may use it, so it is in no log.
    pub url: SecretText,
    /// Headers that must be sent, in the spelling that Flyte's SDK merges with its own: `Content-MD5`,
    /// `x-amz-meta-flyteContentMD5`… Never `Content-Length`, which every client sets itself.
    pub headers: Vec<(String, String)>,
    /// When it ends: as asked for, or when the credential ends that it is signed with, whichever is first.
    pub expires_at: UnixTime,
}

/// Why a store did not do it. None has the query of a signed URL in it, or a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// There is something already.
    #[error("there is an object already")]
    Exists,
    /// An object is larger than it may be here.
    #[error("an object of {size} bytes is more than {most}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// What it may have.
        most: u64,
    },
    /// There is no upload of that name for that key.
    #[error("there is no such upload")]
    NoUpload,
    /// The store can't tie a request to that.
    #[error("this store can't {0}")]
    Unsupported(&'static str),
    /// The store refuses it to the sidecar; the text says which permission is missing.
    #[error("the store refuses: {0}")]
    Denied(String),
    /// The store does not answer, or has too much to do.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Anything else.
    #[error("the store failed: {0}")]
    Failed(String),
}
