//! A folder of this machine as a store: the one that needs nothing else.
//!
//! Objects are files under their raw keys. Clients put and get them with URLs that are signed with the key ring
//! ([`taskgate_core::signed_url`]) and served by the sidecar itself ([`crate::api::objects`]). An object appears
//! whole and with its digests, or not at all: it is written beside the others, checked, brought to the disk and
//! then given its key in one step. Nothing here follows a symbolic link. What clients upload bit by bit lies in a
//! folder of its own until its last byte is there (`resume`).
//!
//! The file system must have extended attributes, which digests are kept in.

mod address;
mod error;
mod folder;
mod note;
mod resume;
mod write;

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use taskgate_core::key::KeyRing;
use taskgate_core::signed_url::{Claims, SignedMethod, SignedUrlError};
use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;
use crate::data::path::Key;
use crate::data::store::local::address::Addresses;
use crate::data::store::local::folder::Folder;
use crate::data::store::local::resume::{Registry, ResumeId};
use crate::data::store::local::write::Bounds;
use crate::data::store::{DownloadTerms, Object, SignedRequest, Store, StoreError, UploadTerms, WriteMode};
use crate::http::parse_url;

pub use crate::data::store::local::address::{InvalidStoreName, StoreName};
pub use crate::data::store::local::error::LocalError;
pub use crate::data::store::local::folder::Placed;
pub use crate::data::store::local::note::{Facts, Note};
pub use crate::data::store::local::resume::{
    Chunk, ChunkDigest, InvalidChunkDigest, Progress, ResumeError, Resuming, Ticket, Turn,
};
pub use crate::data::store::local::write::{Expected, Writing, Written};

/// The header that makes the MD5 digest metadata, as Flyte's SDK merges it with its own.
pub const META_HEADER: &str = "x-taskgate-meta-flyteContentMD5";

/// How a local store is set.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Its name, which is in its paths.
    pub name: StoreName,
    /// Its folder. It is made where it is not there.
    pub folder: PathBuf,
    /// Where clients reach the sidecar: scheme, host and port, and no path.
    pub public_url: String,
    /// What names this installation in signatures: no other that shares its keys may have the same.
    pub audience: String,
    /// What the raw address of an object starts with, ending in `/`; `taskgate://<name>/` where nothing is said.
    /// Where jobs see the folder too it can be `file:///path/of/the/folder/objects/`.
    pub uri_base: Option<String>,
    /// The most bytes of an object.
    pub max_object_bytes: u64,
    /// How many bytes of the disk stay free.
    pub keep_free_bytes: u64,
    /// Whether an object is on the disk before its upload is answered, so that it outlasts a failure of power.
    pub durable: bool,
}

/// A folder of this machine.
#[derive(Debug)]
pub struct LocalStore {
    folder: Arc<Folder>,
    addresses: Addresses,
    uri_base: String,
    bounds: Bounds,
    uploads: Registry,
}

/// An object that is being read. What it has been is read, even when it is replaced or deleted meanwhile.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub file: File,
    /// What is known of it.
    pub facts: Facts,
}

impl LocalStore {
    /// Opens a store, and clears away what an earlier process did not finish. It blocks.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the folder can't be used, or a setting makes no sense.
    pub fn open(settings: LocalSettings, keys: Arc<ArcSwap<KeyRing>>, clock: SharedClock) -> Result<Self, StoreError> {
        let wrong = |why: &str| StoreError::Failed(format!("local store `{}`: {why}", settings.name.as_str()));
        let url = parse_url(&settings.public_url).map_err(|error| wrong(&format!("the public URL {error}")))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("the public URL is a scheme, a host and a port, and no path: paths are signed"));
        }
        let uri_base = settings.uri_base.unwrap_or_else(|| format!("taskgate://{}/", settings.name.as_str()));
        if !uri_base.ends_with('/') {
            return Err(wrong("what addresses start with must end in `/`"));
        }
        let unusable = |error: LocalError| wrong(&format!("`{}` can't be used: {error}", settings.folder.display()));
        let folder = Folder::open(&settings.folder, settings.durable).map_err(unusable)?;
        let bounds = Bounds { most: settings.max_object_bytes, keep_free: settings.keep_free_bytes };
        let origin = url.origin().ascii_serialization();
        let addresses = Addresses { name: settings.name.clone(), origin, audience: settings.audience, keys, clock };
        let store = Self { folder: Arc::new(folder), addresses, uri_base, bounds, uploads: Registry::default() };
        store.collect().map_err(unusable)?;
        store.probe().map_err(|error| {
            wrong(&format!("`{}` can't keep digests, in extended attributes: {error}", settings.folder.display()))
        })?;
        Ok(store)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &StoreName {
        &self.addresses.name
    }

    /// What a request may do, by its method and its path and query exactly as they came; and to what.
    ///
    /// # Errors
    /// [`SignedUrlError`].
    pub fn verify<'a>(&'a self, method: &str, path_and_query: &'a str) -> Result<(Key, Claims<'a>), SignedUrlError> {
        let claims = self.addresses.verify(method, path_and_query)?;
        let key = self.addresses.key(claims.path).ok_or(SignedUrlError::Malformed)?;
        Ok((key, claims))
    }

    /// What a request may do with an upload that can be resumed, by its method and its path and query exactly as
    /// they came.
    ///
    /// # Errors
    /// [`SignedUrlError`].
    pub fn verify_upload(&self, method: &str, path_and_query: &str) -> Result<Ticket, SignedUrlError> {
        let (key, claims) = self.verify(method, path_and_query)?;
        Ticket::of(&key, &claims).ok_or(SignedUrlError::WrongMethod)
    }

    /// The most bytes that an object may have that must be so.
    #[must_use]
    pub fn most_bytes(&self, expected: &Expected) -> u64 {
        expected.size.unwrap_or_else(|| self.bounds.within(expected).most)
    }

    /// Begins to write an object. It blocks.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn begin(&self, expected: Expected) -> Result<Writing, LocalError> {
        Writing::begin(&self.folder, self.bounds, expected)
    }

    /// Opens an object; none where there is none. It blocks.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn object(&self, key: &Key) -> Result<Option<Opened>, LocalError> {
        let Some(file) = self.folder.read(key)? else { return Ok(None) };
        Ok(Some(Opened { facts: Facts::of(&file)?, file }))
    }

    /// Clears away what processes that ended did not finish, and what was begun with URLs that have expired; how
    /// many files there were. It blocks.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn collect(&self) -> Result<usize, LocalError> {
        let collected = self.folder.collect()? + self.folder.collect_uploads(self.addresses.clock.now())?;
        if collected > 0 {
            tracing::info!(store = self.name().as_str(), files = collected, "unfinished uploads were cleared away");
        }
        Ok(collected)
    }

    /// Whether digests can be kept here.
    fn probe(&self) -> Result<(), LocalError> {
        let staged = self.folder.stage()?;
        let note = Note { sha256: [0; 32], md5: None, md5_metadata: false };
        let written = note.write(&staged.file);
        self.folder.discard(&staged);
        written
    }

    fn expires_at(&self, expires_in: Duration) -> UnixTime {
        // Signatures have whole seconds, and what the client is told is what holds.
        let millis = self.addresses.clock.now().after(expires_in).as_millis();
        UnixTime::from_millis(millis - millis % 1000)
    }

    fn upload_claims(&self, method: SignedMethod, terms: &UploadTerms) -> Claims<'static> {
        Claims {
            method,
            expires: self.expires_at(terms.expires_in),
            size: terms.content_length,
            max_size: terms.max_length.filter(|_| terms.content_length.is_none()),
            md5: terms.content_md5,
            sha256: terms.content_sha256,
            create_only: terms.create_only,
            md5_metadata: terms.md5_metadata && terms.content_md5.is_some(),
            ..Claims::default()
        }
    }

    fn signed(
        &self,
        key: &Key,
        claims: Claims<'_>,
        headers: Vec<(String, String)>,
    ) -> Result<SignedRequest, StoreError> {
        let expires_at = claims.expires;
        let url = self.addresses.sign(key, claims).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(SignedRequest { url: url.into(), headers, expires_at })
    }
}

#[async_trait]
impl Store for LocalStore {
    fn uri(&self, key: &Key) -> String {
        format!("{}{key}", self.uri_base)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        Key::parse(uri.strip_prefix(&self.uri_base)?).ok()
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), key.clone());
        let look = move || folder.read(&key)?.map(|file| Facts::of(&file)).transpose();
        let facts = blocking::<_, LocalError>(look).await?;
        Ok(facts.map(|facts| Object {
            size: facts.size,
            content_md5: facts.note.and_then(|note| note.md5),
            modified: Some(facts.modified),
        }))
    }

    async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), key.clone());
        let read = blocking::<_, LocalError>(move || {
            let Some(file) = folder.read(&key)? else { return Ok(None) };
            let size = file.metadata()?.len();
            let mut bytes = Vec::new();
            if size <= most {
                file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
            }
            // It may have grown since it was looked at.
            Ok(Some((size.max(u64::try_from(bytes.len()).unwrap_or(u64::MAX)), bytes)))
        });
        match read.await? {
            Some((size, _)) if size > most => Err(StoreError::TooLarge { size, most }),
            read => Ok(read.map(|(_, bytes)| bytes.into())),
        }
    }

    async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        let (folder, bounds, key) = (Arc::clone(&self.folder), self.bounds, key.clone());
        blocking::<_, LocalError>(move || {
            let expected = Expected {
                size: Some(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
                md5: Some(Md5::digest(&bytes).into()),
                ..Expected::default()
            };
            let mut writing = Writing::begin(&folder, bounds, expected)?;
            writing.push(&bytes)?;
            writing.finish(&key, mode)
        })
        .await?;
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let (folder, key) = (Arc::clone(&self.folder), key.clone());
        Ok(blocking::<_, LocalError>(move || folder.delete(&key)).await?)
    }

    async fn sign_upload(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        let mut headers = Vec::new();
        if let Some(md5) = terms.content_md5 {
            let digest = STANDARD.encode(md5);
            if terms.md5_metadata {
                headers.push((META_HEADER.to_owned(), digest.clone()));
            }
            headers.push(("Content-MD5".to_owned(), digest));
        }
        if let Some(sha256) = terms.content_sha256 {
            headers.push(("Repr-Digest".to_owned(), format!("sha-256=:{}:", STANDARD.encode(sha256))));
        }
        self.signed(key, self.upload_claims(SignedMethod::Put, terms), headers)
    }

    async fn sign_resumable(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        let id = ResumeId::new().map_err(|error| StoreError::Failed(error.to_string()))?;
        let headers = vec![("Tus-Resumable".to_owned(), "1.0.0".to_owned())];
        self.signed(key, self.upload_claims(id.method(), terms), headers)
    }

    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        let claims = Claims {
            method: SignedMethod::Get,
            expires: self.expires_at(terms.expires_in),
            content_disposition: terms.content_disposition.clone(),
            content_type: terms.content_type.clone(),
            ..Claims::default()
        };
        self.signed(key, claims, Vec::new())
    }
}

/// Does something with files on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static, E: From<LocalError> + Send + 'static>(
    act: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(act).await;
    done.unwrap_or_else(|error| Err(LocalError::Io(std::io::Error::other(error)).into()))
}

#[cfg(test)]
mod tests;
