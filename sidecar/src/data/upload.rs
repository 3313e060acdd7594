//! Where a client may put a file.

use crate::data::caller::Caller;
use crate::data::error::DataError;
use crate::data::service::DataService;
use crate::data::settings::SignedDuration;
use crate::data::store::SignedRequest;

/// What a client wants to put. Nothing in it is believed yet.
#[derive(Clone, Debug, Default)]
pub struct UploadAsk {
    /// The organization, or empty. It is not part of the path.
    pub organization: String,
    /// The project's name.
    pub project: String,
    /// The domain's name.
    pub domain: String,
    /// The file's name; several segments, or empty.
    pub filename: String,
    /// What stands before the name, in place of the digest; several segments, or empty.
    pub filename_root: String,
    /// The MD5 digest of the bytes: 16 bytes, or empty.
    pub content_md5: Vec<u8>,
    /// The SHA-256 digest of the bytes.
    pub content_sha256: Option<[u8; 32]>,
    /// How many bytes there are; 0: not said.
    pub content_length: i64,
    /// How long the URL shall work.
    pub expires_in: Option<SignedDuration>,
    /// Whether the MD5 digest becomes metadata of the object.
    pub add_content_md5_metadata: bool,
}

/// A place for an upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The request that puts the bytes there.
    pub request: SignedRequest,
    /// The raw address of the object, as in `s3://bucket/key`: nothing in it is escaped.
    pub native_url: String,
}

impl DataService {
    /// Signs a request that puts a file.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn create_upload(&self, _caller: &Caller, _ask: UploadAsk) -> Result<Upload, DataError> {
        Err(DataError::Unimplemented("uploads are not there yet".into()))
    }
}
