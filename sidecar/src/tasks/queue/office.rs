//! The queue where the tasks are kept: the store, the key ring, the clock, and the record of what happens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use taskgate_core::task::{Progress, Status};
use tokio::sync::Mutex;

use crate::clock::SharedClock;
use crate::tasks::audit::{self, Transition};
use crate::tasks::queue::{Ending, Held, Queue, QueueError, Taken};
use crate::tasks::row::{Failure, Task, TaskId};
use crate::tasks::seal::{OpenError, Vault};
use crate::tasks::store::{
    Claim, Claimant, Claimed, Claims, Hold, Limits, NewWork, Outcome, Renewal, Renewed, Retention, Settled, Store,
    StoreError,
};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::tasks::OperationLabels;

/// The store with what workers need to use it.
#[derive(Debug)]
pub struct Office {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    limits: Limits,
    work: Mutex<NewWork>,
}

impl Office {
    /// The queue of a store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        clock: SharedClock,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        let work = Mutex::new(store.changes().work());
        Self { store, vault, clock, metrics, limits, work }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What seals credentials.
    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// How many tasks there may be.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Forgets and gives up what is due; true where nothing more is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self, retention: Retention) -> Result<bool, StoreError> {
        let swept = self.store.sweep(retention, self.clock.now()).await?;
        self.record_ends(&swept.given_up, &swept.lost).await;
        Ok(swept.is_all)
    }

    /// Opens the credential of a claimed task; one that does not open ends the claim.
    async fn open(&self, claimed: Claimed) -> Result<Option<Taken>, QueueError> {
        let Claimed { task, hold: _, checkpoint, credential } = claimed;
        let opened = self.vault.open(task.id, &task.owner, &credential);
        let now = self.clock.now();
        let time_left = task.deadline.map(|deadline| deadline.since(now));
        match opened {
            Ok(credential) => Ok(Some(Taken { task, checkpoint, credential, time_left })),
            Err(error) => {
                tracing::error!(task.id = %task.id, %error, "a task can't be worked on");
                let failure = |code: &str| Failure { code: code.into(), detail: error.to_string(), is_final: false };
                let ending = match error {
                    OpenError::UnknownKey => Ending::Paused(failure("credential-unreadable")),
                    OpenError::Forged => Ending::Failed(failure("credential-forged")),
                };
                let credential = String::new().into();
                let held = Taken { task, checkpoint, credential, time_left }.held();
                self.settle(&held, &ending, Duration::ZERO).await?;
                Ok(None)
            }
        }
    }

    async fn record(&self, claims: &Claims) {
        for claimed in &claims.tasks {
            let task = &claimed.task;
            if task.attempts <= 1
                && let Some(waited) = task.waited()
            {
                let labels = OperationLabels::of(&task.request.operation);
                self.metrics.tasks.wait_seconds.get_or_create(&labels).observe(waited.as_secs_f64());
            }
            self.tell(task, "claimed", Status::Queued, Status::InProgress);
        }
        self.record_ends(&claims.given_up, &claims.lost).await;
    }

    async fn record_ends(&self, given_up: &[Task], lost: &[TaskId]) {
        for task in given_up {
            // Where it was before is not told: it waited, or its worker was lost.
            self.tell(task, "given-up", Status::Queued, Status::Failed);
        }
        for id in lost {
            self.lost(*id).await;
        }
    }

    async fn lost(&self, id: TaskId) {
        // A task that is gone by now needs no line.
        if let Ok(Some(task)) = self.store.get(id).await {
            self.tell(&task, "lease-ended", Status::InProgress, Status::Queued);
        }
    }

    fn tell(&self, task: &Task, event: &'static str, from: Status, to: Status) {
        let operation = &task.request.operation;
        let (id, owner, epoch) = (task.id, &task.owner, task.epoch);
        audit::transition(&self.metrics, &Transition { id, owner, operation, event, from: Some(from), to, epoch });
    }

    fn fenced(&self, hold: Hold, what: &'static str) {
        self.metrics.tasks.fenced_writes.inc();
        tracing::warn!(
            task.id = %hold.id, task.epoch = hold.epoch, what,
            "refused a write of a worker that does not hold the task any more"
        );
    }
}

#[async_trait]
impl Queue for Office {
    async fn claim(&self, claimant: &Claimant, most: u32, lease: Duration) -> Result<Vec<Taken>, QueueError> {
        let now = self.clock.now();
        let claim = Claim { claimant: claimant.clone(), max: most, lease_until: now.after(lease) };
        let claims = self.store.claim(&claim, &self.limits, now).await?;
        self.record(&claims).await;
        let mut taken = Vec::with_capacity(claims.tasks.len());
        for claimed in claims.tasks {
            // What can't be settled now is taken back when its lease ends.
            match self.open(claimed).await {
                Ok(one) => taken.extend(one),
                Err(error) => tracing::warn!(%error, "a claim was not ended"),
            }
        }
        Ok(taken)
    }

    async fn news(&self, most: Duration) {
        let waiting = async { self.work.lock().await.wait().await };
        // Time running out is the poll.
        let _ = tokio::time::timeout(most, waiting).await;
    }

    async fn renew(&self, holds: &[(Hold, Progress)], lease: Duration) -> Result<Vec<Renewed>, QueueError> {
        let now = self.clock.now();
        let lease_until = now.after(lease);
        let renewal =
            |(hold, progress): &(Hold, Progress)| Renewal { hold: *hold, lease_until, progress: Some(*progress) };
        let renewed = self.store.renew(holds.iter().map(renewal).collect(), now).await?;
        for ((hold, _), _) in holds.iter().zip(&renewed).filter(|(_, renewed)| **renewed == Renewed::Lost) {
            self.fenced(*hold, "renew");
        }
        Ok(renewed)
    }

    async fn check(&self, holds: &[Hold]) -> Result<Vec<Renewed>, QueueError> {
        let looks = holds.iter().map(|hold| async {
            let task = self.store.get(hold.id).await?;
            Ok(match task {
                Some(task) if task.epoch != hold.epoch || task.status != Status::InProgress => Renewed::Lost,
                Some(task) if task.deleted.is_some() => Renewed::Deleted,
                Some(_) => Renewed::Held,
                None => Renewed::Lost,
            })
        });
        try_join_all(looks).await
    }

    async fn checkpoint(&self, hold: Hold, bytes: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError> {
        let renewed = self.store.checkpoint(hold, bytes, progress, self.clock.now()).await?;
        if renewed == Renewed::Lost {
            self.fenced(hold, "checkpoint");
        }
        Ok(renewed)
    }

    async fn settle(&self, held: &Held, ending: &Ending, ran: Duration) -> Result<Settled, QueueError> {
        let now = self.clock.now();
        let settled = self.store.settle(held.hold, outcome(ending, |pause| now.after(pause)), now).await?;
        let Held { hold, owner, operation } = held;
        let labels = OperationLabels::of(operation);
        self.metrics.tasks.run_seconds.get_or_create(&labels).observe(ran.as_secs_f64());
        match settled {
            Settled::Fenced => self.fenced(*hold, ending.as_str()),
            Settled::Done(to) => {
                let from = Some(Status::InProgress);
                let (id, epoch, event) = (hold.id, hold.epoch, ending.as_str());
                audit::transition(&self.metrics, &Transition { id, owner, operation, event, from, to, epoch });
                if to == Status::Queued && matches!(ending, Ending::Retry { .. }) {
                    self.metrics.tasks.retries.get_or_create(&labels).inc();
                }
            }
        }
        Ok(settled)
    }
}

fn outcome(ending: &Ending, after: impl Fn(Duration) -> taskgate_core::time::UnixTime) -> Outcome {
    match ending {
        Ending::Complete(result) => Outcome::Complete(result.clone()),
        Ending::Failed(failure) => Outcome::Failed(failure.clone()),
        Ending::Retry { pause, failure } => Outcome::Retry { not_before: after(*pause), failure: failure.clone() },
        Ending::Paused(failure) => Outcome::Paused(failure.clone()),
        Ending::Postponed { pause, failure } => {
            Outcome::Postponed { not_before: after(*pause), failure: failure.clone() }
        }
        Ending::Released => Outcome::Released { checkpoint: None },
    }
}
