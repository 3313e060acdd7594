//! The permit: proof that a request may reach a service.
//!
//! Only the ways below make one, and only a permit turns a [`Plan`](crate::plan::Plan) into edits, so a request that was
//! not authorised can't be forwarded: it does not type-check.

use core::time::Duration;
use std::sync::Arc;

use crate::audit::Rule;
use crate::denial::Denial;
use crate::identity::Identity;
use crate::key::KeyRing;
use crate::revocation::Revocations;
use crate::service::{AccessLevel, Service};
use crate::session::{Claims, Session};
use crate::signed_url::{self, SignedUrlError};
use crate::time::UnixTime;
use crate::verdict::{Refusal, Verdict};
use crate::visitor::OWN_PROVIDER;

/// What begins the paths that the sidecar has on every service: for signing in and out.
pub const OWN_PATHS: &[u8] = b"/.taskgate/";

/// Who a visitor is, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The holder of a credential that the sidecar knows: a [`Verdict::Allow`].
    Holder(Arc<Verdict>),
    /// Anybody.
    Nobody,
    /// The holder of a session.
    Session(Box<Session>),
}

impl Who {
    /// The visitor, where that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Holder(verdict) => match &**verdict {
                Verdict::Allow { identity, .. } => Some(identity),
                Verdict::Deny { .. } => None,
            },
            Self::Nobody => None,
            Self::Session(session) => Some(&session.identity),
        }
    }
}

/// Proof that a request may go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    who: Who,
    rule: Rule,
}

/// By what a session is judged.
#[derive(Clone, Copy, Debug)]
pub struct SessionRules<'a> {
    /// What was ended before its time.
    pub revocations: &'a Revocations,
    /// How long it lasts without being used.
    pub idle: Duration,
    /// How long it is believed without asking anew.
    pub recheck: Duration,
}

/// What a session is worth now.
#[derive(Debug)]
pub enum Worth {
    /// It lets in.
    Good(Permit),
    /// It has to be asked whether it still holds: the service's access has changed, or it was not looked at for long.
    Unsure(Box<Session>),
}

impl Permit {
    /// A public service lets everybody in.
    #[must_use]
    pub fn public(service: &Service<'_>) -> Option<Self> {
        (service.access == AccessLevel::Public).then_some(Self { who: Who::Nobody, rule: Rule::Public })
    }

    /// The paths that the sidecar has on every service are for everybody.
    #[must_use]
    pub fn own_path(path: &[u8]) -> Option<Self> {
        path.starts_with(OWN_PATHS).then_some(Self { who: Who::Nobody, rule: Rule::OwnPath })
    }

    /// What a session is worth at a service now, for a path as it came.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub fn session(
        session: Box<Session>,
        service: &Service<'_>,
        path: &[u8],
        rules: SessionRules<'_>,
        now: UnixTime,
    ) -> Result<Worth, Denial> {
        let claims = &session.claims;
        let ended = match claims.share {
            Some(_) => Denial::ShareEnded,
            None => Denial::SessionEnded,
        };
        if rules.revocations.end_session(claims) || now >= claims.expires_at || now.since(claims.seen_at) >= rules.idle
        {
            return Err(ended);
        }
        if claims.share.as_ref().is_some_and(|share| !share.scope.has(path)) {
            return Err(Denial::OutsideShare);
        }
        let is_sure = claims.epoch == service.epoch && now.since(claims.checked_at) < rules.recheck;
        Ok(if is_sure { Worth::Good(Self::of_session(session)) } else { Worth::Unsure(session) })
    }

    /// What the sidecar said of a session that it was asked about.
    ///
    /// # Errors
    /// The denial it decided on.
    pub fn rechecked(session: Box<Session>, verdict: &Verdict) -> Result<Self, Denial> {
        match verdict {
            Verdict::Allow { .. } => Ok(Self::of_session(session)),
            Verdict::Deny { refusal: Refusal::CredentialRejected, .. } if session.claims.share.is_some() => {
                Err(Denial::ShareEnded)
            }
            Verdict::Deny { refusal: Refusal::CredentialRejected, .. } => Err(Denial::SessionEnded),
            Verdict::Deny { refusal, .. } => Err((*refusal).into()),
        }
    }

    fn of_session(session: Box<Session>) -> Self {
        let rule = if session.claims.share.is_some() { Rule::Share } else { Rule::Session };
        Self { who: Who::Session(session), rule }
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
        Ok(Self { who: Who::Nobody, rule: Rule::SignedUrl })
    }

    /// What a browser asks before it asks for anything (`OPTIONS`). The sidecar's own services do nothing else
    /// then than to say who may ask.
    #[must_use]
    pub fn preflight(service: &Service<'_>, method: &[u8]) -> Option<Self> {
        let is_preflight = service.provider == OWN_PROVIDER && method == b"OPTIONS";
        is_preflight.then_some(Self { who: Who::Nobody, rule: Rule::Preflight })
    }

    /// What the sidecar decided; stale where that was too long ago and it can't be asked.
    ///
    /// # Errors
    /// The denial it decided on.
    pub fn verdict(verdict: &Arc<Verdict>, is_stale: bool) -> Result<Self, Denial> {
        match &**verdict {
            Verdict::Allow { .. } => {
                let rule = if is_stale { Rule::StaleVerdict } else { Rule::Verdict };
                Ok(Self { who: Who::Holder(Arc::clone(verdict)), rule })
            }
            Verdict::Deny { refusal, .. } => Err((*refusal).into()),
        }
    }

    /// Who the visitor is, where that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.who.identity()
    }

    /// The session that lets in, where it is one.
    #[must_use]
    pub fn session_claims(&self) -> Option<&Claims> {
        match &self.who {
            Who::Session(session) => Some(&session.claims),
            Who::Holder(_) | Who::Nobody => None,
        }
    }

    /// Who it is for.
    #[must_use]
    pub const fn who(&self) -> &Who {
        &self.who
    }

    /// Why the visitor is let in.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// What is left of it once it has been used: who it was for.
    #[must_use]
    pub fn into_who(self) -> Who {
        self.who
    }
}
