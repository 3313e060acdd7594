//! The permit: proof that a request may reach a service.
//!
//! Only the ways below make one, and only a permit turns a [`Plan`] into edits, so a request that was
//! not authorised can't be forwarded: it does not type-check.

use crate::credential::CredentialEdits;
use crate::denial::Denial;
use crate::edit::{RequestEdits, Upstream};
use crate::identity::Identity;
use crate::key::{KeyRing, Purpose};
use crate::service::{AccessLevel, Service};
use crate::session::{self, SessionError};
use crate::signed_url::{self, SignedUrlError};
use crate::time::UnixTime;
use crate::verdict::Verdict;
use crate::visitor::{self, OWN_PROVIDER};

/// Proof that a request may go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    identity: Option<Identity>,
}

impl Permit {
    /// A public service lets everybody in.
    #[must_use]
    pub fn public(service: &Service<'_>) -> Option<Self> {
        (service.access == AccessLevel::Public).then_some(Self { identity: None })
    }

    /// What a sealed token, session or share, is worth for the service now.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub fn sealed(ring: &KeyRing, token: &[u8], service: &Service<'_>, now: UnixTime) -> Result<Self, SessionError> {
        let open = |purpose| session::open(ring, purpose, token, service.id, service.epoch, now);
        let identity = match open(Purpose::Session) {
            Err(SessionError::NotOurs) => open(Purpose::Share)?,
            opened => opened?,
        };
        Ok(Self { identity: Some(identity) })
    }

    /// What a signed URL is worth now, by method, path and query as they came. Its holder can be anybody.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub fn signed_url(
        ring: &KeyRing,
        audience: &str,
        method: &[u8],
        path: &[u8],
        now: UnixTime,
    ) -> Result<Self, SignedUrlError> {
        signed_url::check(ring, audience, method, path, now)?;
        Ok(Self { identity: None })
    }

    /// What a browser asks before it asks for anything (`OPTIONS`). The sidecar's own services do nothing else
    /// then than to say who may ask.
    #[must_use]
    pub fn preflight(service: &Service<'_>, method: &[u8]) -> Option<Self> {
        (service.provider == OWN_PROVIDER && method == b"OPTIONS").then_some(Self { identity: None })
    }

    /// What the sidecar decided.
    ///
    /// # Errors
    /// The denial it decided on.
    pub fn verdict(verdict: &Verdict) -> Result<Self, Denial> {
        match verdict {
            Verdict::Allow(identity) => Ok(Self { identity: Some(identity.clone()) }),
            Verdict::Deny(refusal) => Err((*refusal).into()),
        }
    }

    /// Who the visitor is, where that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}

/// What would happen to a request if it were permitted. Owned, so that it can wait for a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it would go; none where no job runs (told only to those who may know).
    pub upstream: Option<Upstream>,
    /// What is taken out of it.
    pub credentials: CredentialEdits,
    /// Names, as they came, of headers that no client may set.
    pub remove: Vec<Vec<u8>>,
    /// When it came, where it is for the sidecar itself, which wants to be told who asks ([`visitor`]).
    pub vouch_at: Option<UnixTime>,
}

impl Plan {
    /// Carries the plan out. The ring vouches for the visitor, where somebody has to.
    ///
    /// # Errors
    /// [`Denial::NoEndpoint`].
    pub fn carry_out(self, permit: Permit, ring: &KeyRing) -> Result<RequestEdits, Denial> {
        let CredentialEdits { authorization, cookie, path } = self.credentials;
        let upstream = self.upstream.ok_or(Denial::NoEndpoint)?;
        let (remove, identity) = (self.remove, permit.identity);
        let vouched = identity.as_ref().zip(self.vouch_at);
        let vouch = vouched.and_then(|(identity, now)| visitor::vouch(ring, identity, now));
        Ok(RequestEdits { upstream, authorization, cookie, path, remove, identity, vouch })
    }

    /// Whether the plan can be carried out only by an ingress that can change a path.
    #[must_use]
    pub fn changes_path(&self) -> bool {
        self.credentials.path.is_some()
    }
}
