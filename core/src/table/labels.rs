//! Which row a label names.
//!
//! A map that never grows all at once: it has as many buckets as it will ever have, and each grows by itself. A worker
//! takes a table in between the requests that it serves, and a map that doubles would have all of them wait while a
//! hundred thousand labels find their new places.

use std::hash::{DefaultHasher, Hasher as _};

/// How many buckets there are: at 100,000 labels a handful of labels shares one.
const BUCKETS: u64 = 1 << 14;

/// The map.
#[derive(Debug)]
pub(super) struct Labels {
    /// Tenants choose names: with a secret in front of each they can't choose ones that share a bucket.
    seed: u64,
    buckets: Vec<Vec<(Box<str>, u32)>>,
}

impl Labels {
    /// An empty one; `seed` should be random.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, buckets: Vec::new() }
    }

    /// The row that a label names.
    pub(super) fn get(&self, label: &str) -> Option<u32> {
        self.buckets.get(self.place(label))?.iter().find(|(known, _)| **known == *label).map(|(_, row)| *row)
    }

    /// Has a label name that row; which one it named before.
    pub(super) fn insert(&mut self, label: &str, row: u32) -> Option<u32> {
        if self.buckets.is_empty() {
            self.buckets.resize_with(usize::try_from(BUCKETS).unwrap_or_default(), Vec::new);
        }
        let place = self.place(label);
        let bucket = self.buckets.get_mut(place)?;
        if let Some((_, known)) = bucket.iter_mut().find(|(known, _)| **known == *label) {
            return Some(core::mem::replace(known, row));
        }
        bucket.push((label.into(), row));
        None
    }

    /// Forgets a label, where it names that row.
    pub(super) fn remove(&mut self, label: &str, row: u32) {
        let place = self.place(label);
        let Some(bucket) = self.buckets.get_mut(place) else { return };
        if let Some(at) = bucket.iter().position(|(known, named)| *named == row && **known == *label) {
            bucket.swap_remove(at);
        }
    }

    fn place(&self, label: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(label.as_bytes());
        usize::try_from(hasher.finish() % BUCKETS).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_rows() {
        let mut labels = Labels::new(7);
        assert_eq!(labels.get("a"), None);
        labels.remove("a", 1);
        for row in 0..50_000 {
            assert_eq!(labels.insert(&format!("label-{row}"), row), None);
        }
        assert_eq!(labels.insert("label-7", 70_000), Some(7));
        labels.remove("label-7", 7);
        labels.remove("label-8", 8);
        let found = |row: u32| labels.get(&format!("label-{row}"));
        assert_eq!((found(7), found(8), found(9), found(50_000)), (Some(70_000), None, Some(9), None));
    }
}
