//! Verdicts: what the sidecar is asked about a credential, and what it answers.
//!
//! A verdict is about one service and one credential. Allow and deny live as long as the sidecar
//! says; "unavailable" is no verdict and is never kept.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{Identity, WireIdentity, is_header_text};
use crate::time::UnixTime;

/// The value of [`crate::feed::ANSWER_HEADER`] on a verdict.
pub const VERDICT_ANSWER: &str = "verdict-v1";
/// The version of the answer's wire form; the filter believes no other.
const FORMAT: u8 = 2;
/// The version of the question's; the sidecar believes no other.
const QUERY_FORMAT: u8 = 3;
/// The longest a verdict may be kept, whatever the sidecar says.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// The longest credential that is asked about, in bytes.
pub const MAX_CREDENTIAL: usize = 8192;

/// In which form a credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `Authorization: Bearer …`, or Taskgate's own header.
    Bearer,
    /// A cookie the platform sets.
    Cookie,
    /// `Authorization: OAuth …`.
    Oauth,
    /// A query parameter.
    Query,
    /// A session that the gate has opened, and wants to hear whether it still holds.
    Session,
    /// What the proxy knows of a connection's other end: see [`crate::peer`]. No request ever makes one.
    Peer,
}

/// A credential as it is asked about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// In which form it came.
    pub scheme: Scheme,
    /// The cookie's or the parameter's name.
    pub name: Option<String>,
    /// The secret itself.
    pub value: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({:?} {:?} ****)", self.scheme, self.name)
    }
}

/// The question to the sidecar: may the holder of this credential use this service?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictQuery {
    /// The service's canonical id.
    pub service: String,
    /// The service's epoch in the table of whoever asks. Under another one the sidecar knows another service
    /// by that id, or another policy, and says nothing about this one.
    pub epoch: u32,
    /// The credential.
    pub credential: Credential,
}

impl VerdictQuery {
    /// The wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Credential { scheme, name, value } = &self.credential;
        postcard::to_allocvec(&(QUERY_FORMAT, &self.service, self.epoch, scheme, name, value)).unwrap_or_default()
    }

    /// Reads the wire form. None where the bytes are no question, or one of another release.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<(u8, String, u32, Scheme, Option<String>, String)>(bytes) {
            Ok(((QUERY_FORMAT, service, epoch, scheme, name, value), [])) => {
                Some(Self { service, epoch, credential: Credential { scheme, name, value } })
            }
            _ => None,
        }
    }
}

/// A decision that the gate may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The holder may use the service.
    Allow {
        /// Who the holder is.
        identity: Identity,
        /// When the credential ends, where that is known: no session that is made of it lasts longer.
        ends_at: Option<UnixTime>,
    },
    /// The holder may not.
    Deny {
        /// Why.
        refusal: Refusal,
        /// Who the holder is, where that is known.
        actor: Option<Box<str>>,
    },
}

/// Why the sidecar said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Known, but not allowed to use this service.
    AccessDenied,
    /// No such credential: wrong, expired or revoked.
    CredentialRejected,
    /// Not allowed to know that the service exists.
    UnknownService,
}

/// What the sidecar answered, or did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictAnswer {
    /// A decision, to be kept that long at most.
    Decided(Verdict, Duration),
    /// None: the platform can't be asked, or the sidecar did not answer in time or in form.
    Unavailable,
}

/// An answer as the sidecar gives it, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireVerdict {
    /// May use the service.
    Allow {
        /// Who the holder is.
        identity: WireIdentity,
        /// How long the verdict holds, in milliseconds.
        lifetime_ms: u64,
        /// When the credential ends, where that is known.
        ends_at: Option<UnixTime>,
    },
    /// May not.
    Deny {
        /// Why.
        code: Refusal,
        /// Who the holder is, where that is known.
        actor: Option<String>,
        /// How long the verdict holds, in milliseconds.
        lifetime_ms: u64,
    },
    /// Can't be said now.
    Unavailable,
}

impl WireVerdict {
    /// The wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(&(FORMAT, self)).unwrap_or_default()
    }
}

impl VerdictAnswer {
    /// Reads the body of the sidecar's answer. What is no answer in form is no decision.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        match postcard::take_from_bytes::<(u8, WireVerdict)>(body) {
            Ok(((FORMAT, wire), [])) => Self::from(wire),
            _ => Self::Unavailable,
        }
    }
}

impl From<WireVerdict> for VerdictAnswer {
    fn from(wire: WireVerdict) -> Self {
        let lifetime = |millis| Duration::from_millis(millis).min(MAX_LIFETIME);
        match wire {
            WireVerdict::Allow { identity, lifetime_ms, ends_at } => match Identity::try_from(identity) {
                Ok(identity) => Self::Decided(Verdict::Allow { identity, ends_at }, lifetime(lifetime_ms)),
                Err(_) => Self::Unavailable,
            },
            WireVerdict::Deny { code, actor, lifetime_ms } => {
                // Only who can be named in a header can be named in an audit.
                let actor = actor.filter(|actor| is_header_text(actor)).map(Into::into);
                Self::Decided(Verdict::Deny { refusal: code, actor }, lifetime(lifetime_ms))
            }
            WireVerdict::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(actor: &str, lifetime_ms: u64) -> WireVerdict {
        let identity = WireIdentity { actor: actor.into(), groups: vec!["ml".into()], ..WireIdentity::default() };
        WireVerdict::Allow { identity, lifetime_ms, ends_at: Some(UnixTime::from_millis(7)) }
    }

    fn deny(lifetime_ms: u64) -> WireVerdict {
        WireVerdict::Deny { code: Refusal::AccessDenied, actor: Some("bob".into()), lifetime_ms }
    }

    #[test]
    fn reads_the_three_answers() {
        assert!(matches!(VerdictAnswer::read(&allow("alice", 30_000).encode()),
            VerdictAnswer::Decided(Verdict::Allow { identity, ends_at: Some(_) }, lifetime)
            if identity.actor() == "alice" && lifetime == Duration::from_secs(30)));
        assert_eq!(
            VerdictAnswer::read(&deny(5_000).encode()),
            VerdictAnswer::Decided(
                Verdict::Deny { refusal: Refusal::AccessDenied, actor: Some("bob".into()) },
                Duration::from_secs(5)
            )
        );
        assert_eq!(VerdictAnswer::read(&WireVerdict::Unavailable.encode()), VerdictAnswer::Unavailable);
    }

    #[test]
    fn what_is_no_answer_never_allows() {
        let whole = allow("alice", 1).encode();
        for end in 0..whole.len() {
            assert_eq!(VerdictAnswer::read(&whole[..end]), VerdictAnswer::Unavailable, "cut at {end}");
        }
        let foreign = [&[9], &whole[1..]].concat();
        let long = [&whole[..], &[0]].concat();
        for body in [&foreign[..], &long, b"<html>", b"{}", b"\xff\xfe"] {
            assert_eq!(VerdictAnswer::read(body), VerdictAnswer::Unavailable, "{body:?}");
        }
        for actor in ["", "a\r\nx: y", " a"] {
            assert_eq!(VerdictAnswer::read(&allow(actor, 1).encode()), VerdictAnswer::Unavailable, "{actor:?}");
        }
    }

    #[test]
    fn no_verdict_is_kept_for_ever() {
        let kept = VerdictAnswer::Decided(
            Verdict::Deny { refusal: Refusal::AccessDenied, actor: Some("bob".into()) },
            MAX_LIFETIME,
        );
        assert_eq!(VerdictAnswer::read(&deny(u64::MAX).encode()), kept);
    }

    #[test]
    fn questions_read_back() {
        let query = VerdictQuery {
            service: "ae5cf6f5".into(),
            epoch: u32::MAX,
            credential: Credential { scheme: Scheme::Cookie, name: Some("c".into()), value: "v".into() },
        };
        let bytes = query.encode();
        assert_eq!(VerdictQuery::decode(&bytes), Some(query));
        for end in 0..bytes.len() {
            assert_eq!(VerdictQuery::decode(&bytes[..end]), None, "cut at {end}");
        }
        let of_another_release = [&[1], &bytes[1..]].concat();
        assert_eq!(VerdictQuery::decode(&of_another_release), None);
    }

    #[test]
    fn debug_shows_no_credential() {
        let query = VerdictQuery {
            service: "ae5cf6f5".into(),
            epoch: u32::MAX,
            credential: Credential { scheme: Scheme::Bearer, name: None, value: "s3cret".into() },
        };
        assert!(!format!("{query:?}").contains("s3cret"));
    }
}
