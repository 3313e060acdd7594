//! A visitor whose credential was accepted.

use taskgate_core::identity::{Identity, InvalidIdentity, WireIdentity};
use taskgate_core::time::UnixTime;

/// The most groups an actor is looked at with.
const MAX_GROUPS: usize = 1_000;

/// A visitor whose credential was accepted.
///
/// Invariant: name and mail address can stand in a header (see [`Identity`]); a group is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    identity: WireIdentity,
    expires_at: Option<UnixTime>,
}

impl Actor {
    /// An actor; `expires_at` is when the credential ends.
    ///
    /// # Errors
    /// [`InvalidIdentity`].
    pub fn new(mut identity: WireIdentity, expires_at: Option<UnixTime>) -> Result<Self, InvalidIdentity> {
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
