//! Places for those whose requests are read and looked at: so many in all, and a part of them for each owner, so
//! that nobody can take all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::tasks::row::Owner;

/// Places, and who has them.
#[derive(Debug)]
pub struct Places {
    all: Semaphore,
    each: usize,
    owners: Mutex<BTreeMap<Owner, Arc<Semaphore>>>,
}

/// A place. It is given back when it is dropped, in this order: the seat looks whether anybody else has one.
#[derive(Debug)]
pub struct Place<'a> {
    _own: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
    _seat: Seat<'a>,
}

/// That an owner has, or waits for, a place: their count is forgotten with the last.
#[derive(Debug)]
struct Seat<'a> {
    places: &'a Places,
    owner: Owner,
}

impl Places {
    /// `all` places, of which one owner has `each` at most.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        Self { all: Semaphore::new(all), each, owners: Mutex::default() }
    }

    /// A place for an owner; none where there is none for so long.
    pub async fn take(&self, owner: &Owner, patience: Duration) -> Option<Place<'_>> {
        let seat = Seat { places: self, owner: owner.clone() };
        let own = {
            let mut owners = self.owners();
            Arc::clone(owners.entry(owner.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
        };
        let taken = timeout(patience, async {
            let own = own.acquire_owned().await.ok()?;
            Some((own, self.all.acquire().await.ok()?))
        });
        let (own, of_all) = taken.await.ok()??;
        Some(Place { _own: own, _of_all: of_all, _seat: seat })
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<Owner, Arc<Semaphore>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut owners = self.places.owners();
        // Whoever has a place, or waits for one, holds it too.
        if owners.get(&self.owner).is_some_and(|own| Arc::strong_count(own) == 1) {
            owners.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_all_places() {
        let places = Places::new(3, 2);
        let (alice, bob, carol) = (Owner::new("alice"), Owner::new("bob"), Owner::new("carol"));
        let first = places.take(&alice, SHORT).await.expect("a place");
        let second = places.take(&alice, SHORT).await.expect("a place");
        assert!(places.take(&alice, SHORT).await.is_none(), "she has two");
        let third = places.take(&bob, SHORT).await.expect("a place");
        assert!(places.take(&carol, SHORT).await.is_none(), "all are taken");
        drop(first);
        let waiting = places.take(&carol, SHORT).await.expect("a place");
        drop((second, third, waiting));
        assert!(places.owners().is_empty(), "nobody is remembered");
        assert_eq!(places.all.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_place_that_is_given_back() {
        let places = Places::new(1, 1);
        let (alice, bob) = (Owner::new("alice"), Owner::new("bob"));
        let held = places.take(&alice, SHORT).await.expect("a place");
        let give_back = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (taken, ()) = tokio::join!(places.take(&bob, Duration::from_secs(1)), give_back);
        assert!(taken.is_some());
    }
}
