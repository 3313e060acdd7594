//! The key ring: what sealed tokens are sealed and opened with.
//!
//! Keys rotate: the current one seals, the current and previous ones open. A token names its key, so
//! a token under a key that this ring never had is no token of ours, while a bad seal under a known
//! key is a forgery.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// The length of a signature's text.
const SIGNATURE: usize = 43;

/// A key's name in a token.
///
/// Invariant: 1 to 16 bytes of `a`-`z` and `0`-`9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Box<str>);

/// Text that is no key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("key id must be 1 to 16 characters of a-z and 0-9")]
pub struct InvalidKeyId;

impl KeyId {
    /// Reads a key id.
    ///
    /// # Errors
    /// [`InvalidKeyId`].
    pub fn parse(text: &str) -> Result<Self, InvalidKeyId> {
        let valid = (1..=16).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if valid { Ok(Self(text.into())) } else { Err(InvalidKeyId) }
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        Self::parse(text).map_err(serde::de::Error::custom)
    }
}

/// What a sealed token is for. Each purpose has its own key, so that a token of one never opens as
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A proof to a job of who the visitor is. It is the seed of a signing key: [`crate::assertion`].
    Assertion,
    /// A browser session of one service.
    Session,
    /// A share link of one service.
    Share,
    /// What a browser keeps while its person signs in.
    SignIn,
    /// The credential that a task's owner handed in, where tasks are kept.
    Task,
    /// A signed URL of an object in the local store. It is signed, not sealed: [`crate::signed_url`].
    Url,
    /// Who asks for one of the sidecar's own services. It is signed, not sealed: [`crate::visitor`].
    Visitor,
}

impl Purpose {
    const ALL: [Self; 7] =
        [Self::Assertion, Self::Session, Self::Share, Self::SignIn, Self::Task, Self::Url, Self::Visitor];

    /// The purpose's letter in a token's text.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Assertion => "a",
            Self::Session => "s",
            Self::Share => "h",
            Self::SignIn => "i",
            Self::Task => "t",
            Self::Url => "u",
            Self::Visitor => "v",
        }
    }

    const fn context(self) -> &'static [u8] {
        match self {
            Self::Assertion => b"taskgate/v1/assertion",
            Self::Session => b"taskgate/v1/session",
            Self::Share => b"taskgate/v1/share",
            Self::SignIn => b"taskgate/v1/sign-in",
            Self::Task => b"taskgate/v1/task-credential",
            Self::Url => b"taskgate/v1/signed-url",
            Self::Visitor => b"taskgate/v1/visitor",
        }
    }
}

/// A secret of 32 bytes that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that `context` derives from this secret: HMAC-SHA-256(secret, context).
    #[must_use]
    pub fn derive(&self, context: &[u8]) -> Self {
        Self(self.mac(&[context]))
    }

    /// Signs parts, one after the other: their HMAC-SHA-256 (RFC 2104), in base64 for URLs without padding.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> Option<String> {
        let mut text = [0; SIGNATURE];
        let length = URL_SAFE_NO_PAD.encode_slice(self.mac(parts), &mut text).ok()?;
        text.get(..length).and_then(|text| core::str::from_utf8(text).ok()).map(Into::into)
    }

    /// Whether a text is the signature of these parts.
    #[must_use]
    pub fn verifies(&self, parts: &[&[u8]], signature: &str) -> bool {
        let mut bytes = [0; 32];
        let decoded = URL_SAFE_NO_PAD.decode_slice(signature, &mut bytes);
        decoded == Ok(bytes.len()) && bytes.ct_eq(&self.mac(parts)).into()
    }

    #[inline(never)] // Seldom used; inlined, it would be in the filter several times.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A key that is shorter than a block is filled with zeros (RFC 2104, section 2).
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

/// The keys, current first.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    id: KeyId,
    derived: Vec<(Purpose, Secret)>,
}

impl KeyRing {
    /// A ring of these keys, the current one first. An empty ring opens and seals nothing.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (KeyId, Secret)>) -> Self {
        let keys = keys
            .into_iter()
            .map(|(id, secret)| Key {
                id,
                derived: Purpose::ALL.iter().map(|purpose| (*purpose, secret.derive(purpose.context()))).collect(),
            })
            .collect();
        Self { keys }
    }

    /// The key that seals, for a purpose.
    #[must_use]
    pub fn current(&self, purpose: Purpose) -> Option<(&KeyId, &Secret)> {
        self.keys.first().and_then(|key| key.secret(purpose).map(|secret| (&key.id, secret)))
    }

    /// All keys for a purpose, the current one first.
    pub fn all(&self, purpose: Purpose) -> impl Iterator<Item = (&KeyId, &Secret)> {
        self.keys.iter().filter_map(move |key| key.secret(purpose).map(|secret| (&key.id, secret)))
    }

    /// The key with that name, for a purpose.
    #[must_use]
    pub fn find(&self, id: &str, purpose: Purpose) -> Option<&Secret> {
        self.keys.iter().find(|key| key.id.as_str() == id)?.secret(purpose)
    }
}

impl Key {
    fn secret(&self, purpose: Purpose) -> Option<&Secret> {
        self.derived.iter().find(|(of, _)| *of == purpose).map(|(_, secret)| secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_have_different_keys_and_none_shows() {
        let ring = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([7; 32]))]);
        for (one, other) in Purpose::ALL.iter().flat_map(|one| Purpose::ALL.iter().map(move |other| (*one, *other))) {
            assert_eq!(ring.find("k1", one) == ring.find("k1", other), one == other);
            assert_eq!(one.tag() == other.tag(), one == other);
        }
        assert!(ring.find("k2", Purpose::Session).is_none());
        assert!(!format!("{ring:?}").contains("7, 7"));
    }

    #[test]
    fn key_ids_are_short_and_plain() {
        assert!(KeyId::parse("2026a").is_ok());
        for text in ["", "A", "a.b", "a-b", "12345678901234567"] {
            assert_eq!(KeyId::parse(text), Err(InvalidKeyId), "{text}");
        }
    }
}
