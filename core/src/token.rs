//! Sealed tokens: text that only the key ring's holder can make or read.
//!
//! `tg1.<purpose>.<key id>.<base64url of nonce, ciphertext and tag>`, sealed with XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha-03) under a key of that purpose alone. Everything before the last dot is
//! authenticated too. A worker opens a token with no call to anyone.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::key::{KeyRing, Purpose};

/// Bytes of randomness that sealing takes.
pub const NONCE_BYTES: usize = 24;
/// The longest token that is looked at.
pub const MAX_TOKEN: usize = 4096;
/// How every token starts.
pub const PREFIX: &str = "tg1.";

/// What stands before all that a nonce is made of: no other use of the key begins so.
const NONCE_CONTEXT: &[u8] = b"taskgate-nonce-1\n";

/// What a session or a share is called, to end it before its time: 16 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(u64);

/// Text that is no [`TokenId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be 16 hex digits")]
pub struct InvalidTokenId;

impl TokenId {
    /// The id with that number, which should be random.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidTokenId`].
    pub fn parse(text: &str) -> Result<Self, InvalidTokenId> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if is_id { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(Self).ok_or(InvalidTokenId)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// What came of opening a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Not ours, or under a key this ring does not have: as good as no token.
    NotOurs,
    /// Under a known key, but not sealed with it.
    Forged,
    /// What was sealed.
    Payload(Vec<u8>),
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The ring is empty.
    #[error("key ring has no key to seal with")]
    NoKey,
    /// The payload does not fit a token.
    #[error("payload is too long for a token")]
    TooLong,
}

/// Seals `payload`. `nonce` must be random and used once.
///
/// # Errors
/// [`SealError`].
pub fn seal(ring: &KeyRing, purpose: Purpose, payload: &[u8], nonce: [u8; NONCE_BYTES]) -> Result<String, SealError> {
    let (id, secret) = ring.current(purpose).ok_or(SealError::NoKey)?;
    let head = format!("{PREFIX}{}.{}", purpose.tag(), id.as_str());
    let sealed = XChaCha20Poly1305::new(secret.expose().into())
        .encrypt(&XNonce::from(nonce), Payload { msg: payload, aad: head.as_bytes() })
        .map_err(|_| SealError::TooLong)?;
    let body = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
    let token = format!("{head}.{body}");
    if token.len() > MAX_TOKEN { Err(SealError::TooLong) } else { Ok(token) }
}

/// Seals `payload` without randomness: the nonce is made of key and payload, so equal payloads make equal tokens, and
/// different ones never share a nonce (but by a collision of 192 bits).
///
/// # Errors
/// [`SealError`].
pub fn seal_anew(ring: &KeyRing, purpose: Purpose, payload: &[u8]) -> Result<String, SealError> {
    let (_, secret) = ring.current(purpose).ok_or(SealError::NoKey)?;
    let mac = secret.mac(&[NONCE_CONTEXT, payload]);
    let nonce = mac.first_chunk::<NONCE_BYTES>().ok_or(SealError::TooLong)?;
    seal(ring, purpose, payload, *nonce)
}

/// Opens a token of that purpose.
#[must_use]
pub fn open(ring: &KeyRing, purpose: Purpose, token: &[u8]) -> Opened {
    let Some((head, id, body)) = split(purpose, token) else { return Opened::NotOurs };
    let Some(secret) = ring.find(id, purpose) else { return Opened::NotOurs };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(body) else { return Opened::Forged };
    let Some((nonce, sealed)) = bytes.split_first_chunk::<NONCE_BYTES>() else { return Opened::Forged };
    XChaCha20Poly1305::new(secret.expose().into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: head.as_bytes() })
        .map_or(Opened::Forged, Opened::Payload)
}

/// Head, key id and body of a token of that purpose.
fn split(purpose: Purpose, token: &[u8]) -> Option<(&str, &str, &str)> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let token = core::str::from_utf8(token).ok()?;
    let (head, body) = token.rsplit_once('.')?;
    let (tag, id) = head.strip_prefix(PREFIX)?.split_once('.')?;
    (tag == purpose.tag()).then_some((head, id, body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KeyId, Secret};

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        KeyRing::new(ids.iter().map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([*byte; 32]))))
    }

    #[test]
    fn a_rotated_key_still_opens_and_a_dropped_one_is_no_token() {
        let token = seal(&ring(&[("k1", 1)]), Purpose::Session, b"hello", [9; 24]).expect("seals");
        assert_eq!(
            open(&ring(&[("k2", 2), ("k1", 1)]), Purpose::Session, token.as_bytes()),
            Opened::Payload(b"hello".into())
        );
        assert_eq!(open(&ring(&[("k2", 2)]), Purpose::Session, token.as_bytes()), Opened::NotOurs);
    }

    #[test]
    fn another_purpose_or_key_does_not_open() {
        let token = seal(&ring(&[("k1", 1)]), Purpose::Share, b"hello", [9; 24]).expect("seals");
        assert_eq!(open(&ring(&[("k1", 1)]), Purpose::Session, token.as_bytes()), Opened::NotOurs);
        assert_eq!(open(&ring(&[("k1", 3)]), Purpose::Share, token.as_bytes()), Opened::Forged);
        let renamed = token.replacen("tg1.h.", "tg1.s.", 1);
        assert_eq!(open(&ring(&[("k1", 1)]), Purpose::Session, renamed.as_bytes()), Opened::Forged);
    }

    #[test]
    fn an_empty_ring_seals_nothing() {
        assert_eq!(seal(&KeyRing::default(), Purpose::Session, b"x", [0; 24]), Err(SealError::NoKey));
        assert_eq!(seal(&ring(&[("k1", 1)]), Purpose::Session, &[0; 4096], [0; 24]), Err(SealError::TooLong));
    }

    proptest! {
        #[test]
        fn opens_what_was_sealed(payload in proptest::collection::vec(any::<u8>(), 0..256), nonce in any::<[u8; 24]>()) {
            let ring = ring(&[("k1", 1)]);
            let token = seal(&ring, Purpose::Session, &payload, nonce).expect("seals");
            prop_assert_eq!(open(&ring, Purpose::Session, token.as_bytes()), Opened::Payload(payload));
        }

        #[test]
        fn any_changed_byte_is_refused(payload in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let ring = ring(&[("k1", 1)]);
            let mut token = seal(&ring, Purpose::Session, &payload, [5; 24]).expect("seals").into_bytes();
            let at = at.index(token.len());
            prop_assume!(token[at] != to);
            token[at] = to;
            prop_assert!(!matches!(open(&ring, Purpose::Session, &token), Opened::Payload(_)));
        }

        #[test]
        fn anything_can_be_presented(token in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!matches!(open(&ring(&[("k1", 1)]), Purpose::Session, &token), Opened::Payload(_)));
        }
    }
}
