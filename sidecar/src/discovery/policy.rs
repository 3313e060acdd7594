//! Who may use a service, where a provider knows it by names and groups.

use taskgate_core::service::AccessLevel;

use crate::auth::actor::Actor;
use crate::digest::Digest;

/// The most grants of one service.
pub const MAX_GRANTS: usize = 1_000;

/// How much a person may do with a workload; who can manage can also read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// May look at it.
    CanRead,
    /// May change it.
    CanWrite,
    /// May give others access.
    CanManage,
    /// Whose it is.
    Owner,
}

/// To whom a level is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// One person.
    Actor(String),
    /// Everybody with an accepted credential.
    Everybody,
    /// The members of a group.
    Group(String),
}

/// Who may use a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a visitor needs.
    pub access: AccessLevel,
    /// Whose the workload is.
    pub owner: Option<String>,
    /// What visitors have.
    pub grants: Vec<(Grantee, Level)>,
    /// What else the provider decides by, as a digest, so that its change voids verdicts. 0 where
    /// there is nothing else.
    pub revision: u64,
}

/// Whether an actor may use a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorisation {
    /// Knows of it, but may not use it.
    AccessDenied,
    /// May use it.
    Allow,
    /// Can't be said now. Never a no.
    Unavailable(String),
    /// May not even know that it exists.
    UnknownService,
}

impl Authorisation {
    /// What a level that somebody has, or none, is worth where `access` is needed. Who has nothing at all on the
    /// workload is not told that it exists.
    #[must_use]
    pub fn of_level(access: AccessLevel, held: Option<Level>) -> Self {
        let allowed = match access {
            AccessLevel::Public => true,
            AccessLevel::CanRead => held >= Some(Level::CanRead),
            AccessLevel::CanWrite => held >= Some(Level::CanWrite),
            AccessLevel::CanManage => held >= Some(Level::CanManage),
            AccessLevel::Owner => held == Some(Level::Owner),
            AccessLevel::Nobody => false,
        };
        match (allowed, held) {
            (true, _) => Self::Allow,
            (false, Some(_)) => Self::AccessDenied,
            (false, None) => Self::UnknownService,
        }
    }
}

impl Policy {
    /// Whether an actor may use the service. Who has nothing at all on the workload is not told
    /// that it exists.
    #[must_use]
    pub fn authorise(&self, actor: &Actor) -> Authorisation {
        Authorisation::of_level(self.access, self.level(actor))
    }

    /// The digest of all of it, whatever the order of the grants.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut grants = self.grants.clone();
        grants.sort();
        let access = format!("{:?}", self.access);
        let owner = format!("{:?}", self.owner);
        let grants = format!("{grants:?}");
        let revision = self.revision.to_be_bytes();
        Digest::of_parts(&[access.as_bytes(), owner.as_bytes(), grants.as_bytes(), &revision])
    }

    fn level(&self, actor: &Actor) -> Option<Level> {
        if self.owner.as_deref() == Some(actor.name()) {
            return Some(Level::Owner);
        }
        let granted = self.grants.iter().filter(|(grantee, _)| match grantee {
            Grantee::Actor(name) => name == actor.name(),
            Grantee::Everybody => true,
            Grantee::Group(group) => actor.groups().contains(group),
        });
        granted.map(|(_, level)| *level).max()
    }
}

#[cfg(test)]
mod tests {
    use taskgate_core::identity::WireIdentity;

    use super::*;

    fn actor(name: &str, groups: &[&str]) -> Actor {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Actor::new(WireIdentity { actor: name.into(), groups, ..WireIdentity::default() }, None).expect("an actor")
    }

    fn policy(access: AccessLevel) -> Policy {
        Policy {
            access,
            owner: Some("alice".into()),
            grants: vec![
                (Grantee::Actor("bob".into()), Level::CanRead),
                (Grantee::Group("ml".into()), Level::CanManage),
            ],
            revision: 0,
        }
    }

    #[test]
    fn levels_decide() {
        use Authorisation::{AccessDenied, Allow, UnknownService};

        let cases = [
            (AccessLevel::Public, [Allow, Allow, Allow, Allow]),
            (AccessLevel::CanRead, [Allow, Allow, Allow, UnknownService]),
            (AccessLevel::CanWrite, [Allow, AccessDenied, Allow, UnknownService]),
            (AccessLevel::CanManage, [Allow, AccessDenied, Allow, UnknownService]),
            (AccessLevel::Owner, [Allow, AccessDenied, AccessDenied, UnknownService]),
            (AccessLevel::Nobody, [AccessDenied, AccessDenied, AccessDenied, UnknownService]),
        ];
        let actors = [actor("alice", &[]), actor("bob", &[]), actor("carol", &["ml"]), actor("mallory", &["mlx"])];
        for (access, expected) in cases {
            for (actor, expected) in actors.iter().zip(expected) {
                assert_eq!(policy(access).authorise(actor), expected, "{} at {access:?}", actor.name());
            }
        }
    }

    #[test]
    fn a_name_is_not_a_group_and_a_star_is_everybody() {
        let mut policy = policy(AccessLevel::CanRead);
        assert_eq!(policy.authorise(&actor("ml", &[])), Authorisation::UnknownService);
        assert_eq!(policy.authorise(&actor("x", &["alice", "bob"])), Authorisation::UnknownService);
        policy.grants.push((Grantee::Everybody, Level::CanRead));
        assert_eq!(policy.authorise(&actor("mallory", &[])), Authorisation::Allow);
    }

    #[test]
    fn the_digest_follows_the_policy_and_not_the_order_of_grants() {
        let before = policy(AccessLevel::CanRead);
        let mut reordered = before.clone();
        reordered.grants.reverse();
        assert_eq!(before.digest(), reordered.digest());
        let mut fewer = before.clone();
        fewer.grants.pop();
        let revised = Policy { revision: 1, ..before.clone() };
        for changed in [fewer, revised, policy(AccessLevel::Owner)] {
            assert_ne!(before.digest(), changed.digest(), "{changed:?}");
        }
    }
}
