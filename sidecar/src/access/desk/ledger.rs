//! What is ended, as it is put together for workers, and what the store has not taken yet.
//!
//! Nobody can end more than is theirs by asking often: of one subject there is one entry, and the many sign-ins that one
//! person ended are one entry for that person.

use std::collections::BTreeMap;

use taskgate_core::revocation::{MAX_REVOCATIONS, Revocation, Revoked};
use taskgate_core::time::UnixTime;
use tokio::time::Instant;

use crate::access::store::{Ending, KeptRevocation, MAX_OF_ACTOR, Share, is_link_visitor, revocation_key};

/// The most entries that do not end a link: more of them end the oldest sessions of all.
const MAX_OTHERS: usize = MAX_REVOCATIONS / 2;

/// What an entry is about: kind and subject.
type Key = (&'static str, String);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What the store had when it could be read last.
    pub(super) listed: Vec<KeptRevocation>,
    /// The number of the last change that was told.
    pub(super) told: u64,
    /// When that was.
    pub(super) told_at: Option<Instant>,
}

/// Something that the store has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unkept {
    /// Sessions of somebody.
    Sessions(KeptRevocation),
    /// A link, with how it ended.
    Share(Box<Share>, Ending),
}

/// All that the store has not taken yet, one for each subject.
#[derive(Debug, Default)]
pub(super) struct Unsaved(BTreeMap<Key, Unkept>);

impl Unkept {
    fn revocation(&self) -> KeptRevocation {
        match self {
            Self::Sessions(kept) => kept.clone(),
            Self::Share(share, ending) => KeptRevocation::of_share(share, ending),
        }
    }
}

impl Unsaved {
    /// Takes something. Of two for one subject the later end counts.
    pub(super) fn add(&mut self, unkept: Unkept) {
        let kept = unkept.revocation();
        let key = revocation_key(&kept.revocation.revoked);
        let unkept = match (self.0.get(&key), unkept) {
            (Some(Unkept::Sessions(known)), Unkept::Sessions(kept)) => Unkept::Sessions(later(known, kept)),
            // A link ends once.
            (Some(known @ Unkept::Share(..)), _) => known.clone(),
            (_, unkept) => unkept,
        };
        self.0.insert(key, unkept);
        if let Some(actor) = &kept.actor {
            self.gather(actor);
        }
    }

    /// What is to be written next.
    pub(super) fn first(&self) -> Option<Unkept> {
        self.0.first_key_value().map(|(_, unkept)| unkept.clone())
    }

    /// What was written goes, unless there was more to it in the meantime.
    pub(super) fn remove(&mut self, written: &Unkept) {
        let key = revocation_key(&written.revocation().revocation.revoked);
        if self.0.get(&key) == Some(written) {
            self.0.remove(&key);
        }
    }

    /// Whether there is anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that still ends something.
    pub(super) fn list(&mut self, now: UnixTime) -> Vec<KeptRevocation> {
        self.0.retain(|_, unkept| now < unkept.revocation().until);
        self.0.values().map(Unkept::revocation).collect()
    }

    fn gather(&mut self, actor: &str) {
        let is_theirs = |unkept: &Unkept| matches!(unkept, Unkept::Sessions(kept) if is_sign_in_of(kept, actor));
        if self.0.values().filter(|unkept| is_theirs(unkept)).count() <= MAX_OF_ACTOR {
            return;
        }
        let mut theirs = Vec::new();
        self.0.retain(|_, unkept| {
            let taken = is_theirs(unkept).then(|| unkept.revocation());
            let stays = taken.is_none();
            theirs.extend(taken);
            stays
        });
        if let Some(one) = one_of(actor, &theirs) {
            self.add(Unkept::Sessions(one));
        }
    }
}

/// A list that every worker can hold, and the entry in it that stands for more than one may ask for, where there has to
/// be one. Links that were taken back are never left out: they would be good again. Of the rest, where there are too many,
/// each person's become one; and the oldest of what is left one that ends what anybody began up to then.
pub(super) fn bounded(list: Vec<KeptRevocation>) -> (Vec<Revocation>, Option<KeptRevocation>) {
    let mut by_key: BTreeMap<Key, KeptRevocation> = BTreeMap::new();
    for kept in list {
        let key = revocation_key(&kept.revocation.revoked);
        let kept = match by_key.get(&key) {
            Some(known) => later(known, kept),
            None => kept,
        };
        by_key.insert(key, kept);
    }
    let is_link = |kept: &KeptRevocation| matches!(kept.revocation.revoked, Revoked::Share(_));
    let (mut links, mut others): (Vec<_>, Vec<_>) = by_key.into_values().partition(is_link);
    others.sort_by_key(|kept| kept.revocation.at);
    let everybody = others.iter().rfind(|kept| kept.revocation.revoked == Revoked::Everybody);
    if let Some(at) = everybody.map(|kept| kept.revocation.at) {
        others.retain(|kept| kept.revocation.at > at || kept.revocation.revoked == Revoked::Everybody);
    }
    if others.len() > MAX_OTHERS {
        others = by_person(others);
    }
    let mut overflow = None;
    if others.len() > MAX_OTHERS {
        let oldest = others.len().saturating_sub(MAX_OTHERS.saturating_sub(1));
        let left_out: Vec<KeptRevocation> = others.drain(..oldest).collect();
        if let (Some(last), Some(until)) = (left_out.last(), left_out.iter().map(|kept| kept.until).max()) {
            tracing::warn!(entries = left_out.len(), "too many revocations: every session from before them is ended");
            let revocation = Revocation { revoked: Revoked::Everybody, at: last.revocation.at };
            let everybody = KeptRevocation { revocation, until, by: "taskgate".to_owned(), actor: None };
            others.insert(0, everybody.clone());
            overflow = Some(everybody);
        }
    }
    // There is a bound when links are made; this one is for the workers.
    links.truncate(MAX_REVOCATIONS.saturating_sub(others.len()));
    links.append(&mut others);
    (links.into_iter().map(|kept| kept.revocation).collect(), overflow)
}

/// The same with one entry for each person whose sign-ins are more than one.
fn by_person(list: Vec<KeptRevocation>) -> Vec<KeptRevocation> {
    let mut of: BTreeMap<String, Vec<KeptRevocation>> = BTreeMap::new();
    let mut rest = Vec::new();
    for kept in list {
        match (&kept.revocation.revoked, kept.actor.clone()) {
            (Revoked::Session(_), Some(actor)) => of.entry(actor).or_default().push(kept),
            _ => rest.push(kept),
        }
    }
    for (actor, mut theirs) in of {
        if theirs.len() > 1 {
            rest.extend(one_of(&actor, &theirs));
        } else {
            rest.append(&mut theirs);
        }
    }
    rest.sort_by_key(|kept| kept.revocation.at);
    rest
}

/// One entry for all of a person's; of the many who have one link, the latest.
fn one_of(actor: &str, theirs: &[KeptRevocation]) -> Option<KeptRevocation> {
    if is_link_visitor(actor) {
        return theirs.iter().max_by_key(|kept| kept.revocation.at).cloned();
    }
    let at = theirs.iter().map(|kept| kept.revocation.at).max()?;
    let until = theirs.iter().map(|kept| kept.until).max()?;
    let revocation = Revocation { revoked: Revoked::Actor(actor.to_owned()), at };
    Some(KeptRevocation { revocation, until, by: actor.to_owned(), actor: None })
}

fn is_sign_in_of(kept: &KeptRevocation, actor: &str) -> bool {
    matches!(kept.revocation.revoked, Revoked::Session(_)) && kept.actor.as_deref() == Some(actor)
}

fn later(known: &KeptRevocation, kept: KeptRevocation) -> KeptRevocation {
    let at = known.revocation.at.max(kept.revocation.at);
    let revocation = Revocation { at, ..kept.revocation };
    KeptRevocation { revocation, until: known.until.max(kept.until), ..kept }
}

#[cfg(test)]
mod tests {
    use taskgate_core::revocation::Revocations;
    use taskgate_core::token::TokenId;

    use super::*;

    fn kept(revoked: Revoked, at: u64, actor: Option<&str>) -> KeptRevocation {
        let revocation = Revocation { revoked, at: UnixTime::from_millis(at) };
        let until = UnixTime::from_millis(1_000_000);
        KeptRevocation { revocation, until, by: "somebody".into(), actor: actor.map(Into::into) }
    }

    fn sign_in(number: u64, actor: Option<&str>) -> KeptRevocation {
        kept(Revoked::Session(TokenId::new(number)), number, actor)
    }

    #[test]
    fn a_list_is_bounded_and_forgets_nothing() {
        let sessions = (1..=20_000).map(|number| sign_in(number, None));
        let link = kept(Revoked::Share(TokenId::new(1 << 40)), 0, None);
        let (list, overflow) = bounded(sessions.chain([link]).collect());
        assert!(list.len() <= MAX_REVOCATIONS, "{}", list.len());
        let has = |revoked: &Revoked| list.iter().any(|entry| entry.revoked == *revoked);
        assert!(has(&Revoked::Share(TokenId::new(1 << 40))), "a link that was taken back");
        assert!(has(&Revoked::Session(TokenId::new(20_000))) && !has(&Revoked::Session(TokenId::new(1))));
        // The oldest are ended by a time up to which everybody's are.
        let ended = Revocations::new(&list);
        assert!(ended.end_actor("anybody", UnixTime::from_millis(10_001)));
        assert!(!ended.end_actor("anybody", UnixTime::from_millis(10_002)));
        assert_eq!(overflow.map(|kept| kept.revocation.at), Some(UnixTime::from_millis(10_001)));
    }

    #[test]
    fn one_person_ends_nobody_else() {
        let (list, overflow) = bounded((1..=20_000).map(|number| sign_in(number, Some("mallory"))).collect());
        assert_eq!(overflow, None);
        let ended = Revocations::new(&list);
        assert!(ended.end_actor("mallory", UnixTime::from_millis(20_000)));
        assert!(!ended.end_actor("alice", UnixTime::from_millis(0)));
    }

    #[test]
    fn what_is_unsaved_does_not_grow_by_being_asked_again() {
        let mut unsaved = Unsaved::default();
        for number in 1..=1_000 {
            unsaved.add(Unkept::Sessions(sign_in(number, Some("mallory"))));
            unsaved.add(Unkept::Sessions(kept(Revoked::Actor("bob".into()), number, None)));
        }
        unsaved.add(Unkept::Sessions(sign_in(5_000, Some("alice"))));
        let list = unsaved.list(UnixTime::from_millis(0));
        assert!(list.len() <= MAX_OF_ACTOR + 3, "{}", list.len());
        assert_eq!(unsaved.list(UnixTime::from_millis(0)), list);
        let (list, _) = bounded([list.clone(), list].concat());
        let ended = Revocations::new(&list);
        assert!(
            ended.end_actor("bob", UnixTime::from_millis(1_000)) && !ended.end_actor("carol", UnixTime::from_millis(0))
        );
        assert!(unsaved.list(UnixTime::from_millis(1_000_000)).is_empty() && unsaved.is_empty(), "what is over goes");
    }
}
