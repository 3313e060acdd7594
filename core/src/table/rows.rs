//! The rows themselves, in as many parts as a table is mirrored in.
//!
//! Nothing here takes long, however many rows there are: a part grows by itself, and what a resynchronisation left
//! behind is dead at once and cleared away little by little.

use crate::service::PackedRow;
use crate::table::{PARTS, part_of};

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    parts: Vec<Part>,
    /// Of the resynchronisation that is under way, or was last.
    generation: u32,
    /// Rows of generations before this one are dead.
    oldest: u32,
    /// How many live rows are of this generation, and how many of ones before it.
    current: usize,
    former: usize,
    /// The part that is cleared of dead rows next; none: there are none.
    untidy: Option<u32>,
}

#[derive(Debug, Default)]
struct Part {
    slots: Vec<Option<Row>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Row {
    packed: PackedRow,
    generation: u32,
}

impl Rows {
    /// How many live ones there are.
    pub(super) fn len(&self) -> usize {
        self.current.saturating_add(self.former)
    }

    /// A live row.
    pub(super) fn live(&self, index: u32) -> Option<&PackedRow> {
        self.row(index).filter(|row| self.is_live(row)).map(|row| &row.packed)
    }

    /// A row, dead or alive.
    pub(super) fn any(&self, index: u32) -> Option<&PackedRow> {
        self.row(index).map(|row| &row.packed)
    }

    /// The live rows of a part.
    pub(super) fn part(&self, part: u32) -> impl Iterator<Item = &PackedRow> {
        let slots = usize::try_from(part).ok().and_then(|part| self.parts.get(part)).map(|part| &part.slots);
        slots.into_iter().flatten().flatten().filter(|row| self.is_live(row)).map(|row| &row.packed)
    }

    /// All live rows, with their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &PackedRow)> {
        (0..PARTS).zip(&self.parts).flat_map(move |(part, rows)| {
            let live = move |row: &&Row| self.is_live(row);
            (0_u32..)
                .zip(&rows.slots)
                .filter_map(move |(slot, row)| Some((index(part, slot), &row.as_ref().filter(live)?.packed)))
        })
    }

    /// Adds a row; its index.
    pub(super) fn insert(&mut self, id: &str, packed: PackedRow) -> u32 {
        if self.parts.is_empty() {
            self.parts.resize_with(usize::try_from(PARTS).unwrap_or_default(), Part::default);
        }
        let number = part_of(id);
        let row = Row { packed, generation: self.generation };
        let Some(part) = usize::try_from(number).ok().and_then(|number| self.parts.get_mut(number)) else {
            return u32::MAX;
        };
        self.current = self.current.saturating_add(1);
        if let Some(free) = part.free.pop()
            && let Some(slot) = usize::try_from(free).ok().and_then(|free| part.slots.get_mut(free))
        {
            *slot = Some(row);
            return index(number, free);
        }
        let slot = u32::try_from(part.slots.len()).unwrap_or(u32::MAX);
        part.slots.push(Some(row));
        index(number, slot)
    }

    /// Takes a row away; whether it was alive.
    pub(super) fn remove(&mut self, index: u32) -> bool {
        let (part, slot) = place(index);
        let Some(part) = self.parts.get_mut(part) else { return false };
        let Some(row) = part.slots.get_mut(slot).and_then(Option::take) else { return false };
        part.free.extend(u32::try_from(slot));
        let is_live = row.generation >= self.oldest;
        match (is_live, row.generation == self.generation) {
            (true, true) => self.current = self.current.saturating_sub(1),
            (true, false) => self.former = self.former.saturating_sub(1),
            (false, _) => {}
        }
        is_live
    }

    /// Rows that come from now on are of a new generation.
    pub(super) fn begin(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.former = self.former.saturating_add(core::mem::take(&mut self.current));
    }

    /// Rows of generations before this one are dead.
    pub(super) fn finish(&mut self) {
        self.oldest = self.generation;
        if core::mem::take(&mut self.former) > 0 {
            self.untidy = Some(0);
        }
    }

    /// Up to so many dead rows that are still there; `None` where there are none any more.
    pub(super) fn dead(&mut self, most: usize) -> Option<Vec<u32>> {
        let number = self.untidy?;
        let Some(part) = usize::try_from(number).ok().and_then(|number| self.parts.get(number)) else {
            self.untidy = None;
            return None;
        };
        let slots = (0_u32..).zip(&part.slots);
        let dead = slots.filter(|(_, row)| row.as_ref().is_some_and(|row| row.generation < self.oldest));
        let dead: Vec<u32> = dead.map(|(slot, _)| index(number, slot)).take(most).collect();
        if dead.len() < most {
            self.untidy = number.checked_add(1);
        }
        Some(dead)
    }

    fn row(&self, index: u32) -> Option<&Row> {
        let (part, slot) = place(index);
        self.parts.get(part)?.slots.get(slot)?.as_ref()
    }

    fn is_live(&self, row: &Row) -> bool {
        row.generation >= self.oldest
    }
}

/// A row's index, by its part and its slot there.
const fn index(part: u32, slot: u32) -> u32 {
    slot.saturating_mul(PARTS).saturating_add(part)
}

fn place(index: u32) -> (usize, usize) {
    let at = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX);
    (at(index.checked_rem(PARTS)), at(index.checked_div(PARTS)))
}
