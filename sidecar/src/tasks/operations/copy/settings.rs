//! How hard a copy works.

use std::time::Duration;

use crate::hsds::slabs::SLAB_BYTES;

/// How hard a copy works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many pieces of data are on their way at one time.
    pub slabs: usize,
    /// How many bytes a piece has at most, where elements have one size.
    pub slab_bytes: u64,
    /// How many objects are looked at or have their attributes copied at one time.
    pub objects: usize,
    /// How many links or attributes are read at one time.
    pub page: usize,
    /// How old a checkpoint gets: the next costs a flush of the server.
    pub checkpoint_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { slabs: 4, slab_bytes: SLAB_BYTES, objects: 8, page: 1_000, checkpoint_every: Duration::from_secs(30) }
    }
}
