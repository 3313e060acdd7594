//! A visitor whose credential was accepted.

use taskgate_core::identity::{Identity, InvalidIdentity, WireIdentity};
use taskgate_core::time::UnixTime;
use thiserror::Error;

/// The most groups an actor is looked at with.
const MAX_GROUPS: usize = 1_000;
/// What names of visitors by a share link begin with; such a visitor is nobody's actor.
const LINK_PREFIX: &str = "share:";

/// A visitor whose credential was accepted.
///
/// Invariant: name and mail address can stand in a header (see [`Identity`]); the name is none that visitors by a share
/// link have; a group is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    identity: WireIdentity,
    expires_at: Option<UnixTime>,
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
}

impl Actor {
    /// An actor; `expires_at` is when the credential ends.
    ///
    /// # Errors
    /// [`InvalidActor`].
    pub fn new(mut identity: WireIdentity, expires_at: Option<UnixTime>) -> Result<Self, InvalidActor> {
        if identity.actor.starts_with(LINK_PREFIX) {
            return Err(InvalidActor::Link);
        }
        identity.groups.retain(|group| !group.is_empty());
        identity.groups.truncate(MAX_GROUPS);
        Identity::try_from(identity.clone())?;
        Ok(Self { identity, expires_at })
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
}
