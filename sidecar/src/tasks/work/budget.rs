//! The memory that all tasks of a worker share for their slabs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is drawn at the least, in bytes.
const GRAIN: usize = 1 << 10;

/// Which part of all is for what is kept over many steps.
const KEPT: u32 = 4;

/// A number of bytes that slabs are drawn from.
///
/// Whoever draws for a step draws nothing more until it is over, so that it ends and gives back. Whoever keeps
/// something over many steps draws for each of them meanwhile: all that is kept is a quarter at the most, and no step
/// gets more than the rest, so that no step waits for what is kept.
#[derive(Clone, Debug)]
pub struct Budget {
    grains: Arc<Semaphore>,
    /// What may be kept.
    keeping: Arc<Semaphore>,
    total: u32,
}

/// Room for a slab; it is given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    _room: Option<OwnedSemaphorePermit>,
    _kept: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// That many bytes, to the next KiB.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = grains(bytes);
        Self { grains: semaphore(total), keeping: semaphore(kept(total)), total }
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn total(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX).saturating_mul(GRAIN)
    }

    /// Waits for room for one step. More than there is for steps gets all of that.
    pub async fn draw(&self, bytes: usize) -> Room {
        let wanted = grains(bytes).min(self.total.saturating_sub(kept(self.total)).max(1));
        // It is never closed.
        Room { _room: Arc::clone(&self.grains).acquire_many_owned(wanted).await.ok(), _kept: None }
    }

    /// Waits for room for what is kept over many steps. More than there is for that gets all of it.
    pub async fn keep(&self, bytes: usize) -> Room {
        let wanted = grains(bytes).min(kept(self.total));
        // First leave to keep, then room: who waits for leave has none that a step may wait for.
        let kept = Arc::clone(&self.keeping).acquire_many_owned(wanted).await.ok();
        Room { _room: Arc::clone(&self.grains).acquire_many_owned(wanted).await.ok(), _kept: kept }
    }
}

/// How much of all may be kept.
fn kept(total: u32) -> u32 {
    (total / KEPT).max(1)
}

fn semaphore(grains: u32) -> Arc<Semaphore> {
    // A `u32` of permits fits: a semaphore has room for far more.
    Arc::new(Semaphore::new(usize::try_from(grains).unwrap_or(Semaphore::MAX_PERMITS)))
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

    #[test]
    fn no_step_waits_for_what_is_kept() {
        let budget = Budget::new(8 << 20);
        let kept = budget.keep(usize::MAX).now_or_never().expect("there is room");
        assert!(budget.keep(1).now_or_never().is_none(), "a quarter is kept at the most");
        let step = budget.draw(usize::MAX).now_or_never().expect("there is room all the same");
        assert!(budget.draw(1).now_or_never().is_none());
        drop(kept);
        assert!(budget.keep(2 << 20).now_or_never().is_some());
        drop(step);
        assert!(budget.draw(8 << 20).now_or_never().is_some());
    }
}
