//! A queue whose claims are timed, and whose completed tasks are counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskgate::tasks::queue::{Ending, Held, Queue, QueueError, Taken};
use taskgate::tasks::store::{Claimant, Hold, Renewed, Settled};
use taskgate_core::task::{Progress, Status};
use tokio::sync::watch;
use tokio::time::Instant;

/// A queue whose claims are timed, and whose completed tasks are counted.
#[derive(Debug)]
pub(super) struct Timed {
    queue: Arc<dyn Queue>,
    claims: Mutex<Vec<Duration>>,
    complete: watch::Sender<u32>,
}

impl Timed {
    pub(super) fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue, claims: Mutex::default(), complete: watch::Sender::new(0) }
    }

    /// Waits until so many are complete.
    pub(super) async fn wait(&self, tasks: u32) {
        // The sender is in `self`.
        let _ = self.complete.subscribe().wait_for(|complete| *complete >= tasks).await;
    }

    /// How long each claim took that got something.
    pub(super) fn claims(&self) -> Vec<Duration> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Queue for Timed {
    async fn claim(&self, claimant: &Claimant, most: u32, lease: Duration) -> Result<Vec<Taken>, QueueError> {
        let start = Instant::now();
        let taken = self.queue.claim(claimant, most, lease).await?;
        if !taken.is_empty() {
            self.claims.lock().unwrap_or_else(PoisonError::into_inner).push(start.elapsed());
        }
        Ok(taken)
    }

    async fn news(&self, most: Duration) {
        self.queue.news(most).await;
    }

    async fn renew(&self, holds: &[(Hold, Progress)], lease: Duration) -> Result<Vec<Renewed>, QueueError> {
        self.queue.renew(holds, lease).await
    }

    async fn check(&self, holds: &[Hold]) -> Result<Vec<Renewed>, QueueError> {
        self.queue.check(holds).await
    }

    async fn checkpoint(&self, hold: Hold, bytes: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError> {
        self.queue.checkpoint(hold, bytes, progress).await
    }

    async fn settle(&self, held: &Held, ending: &Ending, ran: Duration) -> Result<Settled, QueueError> {
        let settled = self.queue.settle(held, ending, ran).await?;
        if settled == Settled::Done(Status::Complete) {
            self.complete.send_modify(|complete| *complete += 1);
        }
        Ok(settled)
    }
}
