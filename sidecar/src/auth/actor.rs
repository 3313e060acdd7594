//! A visitor whose credential was accepted.

use taskgate_core::identity::{Identity, InvalidIdentity, WireIdentity};
use taskgate_core::time::UnixTime;
use thiserror::Error;

/// The most groups an actor is looked at with.
const MAX_GROUPS: usize = 1_000;
/// What names of visitors by a share link begin with; such a visitor is nobody's actor.
const LINK_PREFIX: &str = "share:";
/// What names of visitors from a network begin with; the network comes after it.
pub const NETWORK_PREFIX: &str = "source:";
/// What names of those begin with who hold a token for one task and are nobody else; the task comes after it.
pub const TASK_TOKEN_PREFIX: &str = "task-token:";

/// A visitor whose credential was accepted.
///
/// Invariant: name and mail address can stand in a header (see [`Identity`]); the name is none that visitors by a share
/// link have, and one that the sidecar gives itself only where it did; a group is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    identity: WireIdentity,
    expires_at: Option<UnixTime>,
    source: &'static str,
}

/// Why somebody is no actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidActor {
    /// Can't be told to a job.
    #[error(transparent)]
    Identity(#[from] InvalidIdentity),
    /// Would pass for a visitor by a share link.
    #[error("login name begins with `share:`, as those of visitors by a share link do")]
    Link,
    /// Would pass for somebody whom the sidecar names itself.
    #[error("login name begins with `source:` or `task-token:`, as those do that the sidecar gives itself")]
    Reserved,
}

impl Actor {
    /// An actor; `expires_at` is when the credential ends.
    ///
    /// # Errors
    /// [`InvalidActor`].
    pub fn new(identity: WireIdentity, expires_at: Option<UnixTime>) -> Result<Self, InvalidActor> {
        if [NETWORK_PREFIX, TASK_TOKEN_PREFIX].iter().any(|prefix| identity.actor.starts_with(prefix)) {
            return Err(InvalidActor::Reserved);
        }
        Self::named_here(identity, expires_at)
    }

    /// The same, where it is the sidecar that names them: none of the name came from outside as it is.
    ///
    /// # Errors
    /// [`InvalidActor`].
    pub fn named_here(mut identity: WireIdentity, expires_at: Option<UnixTime>) -> Result<Self, InvalidActor> {
        if identity.actor.starts_with(LINK_PREFIX) {
            return Err(InvalidActor::Link);
        }
        identity.groups.retain(|group| !group.is_empty());
        identity.groups.truncate(MAX_GROUPS);
        Identity::try_from(identity.clone())?;
        Ok(Self { identity, expires_at, source: "" })
    }

    /// The same, found by that source: one name of two sources may be two people.
    #[must_use]
    pub fn found_by(self, source: &'static str) -> Self {
        Self { source, ..self }
    }

    /// The source that found them in this very question; empty: none did.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// Login name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.actor
    }

    /// Groups.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.identity.groups
    }

    /// The UUID by which Arvados knows them.
    #[must_use]
    pub fn arvados_user_uuid(&self) -> Option<&str> {
        self.identity.arvados_user_uuid.as_deref()
    }

    /// When the credential ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// The wire form.
    #[must_use]
    pub fn into_identity(self) -> WireIdentity {
        self.identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_like_a_visitor_by_a_link() {
        let named = |actor: &str| Actor::new(WireIdentity { actor: actor.into(), ..WireIdentity::default() }, None);
        assert_eq!(named("share:000000000000000a"), Err(InvalidActor::Link));
        assert_eq!(named("a\nb"), Err(InvalidActor::Identity(InvalidIdentity::Actor)));
        assert!(named("share").is_ok() && named("user:share:a").is_ok());
    }

    #[test]
    fn nobody_outside_takes_a_name_that_the_sidecar_gives_itself() {
        let identity = |actor: &str| WireIdentity { actor: actor.into(), ..WireIdentity::default() };
        for name in ["task-token:a", "source:10.0.0.0/8"] {
            assert_eq!(Actor::new(identity(name), None), Err(InvalidActor::Reserved), "{name}");
            assert!(Actor::named_here(identity(name), None).is_ok(), "{name}");
        }
        assert!(Actor::new(identity("task-token"), None).is_ok());
        assert_eq!(Actor::named_here(identity("share:a"), None), Err(InvalidActor::Link));
    }
}
