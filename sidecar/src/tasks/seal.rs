//! Credentials at rest: sealed for one task of one owner, with the key ring of `keys`.
//!
//! A format byte, the key's name with its length, a nonce, and what XChaCha20-Poly1305 made of the credential
//! (draft-irtf-cfrg-xchacha-03). Format, key, task and owner are authenticated too: a credential that was moved to
//! another task opens as little as one that was changed.
//!
//! Opened, a credential is a [`SecretText`], which shows itself nowhere and is wiped.

use std::fmt;

use arc_swap::ArcSwap;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use taskgate_core::key::{KeyId, KeyRing, Purpose, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random::{self, NoRandomness};
use crate::secret::SecretText;
use crate::tasks::row::{Owner, Sealed, TaskId};

/// The only format so far.
const FORMAT: u8 = 1;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// What seals credentials and opens them.
pub struct Vault {
    ring: ArcSwap<KeyRing>,
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The ring is empty, or the credential too long for the cipher.
    #[error("there is no key to seal credentials with; set `keys`, `taskgate key new` makes one")]
    NoKey,
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Why a credential does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It is under a key that this ring does not have: one that was dropped too early, or another sidecar's.
    #[error("the task's credential is sealed with a key that is not in `keys`")]
    UnknownKey,
    /// It was not sealed with that key for this task of this owner.
    #[error("the task's credential was changed since it was sealed, or belongs to another task")]
    Forged,
}

impl Vault {
    /// A vault with these keys, the current one first.
    #[must_use]
    pub fn new(keys: &[(KeyId, Secret)]) -> Self {
        Self { ring: ArcSwap::from_pointee(KeyRing::new(keys.iter().cloned())) }
    }

    /// Takes other keys from now on.
    pub fn renew(&self, keys: &[(KeyId, Secret)]) {
        self.ring.store(std::sync::Arc::new(KeyRing::new(keys.iter().cloned())));
    }

    /// Seals a credential for a task.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, id: TaskId, owner: &Owner, credential: &SecretText) -> Result<Sealed, SealError> {
        let ring = self.ring.load();
        let (key, secret) = ring.current(Purpose::Task).ok_or(SealError::NoKey)?;
        let nonce: [u8; NONCE_BYTES] = random::bytes()?;
        let mut sealed = head(key.as_str());
        let bound = bound(&sealed, id, owner);
        let text = XChaCha20Poly1305::new(secret.expose().into())
            .encrypt(&XNonce::from(nonce), Payload { msg: credential.expose().as_bytes(), aad: &bound })
            .map_err(|_| SealError::NoKey)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(Sealed::new(sealed))
    }

    /// Opens the credential of a task.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, id: TaskId, owner: &Owner, sealed: &Sealed) -> Result<SecretText, OpenError> {
        let (key, rest) = split(sealed.as_bytes()).ok_or(OpenError::Forged)?;
        let ring = self.ring.load();
        let secret = ring.find(key, Purpose::Task).ok_or(OpenError::UnknownKey)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Forged)?;
        let bound = bound(&head(key), id, owner);
        let opened = XChaCha20Poly1305::new(secret.expose().into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &bound })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Forged)?;
        let text = std::str::from_utf8(&opened).map_err(|_| OpenError::Forged)?;
        Ok(SecretText::from(text.to_owned()))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault")
    }
}

/// Format and key.
fn head(key: &str) -> Vec<u8> {
    // A key's name has 16 bytes at most.
    let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
    [&[FORMAT, length], key.as_bytes()].concat()
}

/// The key's name, and what follows the head.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let ([format, length], rest) = bytes.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_at_checked(usize::from(*length))?;
    (*format == FORMAT).then_some(())?;
    Some((std::str::from_utf8(key).ok()?, rest))
}

/// What is authenticated beside the credential. An id has a fixed length, so nothing can move between the parts.
fn bound(head: &[u8], id: TaskId, owner: &Owner) -> Vec<u8> {
    [head, id.to_string().as_bytes(), owner.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use taskgate_core::time::UnixTime;

    use super::*;

    const CREDENTIAL: &str = "Bearer top-secret";

    fn keys(ids: &[(&str, u8)]) -> Vec<(KeyId, Secret)> {
        ids.iter().map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([*byte; 32]))).collect()
    }

    fn id(random: u8) -> TaskId {
        TaskId::new(UnixTime::from_millis(1), [random; 10])
    }

    fn sealed(vault: &Vault) -> Sealed {
        vault.seal(id(1), &Owner::new("alice"), &SecretText::from(CREDENTIAL.to_owned())).expect("seals")
    }

    fn opened(vault: &Vault, sealed: &Sealed) -> Result<String, OpenError> {
        vault.open(id(1), &Owner::new("alice"), sealed).map(|text| text.expose().to_owned())
    }

    #[test]
    fn a_rotated_key_still_opens_and_a_dropped_one_is_unknown() {
        let vault = Vault::new(&keys(&[("k1", 1)]));
        let old = sealed(&vault);
        vault.renew(&keys(&[("k2", 2), ("k1", 1)]));
        let new = sealed(&vault);
        assert_eq!(opened(&vault, &old).as_deref(), Ok(CREDENTIAL));
        vault.renew(&keys(&[("k2", 2)]));
        assert_eq!(opened(&vault, &old), Err(OpenError::UnknownKey));
        assert_eq!(opened(&vault, &new).as_deref(), Ok(CREDENTIAL), "the current key seals");
        vault.renew(&keys(&[("k2", 3)]));
        assert_eq!(opened(&vault, &new), Err(OpenError::Forged), "another secret under the same name");
    }

    #[test]
    fn a_credential_opens_for_its_task_and_owner_alone() {
        let vault = Vault::new(&keys(&[("k1", 1)]));
        let sealed = sealed(&vault);
        for (id, owner) in [(id(2), "alice"), (id(1), "bob"), (id(1), "")] {
            assert!(matches!(vault.open(id, &Owner::new(owner), &sealed), Err(OpenError::Forged)));
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed_and_nothing_shows() {
        let vault = Vault::new(&keys(&[("k1", 1)]));
        let whole = sealed(&vault);
        for at in 0..whole.as_bytes().len() {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(opened(&vault, &Sealed::new(bytes)).is_err(), "byte {at}");
            assert!(opened(&vault, &Sealed::new(whole.as_bytes()[..at].to_vec())).is_err(), "length {at}");
        }
        assert!(!whole.as_bytes().windows(10).any(|part| part == b"top-secret"));
        assert!(sealed(&vault) != whole, "the nonce is another each time");
    }

    #[test]
    fn an_empty_ring_seals_nothing() {
        let vault = Vault::new(&[]);
        let credential = SecretText::from(CREDENTIAL.to_owned());
        assert_eq!(vault.seal(id(1), &Owner::new("alice"), &credential), Err(SealError::NoKey));
    }
}
