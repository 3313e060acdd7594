//! The table of services that a gate decides on, and how it follows the sidecar's.
//!
//! Rows stay packed: at 100,000 services a worker holds some tens of megabytes, and a lookup decodes
//! only the row it found. The table is fed in pages (see [`crate::feed`]); a page changes some rows
//! and moves the cursor. A lookup costs the same at ten services and at a hundred thousand.

mod labels;
mod rows;

use thiserror::Error;

use crate::feed::{Cursor, FeedPage};
use crate::service::{InvalidService, PackedRow, Service};
use crate::table::labels::Labels;
use crate::table::rows::Rows;
use crate::time::UnixTime;

/// Which services there are, at one version of the sidecar's table.
#[derive(Debug)]
pub struct Table {
    rows: Rows,
    labels: Labels,
    /// A row wants a label that is another's.
    contested: bool,
    cursor: Cursor,
    /// The last change of this life that was heard of.
    newest: u64,
    sweeping: bool,
    complete: bool,
    confirmed: Option<UnixTime>,
    dirty: u64,
}

/// In how many parts a table is mirrored: see [`Table::part`].
pub const PARTS: u32 = 64;
/// How many rows that are over go at a time.
const TIDIED_AT_A_TIME: usize = 128;

/// Why a page was not applied. The table is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StalePage {
    /// The page starts at a version that is not the table's.
    #[error("page does not continue the table's version")]
    Gap,
    /// The page goes backwards.
    #[error("page ends before it starts")]
    Order,
    /// The page is of a time that is over.
    #[error("page is older than the table")]
    Past,
}

/// What a page did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows added or changed.
    pub upserts: usize,
    /// Rows removed.
    pub removals: usize,
    /// Rows that were no rows and were left out; each costs its own service alone.
    pub invalid: usize,
}

impl Table {
    /// An empty table that has heard nothing. `seed` keys the label hashes: names are chosen by
    /// tenants, so it should be random.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rows: Rows::default(),
            labels: Labels::new(seed),
            contested: false,
            cursor: Cursor::default(),
            newest: 0,
            sweeping: false,
            complete: false,
            confirmed: None,
            dirty: 0,
        }
    }

    /// The service that `label` names, by its id or by another label of it.
    #[must_use]
    pub fn service(&self, label: &str) -> Option<Service<'_>> {
        self.row(label)?.service().ok()
    }

    /// The packed row that `label` names.
    #[must_use]
    pub fn row(&self, label: &str) -> Option<&PackedRow> {
        self.rows.live(self.labels.get(label)?)
    }

    /// How many services there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no service.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where in the feed the table is.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether the table has been whole at least once: until then a missing service may only not
    /// have arrived yet.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// When the sidecar last said that the table is current; or began to arrive; none before.
    #[must_use]
    pub fn confirmed(&self) -> Option<UnixTime> {
        self.confirmed
    }

    /// Whether a resynchronisation is under way: some rows may be of a life of the sidecar that is over.
    #[must_use]
    pub fn is_sweeping(&self) -> bool {
        self.sweeping
    }

    /// Applies one page of the feed, received at `now`.
    ///
    /// # Errors
    /// [`StalePage`] where the page does not continue this table; ask again from [`Table::cursor`].
    pub fn apply(&mut self, page: &FeedPage<'_>, now: UnixTime) -> Result<Applied, StalePage> {
        if page.to < page.from {
            return Err(StalePage::Order);
        }
        let is_known_life = page.epoch == self.cursor.epoch;
        let continues = is_known_life && page.from == self.cursor.number;
        if page.reset {
            if page.from != 0 {
                return Err(StalePage::Order);
            }
            // Whatever kept an old answer and gives it again.
            if is_known_life && page.last < self.newest {
                return Err(StalePage::Past);
            }
            self.begin_sweep();
        } else if !continues {
            return Err(StalePage::Gap);
        }
        let mut applied = Applied::default();
        for id in &page.removals {
            applied.removals = applied.removals.saturating_add(usize::from(self.remove(id)));
        }
        for bytes in &page.upserts {
            match PackedRow::parse(bytes).and_then(|row| self.upsert(row)) {
                Ok(()) => applied.upserts = applied.upserts.saturating_add(1),
                Err(_) => applied.invalid = applied.invalid.saturating_add(1),
            }
        }
        self.newest = if is_known_life { self.newest.max(page.last) } else { page.last };
        let began = if page.reset { page.last } else { self.cursor.began };
        self.cursor = Cursor { epoch: page.epoch, number: page.to, began };
        // A table that never becomes whole gets old all the same.
        self.confirmed.get_or_insert(now);
        if page.complete {
            self.finish_sweep();
            self.complete = true;
            self.confirmed = Some(now);
        }
        Ok(applied)
    }

    /// The rows of one of the [`PARTS`] parts of the table, for mirroring.
    pub fn part(&self, part: u32) -> impl Iterator<Item = &PackedRow> {
        self.rows.part(part)
    }

    /// Which parts have changed since [`Table::mark_mirrored`], one bit a part.
    #[must_use]
    pub fn dirty_parts(&self) -> u64 {
        self.dirty
    }

    /// Says that a part is mirrored as it is now.
    pub fn mark_mirrored(&mut self, part: u32) {
        self.dirty &= !bit(part);
    }

    /// Fills an empty table from mirrored rows, so that it serves at once, and goes on from `cursor`.
    /// With `complete`, a service that is not among them does not exist.
    pub fn restore<'a>(
        &mut self,
        rows: impl IntoIterator<Item = &'a [u8]>,
        cursor: Cursor,
        confirmed: UnixTime,
        complete: bool,
    ) {
        for bytes in rows {
            // A mirrored row that is none costs its own service alone.
            let _ = PackedRow::parse(bytes).and_then(|row| self.upsert(row));
        }
        self.cursor = cursor;
        self.newest = cursor.number;
        self.complete = complete;
        self.confirmed = Some(confirmed);
        self.dirty = 0;
    }

    /// Clears away some of what is over; whether there may be more. Rows that a resynchronisation did not bring are gone
    /// when it is complete, but a hundred thousand of them at once would have every request wait.
    pub fn tidy(&mut self) -> bool {
        let Some(dead) = self.rows.dead(TIDIED_AT_A_TIME) else { return false };
        for index in dead {
            self.forget(index);
        }
        true
    }

    fn begin_sweep(&mut self) {
        self.rows.begin();
        self.sweeping = true;
    }

    fn finish_sweep(&mut self) {
        if !core::mem::take(&mut self.sweeping) {
            return;
        }
        self.rows.finish();
        if self.contested {
            self.claim_labels();
        }
        self.dirty = u64::MAX;
    }

    /// Labels that were another row's when their own row came, and that are free now.
    fn claim_labels(&mut self) {
        self.contested = false;
        for (index, row) in self.rows.iter() {
            let Ok(service) = row.service() else { continue };
            for label in service.labels {
                match self.labels.get(label).filter(|owner| self.rows.live(*owner).is_some()) {
                    None => drop(self.labels.insert(label, index)),
                    Some(owner) => self.contested |= owner != index,
                }
            }
        }
    }

    fn upsert(&mut self, packed: PackedRow) -> Result<(), InvalidService> {
        let service = packed.service()?;
        let id: Box<str> = service.id.into();
        let labels: Vec<Box<str>> = service.labels.iter().map(|label| (*label).into()).collect();
        self.remove(&id);
        self.dirty |= bit(part_of(&id));
        let index = self.rows.insert(&id, packed);
        // An id always wins over another row's label: a short id can't be taken by an alias.
        let mut contested = self.labels.insert(&id, index).is_some();
        for label in labels {
            contested |= self.is_id(&label) || self.labels.insert(&label, index).is_some();
        }
        self.contested |= contested;
        Ok(())
    }

    /// Whether `label` is the id of the row it names now.
    fn is_id(&self, label: &str) -> bool {
        self.service(label).is_some_and(|service| service.id == label)
    }

    /// Removes a service by its id; whether there was one.
    fn remove(&mut self, id: &str) -> bool {
        let Some(index) = self.labels.get(id) else { return false };
        if self.rows.any(index).and_then(|row| row.service().ok()).is_none_or(|service| service.id != id) {
            return false;
        }
        self.dirty |= bit(part_of(id));
        self.forget(index)
    }

    /// Takes a row away, with the labels that name it; whether it was alive.
    fn forget(&mut self, index: u32) -> bool {
        let Some(service) = self.rows.any(index).and_then(|row| row.service().ok()) else { return false };
        for name in core::iter::once(service.id).chain(service.labels) {
            self.labels.remove(name, index);
        }
        self.rows.remove(index)
    }
}

/// Which part of a mirrored table a service is in. The same in every worker.
#[must_use]
pub fn part_of(id: &str) -> u32 {
    // FNV-1a: spreads, needs no key (a crowded part costs time, not safety) and never changes.
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash & PARTS.saturating_sub(1)
}

fn bit(part: u32) -> u64 {
    1_u64.checked_shl(part).unwrap_or(0)
}

#[cfg(test)]
mod tests;
