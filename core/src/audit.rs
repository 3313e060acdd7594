//! What was decided, for the log: the same fields whether a request was let in or not.

use crate::denial::Denial;
use crate::service::{AccessLevel, Service};

/// Why a request was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// It is for one of the paths that the sidecar has on every service.
    OwnPath,
    /// A browser asks what it may ask.
    Preflight,
    /// The service is public.
    Public,
    /// A session.
    Session,
    /// A share link, or a session that one gave.
    Share,
    /// A signed URL.
    SignedUrl,
    /// A verdict that is past its lifetime: the sidecar can't be reached.
    StaleVerdict,
    /// A verdict of the sidecar.
    Verdict,
}

impl Rule {
    /// Every rule, in alphabetical order.
    pub const ALL: [Self; 8] = [
        Self::OwnPath,
        Self::Preflight,
        Self::Public,
        Self::Session,
        Self::Share,
        Self::SignedUrl,
        Self::StaleVerdict,
        Self::Verdict,
    ];

    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OwnPath => "own-path",
            Self::Preflight => "preflight",
            Self::Public => "public",
            Self::Session => "session",
            Self::Share => "share",
            Self::SignedUrl => "signed-url",
            Self::StaleVerdict => "stale-verdict",
            Self::Verdict => "verdict",
        }
    }
}

/// What the log is told of a decision, as far as it was known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The service's id.
    pub service: Option<Box<str>>,
    /// What a visitor needs there.
    pub level: Option<AccessLevel>,
    /// Why the visitor was let in; none where it was not.
    pub rule: Option<Rule>,
    /// Who the visitor is.
    pub actor: Option<Box<str>>,
    /// Why the visitor was not let in.
    pub denial: Option<Denial>,
}

impl Audit {
    /// About a service; nothing else is known yet.
    #[must_use]
    pub fn of(service: &Service<'_>) -> Self {
        Self { service: Some(service.id.into()), level: Some(service.access), ..Self::default() }
    }
}
