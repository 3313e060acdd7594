//! What was ended before its time: sessions, shares, and everything that one person has.
//!
//! The list rides with the table, so every worker knows of it within a moment; an entry is needed only as long as
//! what it ends would live.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::session::Claims;
use crate::time::UnixTime;
use crate::token::TokenId;

/// The most entries of a list. Who has more to say ends the oldest sessions of all.
pub const MAX_REVOCATIONS: usize = 20_000;

/// What is ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Revoked {
    /// All sessions that a person began up to then.
    Actor(String),
    /// All sessions that anybody began up to then.
    Everybody,
    /// The sessions of one sign-in that began up to then.
    Session(TokenId),
    /// A share link, and the sessions that it gave.
    Share(TokenId),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What is ended.
    pub revoked: Revoked,
    /// When.
    pub at: UnixTime,
}

/// A list of entries, made to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    sessions: BTreeMap<TokenId, UnixTime>,
    shares: BTreeSet<TokenId>,
    actors: BTreeMap<Box<str>, UnixTime>,
    everybody: Option<UnixTime>,
}

impl Revocations {
    /// The list of these entries.
    #[must_use]
    pub fn new(entries: &[Revocation]) -> Self {
        let mut list = Self::default();
        for entry in entries {
            match &entry.revoked {
                Revoked::Actor(actor) => {
                    let at = list.actors.entry(actor.as_str().into()).or_insert(entry.at);
                    *at = entry.at.max(*at);
                }
                Revoked::Everybody => list.everybody = list.everybody.max(Some(entry.at)),
                Revoked::Session(id) => {
                    let at = list.sessions.entry(*id).or_insert(entry.at);
                    *at = entry.at.max(*at);
                }
                Revoked::Share(id) => {
                    list.shares.insert(*id);
                }
            }
        }
        list
    }

    /// Whether a session was ended: itself, the link that gave it, or all of its visitor's.
    #[must_use]
    pub fn end_session(&self, claims: &Claims) -> bool {
        let share = claims.share.as_ref().is_some_and(|share| self.end_share(share.id));
        let sign_in = self.sessions.get(&claims.id).is_some_and(|at| claims.issued_at <= *at);
        share || sign_in || self.end_actor(&claims.identity.actor, claims.issued_at)
    }

    /// Whether a share link was taken back.
    #[must_use]
    pub fn end_share(&self, id: TokenId) -> bool {
        self.shares.contains(&id)
    }

    /// Whether what a person began at that time was ended.
    #[must_use]
    pub fn end_actor(&self, actor: &str, began: UnixTime) -> bool {
        self.actors.get(actor).copied().max(self.everybody).is_some_and(|at| began <= at)
    }
}

#[cfg(test)]
mod tests {
    use crate::identity::WireIdentity;
    use crate::session::SharedAccess;
    use crate::share::PathScope;

    use super::*;

    fn claims(id: u64, actor: &str, began: u64) -> Claims {
        let identity = WireIdentity { actor: actor.into(), ..WireIdentity::default() };
        Claims::new(TokenId::new(id), "s", 1, identity, UnixTime::from_millis(began), UnixTime::from_millis(100))
    }

    fn entry(revoked: Revoked, at: u64) -> Revocation {
        Revocation { revoked, at: UnixTime::from_millis(at) }
    }

    #[test]
    fn ends_a_sign_in_a_link_and_a_person() {
        let list = Revocations::new(&[
            entry(Revoked::Session(TokenId::new(9)), 5),
            entry(Revoked::Share(TokenId::new(3)), 5),
            entry(Revoked::Actor("bob".into()), 5),
            entry(Revoked::Actor("bob".into()), 4),
        ]);
        assert!(list.end_session(&claims(9, "alice", 5)) && !list.end_session(&claims(8, "alice", 1)));
        assert!(!list.end_session(&claims(9, "alice", 6)), "signed in again");
        assert!(!list.end_session(&claims(3, "alice", 1)), "a session is no link");
        assert!(list.end_session(&claims(8, "bob", 5)) && !list.end_session(&claims(8, "bob", 6)));
        let share = |id| Some(SharedAccess { id: TokenId::new(id), scope: PathScope::everything() });
        assert!(list.end_session(&Claims { share: share(3), ..claims(8, "alice", 50) }));
        assert!(!list.end_session(&Claims { share: share(4), ..claims(8, "alice", 50) }));
    }

    #[test]
    fn can_end_everything_up_to_a_time() {
        let list = Revocations::new(&[entry(Revoked::Everybody, 5), entry(Revoked::Actor("bob".into()), 7)]);
        assert!(list.end_session(&claims(1, "alice", 5)) && !list.end_session(&claims(1, "alice", 6)));
        assert!(list.end_session(&claims(1, "bob", 7)) && !list.end_session(&claims(1, "bob", 8)));
    }
}
