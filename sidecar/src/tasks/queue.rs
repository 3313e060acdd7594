//! What a worker needs of wherever tasks are kept.
//!
//! A worker says for how long, never until when: whoever keeps the tasks reads the one clock that counts. So a
//! machine whose clock is wrong neither keeps a task too long nor has it taken away.

pub mod office;
pub mod remote;
pub mod wire;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use taskgate_core::task::Progress;
use thiserror::Error;

pub use office::Office;
pub use remote::RemoteQueue;

use crate::secret::SecretText;
use crate::tasks::row::{Failure, Owner, Task};
use crate::tasks::store::{Claimant, Hold, Renewed, Settled, StoreError};

/// What a worker needs of wherever tasks are kept.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync + 'static {
    /// Takes tasks that are due and that the claimant can do, up to `most`, for as long as `lease`.
    async fn claim(&self, claimant: &Claimant, most: u32, lease: Duration) -> Result<Vec<Taken>, QueueError>;

    /// Returns when there may be work that was not there at the last claim, at the latest after `most`. It may be
    /// dropped at any time.
    async fn news(&self, most: Duration);

    /// Holds tasks for as long as `lease` from now; the answers are in the order of the holds.
    async fn renew(&self, holds: &[(Hold, Progress)], lease: Duration) -> Result<Vec<Renewed>, QueueError>;

    /// What has become of tasks, without a change; the answers are in the order of the holds.
    async fn check(&self, holds: &[Hold]) -> Result<Vec<Renewed>, QueueError>;

    /// Keeps where a task can go on from.
    async fn checkpoint(&self, hold: Hold, bytes: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError>;

    /// Ends the hold of a task, after an attempt that took so long.
    async fn settle(&self, held: &Held, ending: &Ending, ran: Duration) -> Result<Settled, QueueError>;
}

/// A task that a worker took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The task.
    pub task: Task,
    /// Where it can go on from.
    pub checkpoint: Option<Vec<u8>>,
    /// The credential to work with.
    pub credential: SecretText,
    /// How long it may take, where it has a deadline.
    pub time_left: Option<Duration>,
}

/// What a worker holds, with what stands in the audit line of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The task and its epoch.
    pub hold: Hold,
    /// Whose it is.
    pub owner: Owner,
    /// Its operation.
    pub operation: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It is done, with this result.
    Complete(Value),
    /// It can't be done.
    Failed(Failure),
    /// It is to be tried again, after a pause.
    Retry {
        /// How long to wait at least.
        pause: Duration,
        /// What went wrong.
        failure: Failure,
    },
    /// Its credential ended.
    Paused(Failure),
    /// It was not begun, for what has nothing to do with it; this was no attempt.
    Postponed {
        /// How long to wait at least.
        pause: Duration,
        /// What is in its way.
        failure: Failure,
    },
    /// Its worker gives it back, which was no attempt.
    Released,
}

/// Why the queue can't do something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    /// It can't be reached; it may a moment later.
    #[error("the queue of tasks can't be reached: {0}")]
    Unavailable(String),
    /// It does not take what it is sent, or says what can't be read.
    #[error("the queue of tasks and this worker don't agree: {0}")]
    Refused(String),
}

impl QueueError {
    /// Whether it may be gone a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        if error.is_passing() { Self::Unavailable(error.to_string()) } else { Self::Refused(error.to_string()) }
    }
}

impl Taken {
    /// What the worker holds with it.
    #[must_use]
    pub fn held(&self) -> Held {
        let hold = Hold { id: self.task.id, epoch: self.task.epoch };
        Held { hold, owner: self.task.owner.clone(), operation: self.task.request.operation.clone() }
    }
}

impl Ending {
    /// Its kind, for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Failed(_) => "failed",
            Self::Retry { .. } => "retry",
            Self::Paused(_) => "paused",
            Self::Postponed { .. } => "postponed",
            Self::Released => "released",
        }
    }
}
