//! The table of services that a gate decides on, and how it follows the sidecar's.
//!
//! Rows stay packed: at 100,000 services a worker holds some tens of megabytes, and a lookup decodes
//! only the row it found. The table is fed in pages (see [`crate::feed`]); a page changes some rows
//! and moves the cursor. A lookup costs the same at ten services and at a hundred thousand.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hasher as _};

use thiserror::Error;

use crate::feed::{Cursor, FeedPage};
use crate::service::{InvalidService, PackedRow, Service};
use crate::time::UnixTime;

/// Which services there are, at one version of the sidecar's table.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    labels: HashMap<Box<str>, u32, SeededHasher>,
    cursor: Cursor,
    generation: u32,
    sweeping: bool,
    complete: bool,
    confirmed: Option<UnixTime>,
    dirty: u64,
}

#[derive(Debug)]
struct Row {
    packed: PackedRow,
    /// Which resynchronisation brought it: rows of older ones go when a newer one is complete.
    generation: u32,
    part: u32,
}

/// In how many parts a table is mirrored: see [`Table::part`].
pub const PARTS: u32 = 64;

/// Why a page was not applied. The table is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StalePage {
    /// The page starts at a version that is not the table's.
    #[error("page does not continue the table's version")]
    Gap,
    /// The page goes backwards.
    #[error("page ends before it starts")]
    Order,
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
            rows: Vec::new(),
            free: Vec::new(),
            labels: HashMap::with_hasher(SeededHasher(seed)),
            cursor: Cursor::default(),
            generation: 0,
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
        self.slot(*self.labels.get(label)?).map(|row| &row.packed)
    }

    /// How many services there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len().saturating_sub(self.free.len())
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
        let continues = page.epoch == self.cursor.epoch && page.from == self.cursor.number;
        if page.reset {
            if page.from != 0 {
                return Err(StalePage::Order);
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
        self.cursor = Cursor { epoch: page.epoch, number: page.to };
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
        self.rows.iter().flatten().filter(move |row| row.part == part).map(|row| &row.packed)
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
        self.complete = complete;
        self.confirmed = Some(confirmed);
        self.dirty = 0;
    }

    fn slot(&self, index: u32) -> Option<&Row> {
        self.rows.get(usize::try_from(index).ok()?)?.as_ref()
    }

    fn begin_sweep(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.sweeping = true;
    }

    fn finish_sweep(&mut self) {
        if !core::mem::take(&mut self.sweeping) {
            return;
        }
        let stale: Vec<Box<str>> = self
            .rows
            .iter()
            .flatten()
            .filter(|row| row.generation != self.generation)
            .filter_map(|row| row.packed.service().ok().map(|service| service.id.into()))
            .collect();
        for id in stale {
            self.remove(&id);
        }
        self.claim_labels();
        self.dirty = u64::MAX;
    }

    /// Labels that were another row's when their own row came, and that are free now.
    fn claim_labels(&mut self) {
        let mut free: Vec<(Box<str>, u32)> = Vec::new();
        for (index, row) in (0_u32..).zip(&self.rows) {
            let Some(service) = row.as_ref().and_then(|row| row.packed.service().ok()) else { continue };
            let is_free = |label: &&&str| !self.labels.contains_key(**label);
            free.extend(service.labels.iter().filter(is_free).map(|label| ((*label).into(), index)));
        }
        self.labels.extend(free);
    }

    fn upsert(&mut self, packed: PackedRow) -> Result<(), InvalidService> {
        let service = packed.service()?;
        let id: Box<str> = service.id.into();
        let labels: Vec<Box<str>> = service.labels.iter().map(|label| (*label).into()).collect();
        self.remove(&id);
        let part = part_of(&id);
        self.dirty |= bit(part);
        let index = self.insert(Row { packed, generation: self.generation, part });
        // An id always wins over another row's label: a short id can't be taken by an alias.
        self.labels.insert(id, index);
        for label in labels {
            if !self.is_id(&label) {
                self.labels.insert(label, index);
            }
        }
        Ok(())
    }

    fn insert(&mut self, row: Row) -> u32 {
        if let Some(index) = self.free.pop()
            && let Some(slot) = usize::try_from(index).ok().and_then(|index| self.rows.get_mut(index))
        {
            *slot = Some(row);
            return index;
        }
        let index = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(Some(row));
        index
    }

    /// Whether `label` is the id of the row it names now.
    fn is_id(&self, label: &str) -> bool {
        self.service(label).is_some_and(|service| service.id == label)
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(index) = self.labels.get(id).copied() else { return false };
        let Some(service) = self.slot(index).and_then(|row| row.packed.service().ok()) else { return false };
        if service.id != id {
            return false;
        }
        let names: Vec<Box<str>> = core::iter::once(id).chain(service.labels).map(Into::into).collect();
        for name in names {
            if self.labels.get(&name) == Some(&index) {
                self.labels.remove(&name);
            }
        }
        if let Some(slot) = usize::try_from(index).ok().and_then(|index| self.rows.get_mut(index)) {
            *slot = None;
            self.free.push(index);
        }
        self.dirty |= bit(part_of(id));
        true
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

/// SipHash behind a secret prefix, so that tenants can't choose names that collide.
#[derive(Clone, Debug)]
struct SeededHasher(u64);

impl BuildHasher for SeededHasher {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

#[cfg(test)]
mod tests;
