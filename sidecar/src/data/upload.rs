//! Where a client may put a file.

use std::time::Duration;

use crate::data::audit::{self, ContentDigest, Grant};
use crate::data::caller::Caller;
use crate::data::error::DataError;
use crate::data::inputs::INPUTS_FOLDER;
use crate::data::path::{DomainName, Key, ProjectName, Segments};
use crate::data::placement::NamedStore;
use crate::data::service::{DataService, Right, names, part};
use crate::data::settings::duration::GoDuration;
use crate::data::settings::{SignedDuration, UploadSettings};
use crate::data::store::{SignedRequest, Store, StoreError, UploadTerms};

/// The longest that is taken for a digest, in bytes. Only 16 are one of MD5, but Flyte takes others.
const MAX_DIGEST: usize = 64;

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
    /// Whether the upload can be resumed.
    pub resumable: bool,
}

/// A place for an upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The request that puts the bytes there.
    pub request: SignedRequest,
    /// The raw address of the object, as in `s3://bucket/key`: nothing in it is escaped.
    pub native_url: String,
}

/// What an upload would replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupied {
    /// Nothing.
    Nothing,
    /// The same bytes.
    Same,
}

impl DataService {
    /// Signs a request that puts a file.
    ///
    /// A name that a client chose (`filename_root`) is taken once: the same bytes may come again, others may not. A
    /// name made of the digest of the bytes needs no such care, since the store takes no other bytes.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn create_upload(&self, caller: &Caller, ask: UploadAsk) -> Result<Upload, DataError> {
        let expires_in = self.check(&ask)?;
        let (project, domain) = names(&ask.project, &ask.domain)?;
        self.admit(caller, &ask.organization, &project, &domain, Right::Write).await?;
        let key = self.upload_key(&project, &domain, &ask)?;
        let NamedStore { name, store } = self.store_of(&project, &domain)?;
        let content_md5: Option<[u8; 16]> = ask.content_md5.as_slice().try_into().ok();
        let ties = store.ties();
        // Only a name that is made of a digest needs no look, and only where the store checks that digest. Whatever a
        // client names, with or without a file's name, can be the name of something that is there.
        let is_vouched = ask.filename_root.is_empty() && content_md5.is_some() && ties.content_md5;
        let occupied = if is_vouched { Occupied::Same } else { occupied(&*store, &key, &ask.content_md5).await? };
        let may_tie = self.settings.upload.create_only && ties.create_only;
        let content_length = u64::try_from(ask.content_length).ok().filter(|length| *length > 0);
        let terms = UploadTerms {
            expires_in,
            content_md5,
            content_sha256: ask.content_sha256,
            content_length,
            max_length: content_length.is_none().then_some(self.settings.upload.max_size),
            create_only: may_tie && matches!(occupied, Occupied::Nothing),
            md5_metadata: ask.add_content_md5_metadata && content_md5.is_some(),
        };
        let signed = if ask.resumable { store.sign_resumable(&key, &terms) } else { store.sign_upload(&key, &terms) };
        let request = signed.await.map_err(|error| unsigned(&error))?;
        let digest = terms.content_sha256.map(ContentDigest::Sha256).or(content_md5.map(ContentDigest::Md5));
        audit::grant(
            caller,
            &Grant {
                event: "upload",
                store: &name,
                key: &key,
                digest,
                size: terms.content_length,
                expires_at_ms: Some(request.expires_at.as_millis()),
            },
        );
        Ok(Upload { request, native_url: store.uri(&key) })
    }

    /// What makes no sense whoever asks. How long the URL shall work.
    fn check(&self, ask: &UploadAsk) -> Result<Duration, DataError> {
        let UploadSettings { max_size, max_expires_in, .. } = self.settings.upload;
        if ask.filename_root.is_empty() && ask.content_md5.is_empty() {
            return Err(DataError::Invalid("either filename_root or content_md5 must be provided".into()));
        }
        if ask.content_md5.len() > MAX_DIGEST {
            return Err(DataError::Invalid(format!("content_md5 has {} bytes, not 16", ask.content_md5.len())));
        }
        let expires_in = expiry(ask.expires_in, max_expires_in)?;
        let length = u64::try_from(ask.content_length)
            .map_err(|_| DataError::Invalid(format!("content_length ({} bytes) is invalid", ask.content_length)))?;
        if length > max_size {
            return Err(DataError::Invalid(format!(
                "content_length ({length} bytes) exceeds maximum allowed size of {max_size} bytes"
            )));
        }
        Ok(expires_in)
    }

    pub(super) fn upload_key(
        &self,
        project: &ProjectName,
        domain: &DomainName,
        ask: &UploadAsk,
    ) -> Result<Key, DataError> {
        let root = match part("filename_root", &ask.filename_root)? {
            Some(root) => root,
            None => part("content_md5", &base32(&ask.content_md5))?.ok_or_else(no_path)?,
        };
        let file = part("filename", &ask.filename)?;
        // The inputs of runs are the sidecar's own: nobody else writes them, under whatever organization they are.
        let mut parts =
            root.as_str().split('/').chain(file.as_ref().into_iter().flat_map(|file| file.as_str().split('/')));
        if parts.by_ref().take(2).any(|part| part == INPUTS_FOLDER) {
            let text = format!("failed to construct storage path: `{INPUTS_FOLDER}` is kept for the inputs of runs");
            return Err(DataError::Invalid(text));
        }
        let rest: Vec<&Segments> = std::iter::once(&root).chain(&file).collect();
        Key::within(self.settings.upload.storage_prefix.as_ref(), project, domain, &rest)
            .map_err(|error| DataError::Invalid(format!("failed to construct storage path: {error}")))
    }

    /// The store that a project's data go into.
    pub(super) fn store_of(&self, project: &ProjectName, domain: &DomainName) -> Result<NamedStore, DataError> {
        self.placement.of(project, domain).ok_or_else(|| {
            DataError::Unavailable(format!(
                "failed to construct storage path: no store is configured for domain {:?} of project {:?}",
                domain.as_str(),
                project.as_str()
            ))
        })
    }
}

/// How long a URL shall work.
pub(super) fn expiry(asked: Option<SignedDuration>, longest: Duration) -> Result<Duration, DataError> {
    let Some(asked) = asked else { return Ok(longest) };
    let length = asked.positive().ok_or_else(|| DataError::Invalid(format!("expires_in ({asked}) is invalid")))?;
    if length > longest {
        let longest = GoDuration(longest);
        return Err(DataError::Invalid(format!("expires_in ({asked}) exceeds maximum allowed duration of {longest}")));
    }
    // Stores count in whole seconds, and none takes 0.
    Ok(length.max(Duration::from_secs(1)))
}

/// What is said where a request could not be signed.
pub(super) fn unsigned(error: &StoreError) -> DataError {
    let text = format!("failed to create signed URL: {error}");
    match error {
        StoreError::Unsupported(_) => DataError::Invalid(text),
        StoreError::Unavailable(_) => DataError::Unavailable(text),
        StoreError::NoUpload
        | StoreError::Exists
        | StoreError::TooLarge { .. }
        | StoreError::Denied(_)
        | StoreError::Failed(_) => DataError::Internal(text),
    }
}

/// What is there. Other content than that with this digest is refused.
pub(super) async fn occupied(store: &dyn Store, key: &Key, content_md5: &[u8]) -> Result<Occupied, DataError> {
    let uri = store.uri(key);
    let failed = |error| DataError::Internal(format!("failed to check if file exists at location [{uri}]: {error}"));
    let Some(object) = store.head(key).await.map_err(failed)? else { return Ok(Occupied::Nothing) };
    if content_md5.is_empty() {
        return Err(DataError::Exists(format!(
            "file already exists at [{uri}]; content_md5 is required to verify safe overwrite"
        )));
    }
    if object.content_md5.is_some_and(|own| own == content_md5) {
        return Ok(Occupied::Same);
    }
    Err(DataError::Exists(format!("file already exists at [{uri}] with different content (hash mismatch)")))
}

fn no_path() -> DataError {
    DataError::Invalid("failed to construct storage path: there is no name".into())
}

/// Base32 of RFC 4648 with its padding, as Flyte has it in paths.
fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut group = [0_u8; 8];
        for (place, byte) in group.iter_mut().skip(3).zip(chunk) {
            *place = *byte;
        }
        let bits = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for place in 0..8_usize {
            let digit = usize::try_from(bits >> (35 - place * 5) & 31).unwrap_or_default();
            let letter = DIGITS.get(digit).copied().unwrap_or(b'=');
            text.push(char::from(if place < digits { letter } else { b'=' }));
        }
    }
    text
}

#[cfg(test)]
mod tests;
