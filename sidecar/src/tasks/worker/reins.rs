//! What a task that is worked on is held by, and stopped.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use taskgate_core::task::Progress;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::tasks::queue::Held;
use crate::tasks::work::{Stop, StopReason};

/// What a task that is worked on is held by.
#[derive(Debug)]
pub(super) struct Reins {
    pub(super) held: Held,
    pub(super) stop: Stop,
    safe_until: watch::Sender<Instant>,
    progress: OnceLock<Arc<Mutex<Progress>>>,
}

impl Reins {
    pub(super) fn new(held: Held, safe_until: Instant) -> Self {
        Self { held, stop: Stop::new(), safe_until: watch::Sender::new(safe_until), progress: OnceLock::new() }
    }

    /// Stops the work. Only the first reason counts.
    pub(super) fn pull(&self, why: StopReason) {
        self.stop.now(why);
    }

    /// Why the work was stopped.
    pub(super) fn why(&self) -> Option<StopReason> {
        self.stop.reason()
    }

    /// The lease was prolonged.
    pub(super) fn prolong(&self, safe_until: Instant) {
        self.safe_until.send_replace(safe_until);
    }

    /// Until when the lease allows I/O.
    pub(super) fn safe_until(&self) -> Instant {
        *self.safe_until.borrow()
    }

    /// Returns when the lease is over, or soon.
    pub(super) async fn lapsed(&self) {
        let mut changes = self.safe_until.subscribe();
        loop {
            let until = *changes.borrow_and_update();
            tokio::select! {
                () = sleep_until(until) => return,
                // The sender is in `self`.
                _ = changes.changed() => {}
            }
        }
    }

    /// Where the work says how far it is.
    pub(super) fn follow(&self, progress: Arc<Mutex<Progress>>) {
        // It is called once an attempt.
        let _ = self.progress.set(progress);
    }

    /// How far the work is; none before it began.
    pub(super) fn progress(&self) -> Option<Progress> {
        self.progress.get().map(|progress| *progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
