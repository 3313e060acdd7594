//! Sessions: sealed tokens that a worker believes without asking anyone.
//!
//! A session says who a visitor is, to one service, until a time. It never contains the platform's credential. One
//! that a share link gave says so, and is good for the paths of that link alone.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::identity::{Identity, WireIdentity};
use crate::key::{KeyRing, Purpose};
use crate::share::PathScope;
use crate::time::UnixTime;
use crate::token::{self, Opened, SealError, TokenId};

/// What a sealed session says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is called where it is ended before its time. All sessions of one sign-in have the same.
    pub id: TokenId,
    /// The canonical id of the one service it is for.
    pub service: String,
    /// Who the visitor is.
    pub identity: WireIdentity,
    /// When the visitor signed in.
    pub issued_at: UnixTime,
    /// When it was last used, to the nearest renewal: one that is idle for too long ends.
    pub seen_at: UnixTime,
    /// When it was last looked at whether the visitor may still use the service.
    pub checked_at: UnixTime,
    /// When it ends, however much it is used.
    pub expires_at: UnixTime,
    /// The service's epoch when that was looked at; under another one it has to be looked at anew.
    pub epoch: u32,
    /// The share link that gave it.
    pub share: Option<SharedAccess>,
}

/// What a share link gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedAccess {
    /// The link.
    pub id: TokenId,
    /// The paths that it is for.
    pub scope: PathScope,
}

/// A session that was opened: what it says, with a visitor who can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What it says.
    pub claims: Claims,
    /// Who the visitor is.
    pub identity: Identity,
}

/// Why a token is no session for this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
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
    /// A session that begins now and was looked at now.
    #[must_use]
    pub fn new(
        id: TokenId,
        service: &str,
        epoch: u32,
        identity: WireIdentity,
        now: UnixTime,
        expires_at: UnixTime,
    ) -> Self {
        let service = service.into();
        Self { id, service, identity, issued_at: now, seen_at: now, checked_at: now, expires_at, epoch, share: None }
    }

    /// Seals the claims. Equal claims make equal tokens.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing) -> Result<String, SealError> {
        let payload = postcard::to_allocvec(self).map_err(|_| SealError::TooLong)?;
        token::seal_anew(ring, Purpose::Session, &payload)
    }
}

/// Opens a session for one service. Whether it still holds is for others to say.
///
/// # Errors
/// [`SessionError`].
pub fn open(ring: &KeyRing, text: &[u8], service: &str) -> Result<Session, SessionError> {
    let payload = match token::open(ring, Purpose::Session, text) {
        Opened::Payload(payload) => payload,
        Opened::Forged => return Err(SessionError::Forged),
        Opened::NotOurs => return Err(SessionError::NotOurs),
    };
    let claims: Claims = postcard::from_bytes(&payload).map_err(|_| SessionError::Forged)?;
    if claims.service != service {
        return Err(SessionError::OtherService);
    }
    let identity = Identity::try_from(claims.identity.clone()).map_err(|_| SessionError::Forged)?;
    Ok(Session { claims, identity })
}

#[cfg(test)]
mod tests {
    use crate::key::{KeyId, Secret};

    use super::*;

    fn claims() -> Claims {
        let identity = WireIdentity { actor: "alice".into(), groups: vec!["ml".into()], ..WireIdentity::default() };
        let (now, end) = (UnixTime::from_millis(1_000), UnixTime::from_millis(2_000));
        Claims::new(TokenId::new(7), "ae5cf6f5", 1, identity, now, end)
    }

    fn ring(id: &str, secret: u8) -> KeyRing {
        KeyRing::new([(KeyId::parse(id).expect("an id"), Secret::new([secret; 32]))])
    }

    #[test]
    fn opens_for_its_service_alone() {
        let token = claims().seal(&ring("k1", 1)).expect("seals");
        let session = open(&ring("k1", 1), token.as_bytes(), "ae5cf6f5").expect("opens");
        assert_eq!((&session.claims, session.identity.actor()), (&claims(), "alice"));
        assert_eq!(open(&ring("k1", 1), token.as_bytes(), "2ef4261c"), Err(SessionError::OtherService));
        assert_eq!(open(&ring("k2", 1), token.as_bytes(), "ae5cf6f5"), Err(SessionError::NotOurs));
        assert_eq!(open(&ring("k1", 2), token.as_bytes(), "ae5cf6f5"), Err(SessionError::Forged));
    }

    #[test]
    fn who_cannot_be_named_has_no_session() {
        let unnamed = Claims { identity: WireIdentity { actor: "a\nb".into(), ..WireIdentity::default() }, ..claims() };
        let token = unnamed.seal(&ring("k1", 1)).expect("seals");
        assert_eq!(open(&ring("k1", 1), token.as_bytes(), "ae5cf6f5"), Err(SessionError::Forged));
    }

    #[test]
    fn shows_neither_visitor_nor_service() {
        let token = claims().seal(&ring("k1", 1)).expect("seals");
        assert!(!token.contains("alice") && !token.contains("ae5cf6f5"));
    }
}
