//! The steps of a decision, for whoever asks why.
//!
//! The gate that decides tells them; a gate in a proxy has nobody to tell and does nothing for it.

use core::fmt;

use crate::credential::{Place, Source};
use crate::denial::Denial;
use crate::service::{AccessLevel, Service};

/// One step on the way to a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The address names a service.
    Service {
        /// Its id.
        id: String,
        /// Its three names: workload, task, service.
        names: [String; 3],
        /// What a visitor needs.
        level: AccessLevel,
        /// Whether it was named by a label that can change hands.
        by_alias: bool,
    },
    /// The path is one of the sidecar's own.
    OwnPath,
    /// The browser has cookies of another owner's service, and has to start anew.
    ForeignThings,
    /// A page of another origin asks for more than an answer: cookies don't count.
    ForeignPage,
    /// A sealed token was found, and opens for this service.
    Session {
        /// Where.
        place: Place,
        /// Whose it is.
        actor: String,
        /// What it is worth.
        worth: SessionWorth,
    },
    /// A sealed token was found that is for another service, forged, or under a key that is gone.
    ForeignToken(Place),
    /// The link in the query shares the service.
    Share,
    /// The service is public.
    Public,
    /// A signature in the URL takes the place of a credential.
    SignedUrl,
    /// A credential of the platform was found.
    Credential(Source),
    /// There is none.
    NoCredential,
    /// The visitor will be sent to the same URL without what was in its query.
    Handshake,
    /// A verdict is known already.
    KnownVerdict,
    /// Only one is known that is past its lifetime.
    StaleVerdict,
    /// The sidecar is asked.
    Asks,
}

/// What a session is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionWorth {
    /// It lets in.
    Good,
    /// It has to be asked whether it still holds.
    Unsure,
    /// It does not let in.
    Refused(Denial),
}

/// Who is told the steps.
pub(crate) trait Listener {
    /// Whether anybody listens.
    const LISTENS: bool;

    /// Takes a step down. What it says is made only where somebody listens.
    fn note(&mut self, note: impl FnOnce() -> Note);
}

/// Nobody.
impl Listener for () {
    const LISTENS: bool = false;

    fn note(&mut self, _note: impl FnOnce() -> Note) {}
}

impl Listener for Vec<Note> {
    const LISTENS: bool = true;

    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.push(note());
    }
}

impl Note {
    /// The service that an address names.
    pub(crate) fn service(service: &Service<'_>, by_alias: bool) -> Self {
        let names = [service.operation, service.task, service.name()].map(Into::into);
        Self::Service { id: service.id.into(), names, level: service.access, by_alias }
    }

    /// The stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Service { .. } => "service",
            Self::OwnPath => "own-path",
            Self::ForeignThings => "foreign-things",
            Self::ForeignPage => "foreign-page",
            Self::Session { .. } => "session",
            Self::ForeignToken(_) => "foreign-token",
            Self::Share => "share",
            Self::Public => "public",
            Self::SignedUrl => "signed-url",
            Self::Credential(_) => "credential",
            Self::NoCredential => "no-credential",
            Self::Handshake => "handshake",
            Self::KnownVerdict => "known-verdict",
            Self::StaleVerdict => "stale-verdict",
            Self::Asks => "asks",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { id, names: [operation, task, service], level, by_alias } => {
                let how = if *by_alias { "a name that can change hands" } else { "its id" };
                let level = level.code();
                write!(
                    formatter,
                    "the address names service {id} ({operation} {task} {service}) by {how}; it needs `{level}`"
                )
            }
            Self::OwnPath => formatter.write_str("paths below /.taskgate/ are the sidecar's, for everybody"),
            Self::ForeignThings => {
                formatter.write_str("the browser has things of an owner before: they are cleared first")
            }
            Self::ForeignPage => {
                formatter.write_str("a page of another origin asks: the visitor's cookies don't count")
            }
            Self::Session { place, actor, worth } => {
                let place = place_text(*place);
                match worth {
                    SessionWorth::Good => write!(formatter, "{place} has a session of {actor}, which holds"),
                    SessionWorth::Unsure => {
                        write!(
                            formatter,
                            "{place} has a session of {actor}, of which the sidecar is asked whether it still holds"
                        )
                    }
                    SessionWorth::Refused(denial) => {
                        write!(formatter, "{place} has a session of {actor}, which does not let in: {}", denial.code())
                    }
                }
            }
            Self::ForeignToken(place) => {
                let place = place_text(*place);
                write!(
                    formatter,
                    "{place} has a sealed token that is not for this service, or not of this installation"
                )
            }
            Self::Share => formatter.write_str("the query has a share link of this service"),
            Self::Public => formatter.write_str("the service is public: nobody is asked who they are"),
            Self::SignedUrl => formatter.write_str("the signature in the URL takes the place of a credential"),
            Self::Credential(source) => {
                let place = match source {
                    Source::Authorization => "the header Authorization",
                    Source::Cookie => "a cookie of the platform",
                    Source::OwnHeader => "the header x-taskgate-authorization",
                    Source::Query => "the query",
                };
                write!(formatter, "{place} has a credential of the platform")
            }
            Self::NoCredential => formatter.write_str("nothing says who asks"),
            Self::Handshake => {
                formatter.write_str("the visitor is sent to the same URL without it, with a session in its place")
            }
            Self::KnownVerdict => formatter.write_str("the verdict is known"),
            Self::StaleVerdict => formatter.write_str("a verdict is known that is past its lifetime"),
            Self::Asks => formatter.write_str("the sidecar is asked"),
        }
    }
}

const fn place_text(place: Place) -> &'static str {
    match place {
        Place::Cookie => "the session cookie",
        Place::Header => "a header",
    }
}
