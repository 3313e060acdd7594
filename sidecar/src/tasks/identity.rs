//! Who asks: the server of the data says it, from the very credential that the work will be done with.
//!
//! Nothing is known here about users and passwords. The `Authorization` header goes to the server, and what it
//! says is kept for a short while under a keyed hash of the header, never under the header itself. Requests
//! that come at the same moment with the same header ask once. That the server can't say is never kept.
//!
//! A token is not checked here. Of one that says when it ends, the end is believed: the worst that a forged one
//! can do is to end the work of whoever forged it.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use moka::future::Cache;
use serde::Deserialize;
use taskgate_core::key::Secret;
use taskgate_core::time::UnixTime;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock::SharedClock;
use crate::hsds::client::error::HsdsError;
use crate::hsds::client::{Hsds, Session};
use crate::random::{self, NoRandomness};
use crate::secret::SecretText;
use crate::tasks::row::Owner;

/// The longest credential, in bytes: the server takes no longer header.
pub const MAX_CREDENTIAL: usize = 7 << 10;
/// The longest name of a user, in bytes.
const MAX_NAME: usize = 256;
/// How long it counts whose a credential is.
const KNOWN_LIFETIME: Duration = Duration::from_secs(30);
/// How long it counts that a credential is nobody's.
const REFUSED_LIFETIME: Duration = Duration::from_secs(5);
/// How many credentials are remembered.
const MAX_ENTRIES: u64 = 10_000;
/// How long the server may take to say it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names that stand for nobody in particular.
const NOBODY: [&str; 3] = ["", "anonymous", "default"];

/// What says who asks.
pub struct Identities {
    hsds: Hsds,
    known: Cache<[u8; 32], Known>,
    key: Secret,
    clock: SharedClock,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their name.
    pub owner: Owner,
    /// Whether the server lets them do everything.
    pub is_admin: bool,
    /// The credential they showed: the value of the `Authorization` header.
    pub credential: SecretText,
    /// When it ends, where it says so.
    pub expires: Option<UnixTime>,
    /// The server, asked with that credential.
    pub session: Session,
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unidentified {
    /// The credential is none that can be used here.
    #[error("the credential must be of the scheme Basic or Bearer, and have {MAX_CREDENTIAL} bytes at most")]
    Scheme,
    /// The token says that it has ended.
    #[error("the token has ended")]
    Ended,
    /// The server does not accept the credential.
    #[error("the server does not accept the credential")]
    Refused,
    /// The server can't say now.
    #[error("the server of the data can't say now whose the credential is")]
    Unavailable,
}

#[derive(Clone, Debug)]
struct Known {
    who: Result<(Owner, bool), Unidentified>,
    until: UnixTime,
}

/// The part of a token that is read.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

impl Identities {
    /// Asks that server.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(hsds: Hsds, clock: SharedClock) -> Result<Self, NoRandomness> {
        let known = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(KNOWN_LIFETIME).build();
        Ok(Self { hsds, known, key: Secret::new(random::bytes()?), clock })
    }

    /// Who shows this credential, the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`Unidentified`].
    pub async fn of(&self, credential: SecretText) -> Result<Caller, Unidentified> {
        let token = token(credential.expose())?;
        let expires = token.and_then(ends);
        let now = self.clock.now();
        if expires.is_some_and(|end| end <= now) {
            return Err(Unidentified::Ended);
        }
        let session = self.hsds.with(&credential).map_err(|_| Unidentified::Scheme)?.patient(PATIENCE);
        let inquiry = async {
            let who = ask(&session).await;
            let lifetime = match &who {
                Ok(_) => KNOWN_LIFETIME,
                Err(Unidentified::Unavailable) => Duration::ZERO,
                Err(_) => REFUSED_LIFETIME,
            };
            Known { who, until: now.after(lifetime) }
        };
        let entry = self.known.entry(self.hash(credential.expose()));
        // A clock that jumped back must not make it last.
        let is_over = |known: &Known| known.until <= now || known.until > now.after(KNOWN_LIFETIME);
        let (owner, is_admin) = entry.or_insert_with_if(inquiry, is_over).await.into_value().who?;
        Ok(Caller { owner, is_admin, credential, expires, session })
    }

    fn hash(&self, credential: &str) -> [u8; 32] {
        *self.key.derive(credential.as_bytes()).expose()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identities").field("known", &self.known.entry_count()).finish_non_exhaustive()
    }
}

async fn ask(session: &Session) -> Result<(Owner, bool), Unidentified> {
    match session.whoami().await {
        Ok(who) => {
            let is_somebody = !NOBODY.contains(&who.username.as_str())
                && who.username.len() <= MAX_NAME
                && !who.username.chars().any(char::is_control);
            if is_somebody { Ok((Owner::new(who.username), who.is_admin)) } else { Err(Unidentified::Refused) }
        }
        Err(error) if error.is_passing() => {
            tracing::warn!(%error, "the server of the data can't say whose a credential is");
            Err(Unidentified::Unavailable)
        }
        Err(HsdsError::Malformed(reason)) => {
            tracing::warn!(reason, "the server of the data did not say whose a credential is");
            Err(Unidentified::Unavailable)
        }
        Err(_) => Err(Unidentified::Refused),
    }
}

/// The token of a credential; none of a password.
fn token(credential: &str) -> Result<Option<&str>, Unidentified> {
    if credential.len() > MAX_CREDENTIAL {
        return Err(Unidentified::Scheme);
    }
    match credential.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim_start())),
        // The server breaks on what is no name and password.
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
            let pair = STANDARD.decode(pair.trim()).ok().map(Zeroizing::new).ok_or(Unidentified::Scheme)?;
            let is_pair = std::str::from_utf8(&pair).is_ok_and(|pair| pair.contains(':'));
            if is_pair { Ok(None) } else { Err(Unidentified::Scheme) }
        }
        _ => Err(Unidentified::Scheme),
    }
}

/// When a token ends, where it is one that says so.
fn ends(token: &str) -> Option<UnixTime> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let end = serde_json::from_slice::<Claims>(&claims).ok()?.exp?;
    // A cast of what is too large or negative goes to the nearer end of time.
    Some(UnixTime::from_millis((end * 1_000.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_end_of_a_token_is_read_where_it_says_one() {
        for (claims, end) in [
            (r#"{"exp": 1767225600}"#, Some(1_767_225_600_000)),
            (r#"{"exp": 1767225600.5, "sub": "a"}"#, Some(1_767_225_600_500)),
            (r#"{"exp": -1}"#, Some(0)),
            (r#"{"exp": 1e300}"#, Some(u64::MAX)),
            (r#"{"exp": "1767225600"}"#, None),
            (r#"{}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(ends(&jwt(claims)), end.map(UnixTime::from_millis), "{claims}");
        }
        for token in ["", "opaque", "a.b", "a.!.c", "a.b.c.d", &"a".repeat(5_000)] {
            assert_eq!(ends(token), None, "{token}");
        }
    }

    #[test]
    fn schemes_that_the_server_may_know_pass() {
        for (credential, expected) in [
            ("Basic YTpi", Ok(None)),
            ("bearer x.y.z", Ok(Some("x.y.z"))),
            ("BEARER  x", Ok(Some("x"))),
            ("Digest x", Err(Unidentified::Scheme)),
            ("Basic", Err(Unidentified::Scheme)),
            ("Basic !", Err(Unidentified::Scheme)),
            ("Basic YWI=", Err(Unidentified::Scheme)),
            ("Basic /zr/", Err(Unidentified::Scheme)),
            ("", Err(Unidentified::Scheme)),
        ] {
            assert_eq!(token(credential), expected, "{credential}");
        }
        assert_eq!(token(&format!("Basic {}", "x".repeat(MAX_CREDENTIAL))), Err(Unidentified::Scheme));
    }
}
