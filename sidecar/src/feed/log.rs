//! The changes of the table in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use taskgate_core::feed::{FeedPage, PAGE_ROWS};

use crate::registry::published::Published;

/// How many removals are remembered.
pub(super) const MAX_TOMBSTONES: usize = 100_000;

/// The changes of the table.
///
/// Invariants: each id has exactly one change, its last; numbers up to `horizon` are of removals
/// that are no longer remembered.
#[derive(Debug, Default)]
pub(super) struct Log {
    changes: BTreeMap<u64, Change>,
    numbers: HashMap<Arc<str>, u64>,
    tombstones: BTreeSet<u64>,
    last: u64,
    horizon: u64,
}

#[derive(Debug)]
struct Change {
    id: Arc<str>,
    /// The service as it is now; none where it went.
    service: Option<Arc<Published>>,
}

impl Log {
    /// The number of the last change.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds or changes a row.
    pub(super) fn upsert(&mut self, service: &Arc<Published>) {
        self.put(service.id.as_str(), Some(Arc::clone(service)));
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, id: &str) {
        if self
            .numbers
            .get(id)
            .and_then(|number| self.changes.get(number))
            .is_some_and(|change| change.service.is_some())
        {
            self.put(id, None);
        }
    }

    /// Counts a change that is in no row.
    pub(super) fn touch(&mut self) {
        self.last = self.last.saturating_add(1);
    }

    /// Whether a reader that has every change up to `since` can go on from there.
    pub(super) fn covers(&self, since: u64) -> bool {
        (self.horizon..=self.last).contains(&since)
    }

    /// The first changes after `since`; epoch, reset and control are the caller's to fill in.
    pub(super) fn page(&self, since: u64) -> FeedPage<'_> {
        let mut page = FeedPage {
            epoch: 0,
            from: since,
            to: since,
            reset: false,
            complete: true,
            upserts: Vec::new(),
            removals: Vec::new(),
            control: None,
        };
        let mut changes = self.changes.range((Bound::Excluded(since), Bound::Unbounded));
        for (number, change) in changes.by_ref().take(PAGE_ROWS) {
            page.to = *number;
            match &change.service {
                Some(service) => page.upserts.push(service.row.as_bytes()),
                None => page.removals.push(&change.id),
            }
        }
        page.complete = changes.next().is_none();
        if page.complete {
            // The last number may be of a change that is no longer remembered.
            page.to = page.to.max(self.last);
        }
        page
    }

    fn put(&mut self, id: &str, service: Option<Arc<Published>>) {
        self.last = self.last.saturating_add(1);
        let id = match self.numbers.remove_entry(id) {
            Some((id, before)) => {
                self.changes.remove(&before);
                self.tombstones.remove(&before);
                id
            }
            None => Arc::from(id),
        };
        if service.is_none() {
            self.tombstones.insert(self.last);
        }
        self.numbers.insert(Arc::clone(&id), self.last);
        self.changes.insert(self.last, Change { id, service });
        while self.tombstones.len() > MAX_TOMBSTONES {
            let Some(oldest) = self.tombstones.pop_first() else { break };
            self.horizon = oldest;
            if let Some(change) = self.changes.remove(&oldest) {
                self.numbers.remove(&change.id);
            }
        }
    }
}
