//! Verdicts: what the sidecar is asked about a credential, and what it answers.
//!
//! A verdict is about one service and one credential. Allow and deny live as long as the sidecar
//! says; "unavailable" is no verdict and is never kept.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{Identity, WireIdentity};

/// The value of [`crate::feed::ANSWER_HEADER`] on a verdict.
pub const VERDICT_ANSWER: &str = "verdict-v1";
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
}

/// A credential as it is asked about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// In which form it came.
    pub scheme: Scheme,
    /// The cookie's or the parameter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictQuery {
    /// The service's canonical id.
    pub service: String,
    /// The credential.
    pub credential: Credential,
}

/// A decision that the gate may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The holder may use the service.
    Allow(Identity),
    /// The holder may not.
    Deny(Refusal),
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

/// The wire form of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum WireVerdict {
    /// May use the service.
    Allow {
        /// Who the holder is.
        #[serde(flatten)]
        identity: WireIdentity,
        /// How long the verdict holds, in milliseconds.
        lifetime_ms: u64,
    },
    /// May not.
    Deny {
        /// Why.
        code: Refusal,
        /// How long the verdict holds, in milliseconds.
        lifetime_ms: u64,
    },
    /// Can't be said now.
    Unavailable,
}

impl VerdictAnswer {
    /// Reads the body of the sidecar's answer. What is no answer in form is no decision.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<WireVerdict>(body) {
            Ok(wire) => Self::from(wire),
            Err(_) => Self::Unavailable,
        }
    }
}

impl From<WireVerdict> for VerdictAnswer {
    fn from(wire: WireVerdict) -> Self {
        let lifetime = |millis| Duration::from_millis(millis).min(MAX_LIFETIME);
        match wire {
            WireVerdict::Allow { identity, lifetime_ms } => match Identity::try_from(identity) {
                Ok(identity) => Self::Decided(Verdict::Allow(identity), lifetime(lifetime_ms)),
                Err(_) => Self::Unavailable,
            },
            WireVerdict::Deny { code, lifetime_ms } => Self::Decided(Verdict::Deny(code), lifetime(lifetime_ms)),
            WireVerdict::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_answers() {
        let allow = VerdictAnswer::read(br#"{"verdict":"allow","actor":"alice","groups":["ml"],"lifetime_ms":30000}"#);
        assert!(matches!(&allow, VerdictAnswer::Decided(Verdict::Allow(identity), lifetime)
            if identity.actor() == "alice" && *lifetime == Duration::from_secs(30)));
        assert_eq!(
            VerdictAnswer::read(br#"{"verdict":"deny","code":"access-denied","lifetime_ms":5000}"#),
            VerdictAnswer::Decided(Verdict::Deny(Refusal::AccessDenied), Duration::from_secs(5))
        );
        assert_eq!(VerdictAnswer::read(br#"{"verdict":"unavailable"}"#), VerdictAnswer::Unavailable);
    }

    #[test]
    fn what_is_no_answer_never_allows() {
        for body in [
            &b""[..],
            b"{}",
            b"null",
            b"<html>",
            br#"{"verdict":"allow"}"#,
            br#"{"verdict":"allow","actor":"","lifetime_ms":1}"#,
            br#"{"verdict":"allow","actor":"a\r\nx: y","lifetime_ms":1}"#,
            br#"{"verdict":"maybe","actor":"alice","lifetime_ms":1}"#,
            br#"{"verdict":"allow","actor":"alice","lifetime_ms":-1}"#,
            b"\xff\xfe",
        ] {
            assert_eq!(VerdictAnswer::read(body), VerdictAnswer::Unavailable, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn no_verdict_is_kept_for_ever() {
        let answer = VerdictAnswer::read(br#"{"verdict":"deny","code":"access-denied","lifetime_ms":99999999999}"#);
        assert_eq!(answer, VerdictAnswer::Decided(Verdict::Deny(Refusal::AccessDenied), MAX_LIFETIME));
    }

    #[test]
    fn debug_shows_no_credential() {
        let query = VerdictQuery {
            service: "ae5cf6f5".into(),
            credential: Credential { scheme: Scheme::Bearer, name: None, value: "s3cret".into() },
        };
        assert!(!format!("{query:?}").contains("s3cret"));
    }
}
