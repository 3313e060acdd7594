//! A worker: it takes tasks, keeps its leases, and works on several tasks at one time.
//!
//! A lease is kept by the clock that never jumps, and its end is reckoned from before it was asked for. So a worker
//! that can't reach the queue has stopped its own I/O before anybody else can take the task over.
//!
//! It never holds more tasks than it works on, and ends with none held.

mod access;
mod attempt;
mod heart;
mod reins;
pub mod settings;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, RwLock};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use settings::WorkerSettings;

use crate::hsds::client::Hsds;
use crate::lifecycle::Tasks;
use crate::retry;
use crate::tasks::operations::Operations;
use crate::tasks::queue::{Queue, Taken};
use crate::tasks::store::{Claimant, Hold};
use crate::tasks::work::{Budget, StopReason};
use crate::tasks::worker::reins::Reins;

/// A worker.
pub struct Worker {
    name: String,
    settings: WorkerSettings,
    queue: Arc<dyn Queue>,
    operations: Arc<Operations>,
    server: Option<Hsds>,
    budget: Budget,
    tasks: Tasks,
    running: Mutex<HashMap<Hold, Arc<Reins>>>,
    /// Told when a task is no longer held.
    ended: Notify,
    /// Leases are prolonged while no hold is being ended: one that has ended must not look as if it were lost.
    turn: RwLock<()>,
}

/// What a worker works with.
#[derive(Clone, Debug)]
pub struct Means {
    /// Its name, in rows and logs.
    pub name: String,
    /// How it works.
    pub settings: WorkerSettings,
    /// Where tasks come from.
    pub queue: Arc<dyn Queue>,
    /// What it can do.
    pub operations: Arc<Operations>,
    /// The server of the data, where one is configured.
    pub server: Option<Hsds>,
}

impl Worker {
    /// A worker whose attempts are among `tasks`.
    #[must_use]
    pub fn new(means: Means, tasks: Tasks) -> Arc<Self> {
        let Means { name, settings, queue, operations, server } = means;
        let budget = Budget::new(settings.memory);
        let (running, ended, turn) = (Mutex::default(), Notify::new(), RwLock::default());
        Arc::new(Self { name, settings, queue, operations, server, budget, tasks, running, ended, turn })
    }

    /// Works until `stop`, then gives back what it holds. It returns when nothing is held any more.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        tracing::info!(worker = self.name, concurrent = self.settings.concurrent, "a worker takes tasks");
        let working = async {
            self.take(&stop).await;
            self.drain().await;
        };
        tokio::select! {
            () = working => {}
            () = heart::beat(&self) => {}
        }
        tracing::info!(worker = self.name, "a worker has ended");
    }

    /// How many tasks it holds.
    #[must_use]
    pub fn running(&self) -> usize {
        self.held().len()
    }

    async fn take(self: &Arc<Self>, stop: &CancellationToken) {
        let mut failures = 0;
        let operations = self.operations.iter().map(|operation| operation.description().name.clone()).collect();
        let claimant = Claimant { name: self.name.clone(), operations };
        while !stop.is_cancelled() {
            let room = self.settings.concurrent.saturating_sub(self.running());
            if room == 0 {
                tokio::select! {
                    () = self.ended.notified() => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            let most = u32::try_from(room).unwrap_or(u32::MAX);
            let asked = Instant::now();
            match self.queue.claim(&claimant, most, self.settings.lease).await {
                Ok(taken) => {
                    failures = 0;
                    if taken.is_empty() {
                        tokio::select! {
                            () = self.queue.news(retry::fraction(self.settings.poll)) => {}
                            // Its owner may have been at a limit.
                            () = self.ended.notified() => {}
                            () = stop.cancelled() => {}
                        }
                    }
                    for one in taken {
                        self.begin(one, asked);
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(worker = self.name, %error, "no tasks can be taken; it is tried again");
                    }
                    tokio::select! {
                        () = sleep(retry::wait(failures)) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, taken: Taken, asked: Instant) {
        let held = taken.held();
        let reins = Arc::new(Reins::new(held, self.safe_until(asked)));
        let before = self.held().insert(reins.held.hold, Arc::clone(&reins));
        debug_assert!(before.is_none(), "an epoch is claimed once");
        let worker = Arc::clone(self);
        self.tasks.spawn("task", async move { attempt::make(&worker, taken, &reins).await });
    }

    async fn drain(&self) {
        for reins in self.held().values() {
            reins.pull(StopReason::Draining);
        }
        while self.running() > 0 {
            self.ended.notified().await;
        }
    }

    /// A task is no longer held.
    fn let_go(&self, hold: Hold) {
        self.held().remove(&hold);
        self.ended.notify_one();
    }

    /// Until when a lease that was asked for then allows I/O.
    fn safe_until(&self, asked: Instant) -> Instant {
        asked + self.settings.lease.saturating_sub(self.settings.margin)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Hold, Arc<Reins>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Worker").field("name", &self.name).field("running", &self.running()).finish()
    }
}
