//! The memory that all tasks of a worker share for their slabs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is drawn at the least, in bytes.
const GRAIN: usize = 1 << 10;

/// A number of bytes that slabs are drawn from.
#[derive(Clone, Debug)]
pub struct Budget {
    grains: Arc<Semaphore>,
    total: u32,
}

/// Room for a slab; it is given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// That many bytes, to the next KiB.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = grains(bytes);
        // A `u32` of permits fits: a semaphore has room for far more.
        let grains = Arc::new(Semaphore::new(usize::try_from(total).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { grains, total }
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn total(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX).saturating_mul(GRAIN)
    }

    /// Waits for room. More than there is in all gets all of it.
    pub async fn draw(&self, bytes: usize) -> Room {
        let wanted = grains(bytes).min(self.total);
        // It is never closed.
        Room { _permit: Arc::clone(&self.grains).acquire_many_owned(wanted).await.ok() }
    }
}

fn grains(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_drawn_is_bounded_and_comes_back() {
        let budget = Budget::new(8 << 20);
        assert_eq!(budget.total(), 8 << 20);
        let first = budget.draw(5 << 20).now_or_never().expect("there is room");
        assert!(budget.draw(4 << 20).now_or_never().is_none());
        assert!(budget.draw(3 << 20).now_or_never().is_some());
        drop(first);
        assert!(budget.draw(usize::MAX).now_or_never().is_some(), "more than all is all");
    }
}
