//! The paths under which the sidecar serves objects, and what signs and verifies their URLs.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use taskgate_core::key::KeyRing;
use taskgate_core::signed_url::{Claims, OBJECTS, SignError, SignedUrlError, sign, verify};
use thiserror::Error;

use crate::clock::SharedClock;
use crate::data::path::Key;

/// The longest name of a store, in bytes.
const MAX_NAME: usize = 63;

/// What is escaped in a key's path: all that RFC 3986 does not let stand in a segment, and nothing else. So a
/// client that brings a URL into normal form changes nothing, and the signature holds.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The name of a local store.
///
/// Invariant: 1 to 63 characters of `a`-`z`, `0`-`9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(Box<str>);

/// Text that is no name of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a store's name must be 1 to {MAX_NAME} characters of a-z, 0-9 and -")]
pub struct InvalidStoreName;

/// What signs and verifies the URLs of one store.
pub(super) struct Addresses {
    pub(super) name: StoreName,
    /// Where clients reach the sidecar: scheme and host.
    pub(super) origin: String,
    pub(super) audience: String,
    pub(super) keys: Arc<ArcSwap<KeyRing>>,
    pub(super) clock: SharedClock,
}

impl StoreName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidStoreName`].
    pub fn parse(text: &str) -> Result<Self, InvalidStoreName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(plain);
        if valid { Ok(Self(text.into())) } else { Err(InvalidStoreName) }
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Addresses {
    /// The path of an object.
    pub(super) fn path(&self, key: &Key) -> String {
        format!("{OBJECTS}{}/{}", self.name.as_str(), utf8_percent_encode(key.as_str(), ESCAPED))
    }

    /// The key that a path is of.
    pub(super) fn key(&self, path: &str) -> Option<Key> {
        let rest = path.strip_prefix(OBJECTS)?.strip_prefix(self.name.as_str())?.strip_prefix('/')?;
        Key::parse(&percent_decode_str(rest).decode_utf8().ok()?).ok()
    }

    /// A signed URL. Path and audience are set here.
    pub(super) fn sign(&self, key: &Key, claims: Claims<'_>) -> Result<String, SignError> {
        let path = self.path(key);
        let query = sign(&self.keys.load(), &Claims { audience: &self.audience, path: &path, ..claims })?;
        Ok(format!("{}{path}?{query}", self.origin))
    }

    /// What a request's URL permits.
    pub(super) fn verify<'a>(&'a self, method: &str, path_and_query: &'a str) -> Result<Claims<'a>, SignedUrlError> {
        verify(&self.keys.load(), &self.audience, method.as_bytes(), path_and_query.as_bytes(), self.clock.now())
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Addresses")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
