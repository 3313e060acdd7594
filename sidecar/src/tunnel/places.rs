//! Places for tunnels: so many in all, and so many of one visitor.
//!
//! Whoever has a name of their own has a share of the places, so nobody takes those of all others. Visitors without
//! one, at public services, by share links and by tokens for one task, are as many as they like, so they share one half
//! of the places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskgate_core::identity::Identity;

use crate::auth::actor::{NETWORK_PREFIX, TASK_TOKEN_PREFIX};

/// What visitors by a share link are called, where it is for nobody in particular.
const SHARE: &str = "share:";

/// Places for tunnels.
#[derive(Debug)]
pub struct Places {
    most: usize,
    most_per_visitor: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By name; empty: of those who have none.
    by_visitor: HashMap<Box<str>, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    visitor: Box<str>,
}

impl Places {
    /// So many in all, and so many of one visitor.
    #[must_use]
    pub fn new(most: usize, most_per_visitor: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_visitor, taken: Mutex::default() })
    }

    /// A place for a visitor, or for anybody; none where as many are taken as may be.
    #[must_use]
    pub fn take(self: &Arc<Self>, visitor: Option<&Identity>) -> Option<Place> {
        let visitor = name(visitor);
        let most = if visitor.is_empty() { self.most.div_ceil(2) } else { self.most_per_visitor };
        let mut taken = self.taken();
        let of_visitor = taken.by_visitor.get(visitor).copied().unwrap_or_default();
        if taken.all >= self.most || of_visitor >= most {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.by_visitor.insert(visitor.into(), of_visitor.saturating_add(1));
        Some(Place { places: Arc::clone(self), visitor: visitor.into() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_visitor) = taken.by_visitor.get_mut(&self.visitor) {
            *of_visitor = of_visitor.saturating_sub(1);
            if *of_visitor == 0 {
                taken.by_visitor.remove(&self.visitor);
            }
        }
    }
}

/// The name of a visitor who has one of their own; else nothing.
fn name(visitor: Option<&Identity>) -> &str {
    let name = visitor.map(Identity::actor).unwrap_or_default();
    if [SHARE, NETWORK_PREFIX, TASK_TOKEN_PREFIX].iter().any(|prefix| name.starts_with(prefix)) { "" } else { name }
}

#[cfg(test)]
mod tests {
    use taskgate_core::identity::WireIdentity;

    use super::*;

    fn visitor(actor: &str) -> Identity {
        Identity::try_from(WireIdentity { actor: actor.into(), ..WireIdentity::default() }).expect("an identity")
    }

    #[test]
    fn nobody_takes_the_places_of_others() {
        let places = Places::new(8, 2);
        let alice = [places.take(Some(&visitor("alice"))), places.take(Some(&visitor("alice")))];
        assert!(alice.iter().all(Option::is_some));
        assert!(places.take(Some(&visitor("alice"))).is_none());
        // Whoever can make as many names as they like has those of nobody.
        let names = ["share:000000000000000a", "share:000000000000000b", "task-token:a"].map(visitor);
        let named: Vec<_> = names.iter().map(|name| places.take(Some(name)).expect("a place")).collect();
        let nobody = places.take(None).expect("a place");
        assert!(places.take(None).is_none() && places.take(Some(&visitor("share:000000000000000c"))).is_none());
        let bob = [places.take(Some(&visitor("bob"))), places.take(Some(&visitor("bob")))];
        assert!(bob.iter().all(Option::is_some));
        assert!(places.take(Some(&visitor("carol"))).is_none(), "all are taken");
        drop((alice, nobody));
        assert!(places.take(Some(&visitor("carol"))).is_some() && places.take(None).is_some());
        drop((named, bob));
        let taken = places.taken();
        assert!(taken.all == 0 && taken.by_visitor.is_empty(), "{taken:?}");
    }
}
