//! Sessions and shares: sealed tokens that a worker believes without asking anyone.
//!
//! A session says who a visitor is, to one service, until a time. It never contains the platform's
//! credential. A share is the same with its own purpose, so that neither opens as the other.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::identity::{Identity, InvalidIdentity, WireIdentity};
use crate::key::{KeyRing, Purpose};
use crate::time::UnixTime;
use crate::token::{self, NONCE_BYTES, Opened, SealError};

/// What a sealed session says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The canonical id of the one service it is for.
    pub service: String,
    /// The visitor's login name.
    pub actor: String,
    /// The visitor's mail address.
    pub email: Option<String>,
    /// The visitor's groups.
    pub groups: Vec<String>,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// The service's epoch when it was made; a session of another epoch is over.
    pub epoch: u32,
}

/// Why a token is no session for this service now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// Its time is over, or the service's access has changed since.
    #[error("session has ended")]
    Ended,
    /// A known key, but not what that key sealed.
    #[error("session token is forged")]
    Forged,
    /// No token of ours, or under a key that is gone: as good as none.
    #[error("not a session token")]
    NotOurs,
    /// Made for another service.
    #[error("session is for another service")]
    OtherService,
}

impl Claims {
    /// Seals the claims. `nonce` must be random and used once.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing, purpose: Purpose, nonce: [u8; NONCE_BYTES]) -> Result<String, SealError> {
        let payload = postcard::to_allocvec(self).map_err(|_| SealError::TooLong)?;
        token::seal(ring, purpose, &payload, nonce)
    }
}

/// Opens a session or share for one service at `now`: who the visitor is.
///
/// # Errors
/// [`SessionError`].
pub fn open(
    ring: &KeyRing,
    purpose: Purpose,
    text: &[u8],
    service: &str,
    epoch: u32,
    now: UnixTime,
) -> Result<Identity, SessionError> {
    let payload = match token::open(ring, purpose, text) {
        Opened::Payload(payload) => payload,
        Opened::Forged => return Err(SessionError::Forged),
        Opened::NotOurs => return Err(SessionError::NotOurs),
    };
    let claims: Claims = postcard::from_bytes(&payload).map_err(|_| SessionError::Forged)?;
    if claims.service != service {
        return Err(SessionError::OtherService);
    }
    if now >= claims.expires_at || claims.epoch != epoch {
        return Err(SessionError::Ended);
    }
    let wire = WireIdentity { actor: claims.actor, email: claims.email, groups: claims.groups };
    Identity::try_from(wire).map_err(|_: InvalidIdentity| SessionError::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyId, Secret};

    fn ring() -> KeyRing {
        KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))])
    }

    fn token() -> String {
        let claims = Claims {
            service: "ae5cf6f5".into(),
            actor: "alice".into(),
            email: None,
            groups: vec!["ml".into()],
            issued_at: UnixTime::from_millis(1_000),
            expires_at: UnixTime::from_millis(5_000),
            epoch: 3,
        };
        claims.seal(&ring(), Purpose::Session, [4; NONCE_BYTES]).expect("seals")
    }

    fn opened(service: &str, epoch: u32, millis: u64) -> Result<String, SessionError> {
        let now = UnixTime::from_millis(millis);
        open(&ring(), Purpose::Session, token().as_bytes(), service, epoch, now).map(|who| who.actor().to_owned())
    }

    #[test]
    fn holds_for_its_service_epoch_and_time_alone() {
        assert_eq!(opened("ae5cf6f5", 3, 4_999), Ok("alice".into()));
        assert_eq!(opened("ae5cf6f5", 3, 5_000), Err(SessionError::Ended));
        assert_eq!(opened("ae5cf6f5", 4, 2_000), Err(SessionError::Ended));
        assert_eq!(opened("2ef4261c", 3, 2_000), Err(SessionError::OtherService));
    }

    #[test]
    fn a_share_is_no_session() {
        let now = UnixTime::from_millis(2_000);
        let opened = open(&ring(), Purpose::Share, token().as_bytes(), "ae5cf6f5", 3, now);
        assert_eq!(opened, Err(SessionError::NotOurs));
    }
}
