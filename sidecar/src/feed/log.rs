//! The changes of the table in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use taskgate_core::feed::{Cursor, FeedPage, PAGE_ROWS};

use crate::registry::published::Published;

/// How many removals are remembered.
pub(super) const MAX_TOMBSTONES: usize = 100_000;

/// The changes of the table.
///
/// Invariants: each id has exactly one change, its last; no removal that is no longer remembered has a
/// number above `horizon`. (Rows that have been there for long have numbers below it.)
#[derive(Debug)]
pub(super) struct Log {
    /// How many removals are remembered.
    remembered: usize,
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
    /// An empty one that remembers so many removals.
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            remembered,
            changes: BTreeMap::new(),
            numbers: HashMap::new(),
            tombstones: BTreeSet::new(),
            last: 0,
            horizon: 0,
        }
    }

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

    /// Whether a reader can go on from there. It has what came up to its number, and of removals from before it
    /// began it had no row.
    pub(super) fn covers(&self, cursor: Cursor) -> bool {
        cursor.number <= self.last && cursor.number.max(cursor.began) >= self.horizon
    }

    /// What comes next for a reader; reset and control are the caller's to fill in.
    pub(super) fn page(&self, cursor: Cursor) -> FeedPage<'_> {
        let mut page = FeedPage {
            epoch: cursor.epoch,
            from: cursor.number,
            to: cursor.number,
            last: self.last,
            reset: false,
            complete: true,
            upserts: Vec::new(),
            removals: Vec::new(),
            control: None,
        };
        let changes = self.changes.range((Bound::Excluded(cursor.number), Bound::Unbounded));
        // It never had the rows that went before it began, and there may be more of those than of any others.
        let mut changes = changes.filter(|(number, change)| change.service.is_some() || **number > cursor.began);
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
        while self.tombstones.len() > self.remembered {
            let Some(oldest) = self.tombstones.pop_first() else { break };
            self.horizon = oldest;
            if let Some(change) = self.changes.remove(&oldest) {
                self.numbers.remove(&change.id);
            }
        }
    }
}
