//! Whose jobs are where.
//!
//! Nobody has a say in another's addresses: what one owner publishes may be as dead as it likes, and changes nothing
//! about which of the others' are left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;

use taskgate_core::service::Protocol;

use crate::registry::published::Published;

/// The addresses of each owner, by [`Entry::origin`](crate::discovery::inventory::Entry::origin). One that two owners
/// name is both's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners(BTreeMap<u32, BTreeSet<SocketAddr>>);

/// Whose turn it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// The owner that comes first.
    pub first: u32,
    /// Which address of each owner was tried last.
    pub last: HashMap<u32, SocketAddr>,
}

/// Which addresses are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The addresses.
    pub addresses: HashSet<SocketAddr>,
    /// Of how many owners none is left out, since too many failed.
    pub doubted: usize,
}

/// What an owner is told by, and what they have.
type ByName<'a> = HashMap<(Option<&'a str>, &'a str), (u32, BTreeSet<SocketAddr>)>;

impl Owners {
    /// Those of these services.
    #[must_use]
    pub fn of(services: &[Arc<Published>]) -> Self {
        let mut owners = ByName::new();
        for service in services {
            let entry = &service.entry;
            // Never routed.
            if entry.protocol == Protocol::Tcp {
                continue;
            }
            let owner = entry.policy.owner.as_deref();
            let name = (owner, if owner.is_some() { "" } else { entry.key.operation.as_str() });
            let (_, addresses) = owners.entry(name).or_insert_with(|| (entry.origin(), BTreeSet::new()));
            addresses.extend(entry.endpoints.iter().map(|endpoint| endpoint.address));
        }
        owners.into_values().collect()
    }

    /// How many owners there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many addresses there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// The addresses, each once.
    #[must_use]
    pub fn addresses(&self) -> HashSet<SocketAddr> {
        self.0.values().flatten().copied().collect()
    }

    /// The owners in their turn, each with its addresses: first what comes after the one that was tried last.
    #[must_use]
    pub fn in_turn(&self, turns: &Turns) -> Vec<(u32, Vec<SocketAddr>)> {
        let in_turn = |(owner, addresses): (&u32, &BTreeSet<SocketAddr>)| {
            let Some(last) = turns.last.get(owner) else { return (*owner, addresses.iter().copied().collect()) };
            let after = addresses.range((Bound::Excluded(*last), Bound::Unbounded));
            (*owner, after.chain(addresses.range(..=*last)).copied().collect())
        };
        self.0.range(turns.first..).chain(self.0.range(..turns.first)).map(in_turn).collect()
    }

    /// Which of those that failed are left out: none of an owner of whose addresses more than so many per cent failed.
    #[must_use]
    pub fn left_out(&self, failed: &HashSet<SocketAddr>, panic_percent: usize) -> LeftOut {
        let is_doubted = |addresses: &&BTreeSet<SocketAddr>| {
            let count = addresses.iter().filter(|address| failed.contains(address)).count();
            count.saturating_mul(100) > addresses.len().saturating_mul(panic_percent)
        };
        let doubted: Vec<_> = self.0.values().filter(is_doubted).collect();
        let kept: HashSet<SocketAddr> = doubted.iter().copied().flatten().copied().collect();
        LeftOut { addresses: failed.difference(&kept).copied().collect(), doubted: doubted.len() }
    }
}

impl FromIterator<(u32, BTreeSet<SocketAddr>)> for Owners {
    fn from_iter<T: IntoIterator<Item = (u32, BTreeSet<SocketAddr>)>>(owners: T) -> Self {
        let mut all = BTreeMap::<u32, BTreeSet<SocketAddr>>::new();
        for (owner, addresses) in owners {
            all.entry(owner).or_default().extend(addresses);
        }
        Self(all)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;

    /// Addresses with these ports at one node of that owner.
    pub(crate) fn jobs(owner: u32, ports: Range<u16>) -> (u32, BTreeSet<SocketAddr>) {
        let node = u8::try_from(owner).expect("small");
        (owner, ports.map(|port| SocketAddr::from(([10, 0, 0, node], port))).collect())
    }

    #[test]
    fn dead_jobs_of_one_owner_leave_those_of_others_alone() {
        let owners: Owners = [jobs(1, 1..11), jobs(2, 1..31), jobs(3, 1..31)].into_iter().collect();
        let dead = jobs(1, 3..4).1;
        let failed = [&dead, &jobs(2, 1..31).1, &jobs(3, 1..31).1].into_iter().flatten().copied().collect();
        let left_out = owners.left_out(&failed, 50);
        assert_eq!(left_out, LeftOut { addresses: dead.into_iter().collect(), doubted: 2 });
    }

    #[test]
    fn up_to_so_many_are_left_out() {
        let owners: Owners = [jobs(1, 1..11)].into_iter().collect();
        let left_out = |count: u16| {
            let failed = jobs(1, 1..1 + count).1.into_iter().collect();
            owners.left_out(&failed, 50).addresses.len()
        };
        assert_eq!([left_out(0), left_out(5), left_out(6), left_out(10)], [0, 5, 0, 0]);
    }

    #[test]
    fn an_address_that_two_have_is_left_out_where_both_are_believed() {
        let shared = jobs(1, 1..2).1;
        let both = |others: BTreeSet<SocketAddr>| -> Owners {
            [jobs(1, 1..11), (2, others.union(&shared).copied().collect())].into_iter().collect()
        };
        let failed: HashSet<SocketAddr> = shared.iter().copied().collect();
        assert_eq!(both(jobs(2, 1..11).1).left_out(&failed, 50).addresses.len(), 1);
        assert_eq!(both(BTreeSet::new()).left_out(&failed, 50).addresses.len(), 0);
    }

    #[test]
    fn the_next_one_is_first_in_turn() {
        let owners: Owners = [jobs(1, 1..5), jobs(2, 1..3)].into_iter().collect();
        let turns = Turns { first: 2, last: HashMap::from([(1, SocketAddr::from(([10, 0, 0, 1], 2)))]) };
        let ports = |(owner, addresses): &(u32, Vec<SocketAddr>)| {
            (*owner, addresses.iter().map(SocketAddr::port).collect::<Vec<_>>())
        };
        let turns: Vec<_> = owners.in_turn(&turns).iter().map(ports).collect();
        assert_eq!(turns, [(2, vec![1, 2]), (1, vec![3, 4, 1, 2])]);
    }
}
