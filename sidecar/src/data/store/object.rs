//! Small objects read and written through `object_store`, whichever service has them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, GetOptions, GetResult, ObjectStore, ObjectStoreExt as _,
    PutMode, RetryConfig,
};
use taskgate_core::time::UnixTime;

use crate::data::path::Key;
use crate::data::store::place::Place;
use crate::data::store::refusal::{code, denied};
use crate::data::store::{Object, StoreError, WriteMode};

/// The metadata in which Flyte keeps an object's MD5 digest.
pub(crate) const MD5_METADATA: &str = "flyteContentMD5";

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long what fails is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// How often what fails is tried again.
const RETRIES: usize = 3;

/// The permissions that the sidecar needs, as the service calls them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Permissions {
    /// To look and to read.
    pub read: &'static str,
    /// To write.
    pub write: &'static str,
    /// To delete.
    pub delete: &'static str,
}

/// The objects of a place.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    place: Place,
    permissions: Permissions,
}

impl Objects {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, place: Place, permissions: Permissions) -> Self {
        Self { store, place, permissions }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// As [`crate::data::store::Store::head`].
    pub(crate) async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let found = self.get(key, GetOptions { head: true, ..GetOptions::default() }).await?;
        Ok(found.map(|found| Object {
            size: found.meta.size,
            content_md5: md5(&found.attributes),
            modified: u64::try_from(found.meta.last_modified.timestamp_millis()).ok().map(UnixTime::from_millis),
        }))
    }

    /// As [`crate::data::store::Store::read`].
    pub(crate) async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError> {
        let Some(found) = self.get(key, GetOptions::default()).await? else { return Ok(None) };
        let size = found.meta.size;
        if size > most {
            return Err(StoreError::TooLarge { size, most });
        }
        let (mut bytes, mut stream) = (BytesMut::new(), found.into_stream());
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| failure(&error, self.permissions.read))?);
            // The service may send more than it said.
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if size > most {
                return Err(StoreError::TooLarge { size, most });
            }
        }
        Ok(Some(bytes.freeze()))
    }

    /// As [`crate::data::store::Store::write`].
    pub(crate) async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        let mode = match mode {
            WriteMode::Create => PutMode::Create,
            WriteMode::Replace => PutMode::Overwrite,
        };
        let written = self.store.put_opts(&self.path(key)?, bytes.into(), mode.into()).await;
        written.map_err(|error| failure(&error, self.permissions.write))?;
        Ok(())
    }

    /// As [`crate::data::store::Store::delete`].
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(&error, self.permissions.delete)),
        }
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<Option<GetResult>, StoreError> {
        match self.store.get_opts(&self.path(key)?, options).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(&error, self.permissions.read)),
        }
    }

    /// What `object_store` calls an object.
    pub(crate) fn path(&self, key: &Key) -> Result<Path, StoreError> {
        // Not `Path::from`, which would encode it.
        Path::parse(self.place.name(key)).map_err(|_| StoreError::Failed("no such key is possible here".to_owned()))
    }
}

/// How services are asked.
pub(crate) fn client_options(plain: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(plain).with_connect_timeout(CONNECT_TIMEOUT).with_timeout(TIMEOUT)
}

/// How often services are asked.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT }
}

/// A failure without what could be secret: errors of `object_store` quote addresses and whole answers.
pub(crate) fn failure(error: &object_store::Error, permission: &str) -> StoreError {
    let text = error.to_string();
    let code = code(&text);
    match error {
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => StoreError::Exists,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            denied(permission, code)
        }
        object_store::Error::NotFound { .. } => StoreError::Failed("there is no such bucket or container".to_owned()),
        _ if is_unreachable(error) => StoreError::Unavailable("it can't be reached".to_owned()),
        _ if text.contains("status code: 5") || text.contains("status code: 429") => {
            StoreError::Unavailable(code.unwrap_or("it has too much to do").to_owned())
        }
        _ => StoreError::Failed(code.unwrap_or("it did not say why").to_owned()),
    }
}

fn is_unreachable(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return !matches!(error.kind(), HttpErrorKind::Decode | HttpErrorKind::Unknown);
        }
        cause = error.source();
    }
    false
}

fn md5(attributes: &Attributes) -> Option<[u8; 16]> {
    let named = attributes.iter().find_map(|(attribute, value)| match attribute {
        Attribute::Metadata(name) if name.eq_ignore_ascii_case(MD5_METADATA) => Some(value),
        _ => None,
    })?;
    STANDARD.decode(named.as_ref()).ok()?.try_into().ok()
}
