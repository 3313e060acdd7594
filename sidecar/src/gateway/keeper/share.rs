//! What one owner may have of the ports: so many, held or resting, that there are some for others.
//!
//! It counts, and says whose turn it is; it reserves nothing, and takes nothing from anybody. What is counted is what this
//! process knows: ports that services hold, attempts to get one, and ports that rest since it gave them back. Those count
//! too, or whoever begins and ends services again and again would have the whole range rest. Who waits for its owner's
//! share has its turn in the order in which it came.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use tokio::time::Instant;

use crate::gateway::port::Holder;

/// What a service has of its owner's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stake {
    /// A port, or an attempt to get one that is under way.
    Holds(Arc<str>),
    /// Nothing, and it wants a port since then.
    Waits(Arc<str>, Instant),
}

/// Who may go on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    /// Services for which there is a port now. They count as if they had it.
    pub(super) admitted: Vec<Holder>,
    /// Services for which there is none, which was not said of them yet.
    pub(super) refused: Vec<Holder>,
}

/// The ports of every owner.
#[derive(Debug)]
pub(super) struct Share {
    most: usize,
    stakes: HashMap<Holder, Stake>,
    owners: HashMap<Arc<str>, Owner>,
    /// Until when ports rest, and whose they were.
    rests: BinaryHeap<Reverse<(Instant, u16, Arc<str>)>>,
    /// The same ports: none counts twice.
    resting: HashSet<u16>,
    /// Owners for whom there may be room, or somebody new who wants it.
    stirred: BTreeSet<Arc<str>>,
    /// Who began to wait since turns were given last.
    newcomers: BTreeSet<Holder>,
}

/// One owner's ports.
#[derive(Debug, Default)]
struct Owner {
    held: usize,
    resting: usize,
    waiting: BTreeSet<(Instant, Holder)>,
}

impl Share {
    /// So many ports for each owner.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            stakes: HashMap::new(),
            owners: HashMap::new(),
            rests: BinaryHeap::new(),
            resting: HashSet::new(),
            stirred: BTreeSet::new(),
            newcomers: BTreeSet::new(),
        }
    }

    /// What a service has now. None: nothing, and it wants nothing, or it has no owner. What it had before counts no more.
    pub(super) fn set(&mut self, holder: &Holder, stake: Option<Stake>) {
        if self.stakes.get(holder) == stake.as_ref() {
            return;
        }
        if let Some(before) = self.stakes.remove(holder) {
            self.end(holder, before);
        }
        if let Some(stake) = stake {
            self.begin(holder, &stake);
            self.stakes.insert(holder.clone(), stake);
        }
    }

    /// A port of that owner's was given back, and rests.
    pub(super) fn rest(&mut self, owner: &Arc<str>, port: u16, until: Instant) {
        if self.resting.insert(port) {
            self.owners.entry(Arc::clone(owner)).or_default().resting += 1;
            self.rests.push(Reverse((until, port, Arc::clone(owner))));
        }
    }

    /// Gives turns, as far as there is room.
    pub(super) fn turns(&mut self, now: Instant) -> Turns {
        self.end_rests(now);
        let mut turns = Turns::default();
        for name in mem::take(&mut self.stirred) {
            let Some(owner) = self.owners.get_mut(&name) else { continue };
            while owner.count() < self.most
                && let Some((_, holder)) = owner.waiting.pop_first()
            {
                owner.held += 1;
                self.stakes.insert(holder.clone(), Stake::Holds(Arc::clone(&name)));
                turns.admitted.push(holder);
            }
            if owner.is_nobody() {
                self.owners.remove(&name);
            }
        }
        let waits = |holder: &Holder| matches!(self.stakes.get(holder), Some(Stake::Waits(..)));
        turns.refused = mem::take(&mut self.newcomers).into_iter().filter(waits).collect();
        turns
    }

    /// When there is more room, though nothing happens.
    pub(super) fn next(&self) -> Option<Instant> {
        self.rests.peek().map(|Reverse((until, ..))| *until)
    }

    fn begin(&mut self, holder: &Holder, stake: &Stake) {
        match stake {
            Stake::Holds(owner) => self.owners.entry(Arc::clone(owner)).or_default().held += 1,
            Stake::Waits(owner, since) => {
                let waiting = &mut self.owners.entry(Arc::clone(owner)).or_default().waiting;
                waiting.insert((*since, holder.clone()));
                self.newcomers.insert(holder.clone());
                self.stirred.insert(Arc::clone(owner));
            }
        }
    }

    fn end(&mut self, holder: &Holder, stake: Stake) {
        let name = match stake {
            Stake::Holds(name) => {
                if let Some(owner) = self.owners.get_mut(&name) {
                    owner.held = owner.held.saturating_sub(1);
                }
                name
            }
            Stake::Waits(name, since) => {
                if let Some(owner) = self.owners.get_mut(&name) {
                    owner.waiting.remove(&(since, holder.clone()));
                }
                self.newcomers.remove(holder);
                name
            }
        };
        self.stirred.insert(name);
    }

    fn end_rests(&mut self, now: Instant) {
        while self.next().is_some_and(|until| until <= now) {
            let Some(Reverse((_, port, name))) = self.rests.pop() else { return };
            self.resting.remove(&port);
            if let Some(owner) = self.owners.get_mut(&name) {
                owner.resting = owner.resting.saturating_sub(1);
            }
            self.stirred.insert(name);
        }
    }
}

impl Owner {
    fn count(&self) -> usize {
        self.held.saturating_add(self.resting)
    }

    fn is_nobody(&self) -> bool {
        self.count() == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::discovery::inventory::ServiceKey;

    const MINUTE: Duration = Duration::from_secs(60);

    fn service(name: &str) -> Holder {
        Holder::of(&ServiceKey { operation: name.into(), task: "db".into(), service: "sql".into() })
    }

    fn holds(owner: &str) -> Option<Stake> {
        Some(Stake::Holds(owner.into()))
    }

    fn waits(owner: &str, since: Instant) -> Option<Stake> {
        Some(Stake::Waits(owner.into(), since))
    }

    fn admitted(services: &[&str]) -> Turns {
        Turns { admitted: services.iter().map(|name| service(name)).collect(), refused: Vec::new() }
    }

    fn refused(services: &[&str]) -> Turns {
        Turns { admitted: Vec::new(), refused: services.iter().map(|name| service(name)).collect() }
    }

    #[test]
    fn who_waits_has_its_turn_in_the_order_in_which_it_came_and_is_refused_once() {
        let (mut share, now) = (Share::new(2), Instant::now());
        for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let since = now + MINUTE * u32::try_from(number).expect("a number");
            share.set(&service(name), waits("alice", since));
        }
        let turns = share.turns(now);
        assert_eq!(turns.admitted, [service("a"), service("b")]);
        assert_eq!(BTreeSet::from_iter(turns.refused), BTreeSet::from([service("c"), service("d")]));
        assert_eq!(share.turns(now), Turns::default(), "nothing is new");
        // Said again, it is no news.
        share.set(&service("a"), holds("alice"));
        share.set(&service("d"), waits("alice", now + MINUTE * 3));
        assert_eq!(share.turns(now), Turns::default());
        share.set(&service("a"), None);
        assert_eq!(share.turns(now), admitted(&["c"]));
    }

    #[test]
    fn those_that_came_together_have_one_order_whoever_is_told_of_first() {
        let now = Instant::now();
        let mut names = ["a", "b", "c", "d", "e"];
        let mut orders = BTreeSet::new();
        for _ in 0..names.len() {
            names.rotate_left(1);
            let mut share = Share::new(3);
            for name in names {
                share.set(&service(name), waits("alice", now));
            }
            orders.insert(share.turns(now).admitted);
        }
        assert_eq!(orders.len(), 1, "{orders:?}");
    }

    #[test]
    fn one_owner_takes_nothing_of_anothers_share() {
        let (mut share, now) = (Share::new(1), Instant::now());
        share.set(&service("a"), holds("alice"));
        share.set(&service("b"), waits("alice", now));
        share.set(&service("c"), waits("bob", now));
        let turns = share.turns(now);
        assert_eq!((turns.admitted, turns.refused), (vec![service("c")], vec![service("b")]));
    }

    #[test]
    fn what_rests_counts_until_it_has_rested() {
        let (mut share, now) = (Share::new(2), Instant::now());
        let alice: Arc<str> = "alice".into();
        share.rest(&alice, 20_000, now + MINUTE * 2);
        share.rest(&alice, 20_001, now + MINUTE);
        share.rest(&alice, 20_001, now + MINUTE * 3);
        share.set(&service("a"), waits("alice", now));
        assert_eq!(share.turns(now), refused(&["a"]));
        assert_eq!(share.next(), Some(now + MINUTE));
        assert_eq!(share.turns(now + MINUTE - Duration::from_millis(1)), Turns::default());
        assert_eq!(share.turns(now + MINUTE), admitted(&["a"]));
        share.set(&service("b"), waits("alice", now + MINUTE));
        assert_eq!(share.turns(now + MINUTE), refused(&["b"]));
        assert_eq!(share.turns(now + MINUTE * 2), admitted(&["b"]));
        assert_eq!(share.next(), None);
    }

    #[test]
    fn what_is_held_is_kept_beyond_the_share_and_counts_for_whose_it_is_now() {
        let (mut share, now) = (Share::new(1), Instant::now());
        for name in ["a", "b", "c"] {
            share.set(&service(name), holds("alice"));
        }
        share.set(&service("d"), waits("alice", now));
        share.set(&service("e"), waits("bob", now));
        let turns = share.turns(now);
        assert_eq!((turns.admitted, turns.refused), (vec![service("e")], vec![service("d")]));
        // One becomes bob's, who has more than his share by that; and one nobody's.
        share.set(&service("a"), holds("bob"));
        share.set(&service("b"), None);
        share.set(&service("f"), waits("bob", now));
        assert_eq!(share.turns(now), refused(&["f"]));
        share.set(&service("c"), None);
        assert_eq!(share.turns(now), admitted(&["d"]));
    }

    #[test]
    fn nothing_is_left_of_who_has_nothing() {
        let (mut share, now) = (Share::new(1), Instant::now());
        share.set(&service("a"), waits("alice", now));
        share.set(&service("b"), waits("alice", now));
        share.rest(&"bob".into(), 20_000, now);
        share.turns(now);
        for name in ["a", "b"] {
            share.set(&service(name), None);
        }
        assert_eq!(share.turns(now), Turns::default());
        assert!(share.owners.is_empty() && share.stakes.is_empty(), "{share:?}");
        assert!(share.rests.is_empty() && share.resting.is_empty(), "{share:?}");
    }
}
