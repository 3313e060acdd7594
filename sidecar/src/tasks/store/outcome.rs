//! What comes of asking a store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use taskgate_core::task::Status;
use taskgate_core::time::UnixTime;

use crate::tasks::row::{Failure, Sealed, Task, TaskId};
use crate::tasks::store::Hold;

/// What comes of submitting a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// It is queued.
    Accepted(Box<Task>),
    /// It was asked for under this key before: this is what came of it then, as it is now.
    Replayed(Box<Task>),
    /// An equal one is under way.
    Identical(TaskId),
    /// The key was used for something else.
    KeyReused,
    /// The user has as many waiting as may be.
    UserFull,
    /// As many wait as may be.
    Full,
}

/// What comes of deleting a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Deleted {
    /// It is deleted now.
    Now(Box<Task>),
    /// It was deleted before.
    Before,
    /// There is none.
    Unknown,
}

/// What comes of resuming a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Resumed {
    /// It is queued again.
    Now(Box<Task>),
    /// It is not paused.
    NotPaused(Status),
    /// It was deleted.
    Deleted,
    /// There is none.
    Unknown,
}

/// What comes of claiming.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// What the worker holds now.
    pub tasks: Vec<Claimed>,
    /// Tasks whose lease ended: they were queued again, and may be among those claimed.
    pub lost: Vec<TaskId>,
    /// Tasks that were given up, since they had no attempts or no time left.
    pub given_up: Vec<Task>,
}

/// A task that a worker holds now.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The task.
    pub task: Task,
    /// What to name with each write.
    pub hold: Hold,
    /// Where it can go on from.
    pub checkpoint: Option<Vec<u8>>,
    /// The credential to work with.
    pub credential: Sealed,
}

/// What comes of writing under a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is still held.
    Held,
    /// It is still held, and deleted: stop, and settle it as released.
    Deleted,
    /// Somebody else may hold it by now: stop, and write nothing. It was counted.
    Lost,
}

/// How work ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done, with this result.
    Complete(Value),
    /// It can't be done.
    Failed(Failure),
    /// It did not go well; it fails where no attempts are left.
    Retry {
        /// When to begin it again.
        not_before: UnixTime,
        /// What went wrong.
        failure: Failure,
    },
    /// Its credential ended; this was no attempt.
    Paused(Failure),
    /// It was not begun, for what has nothing to do with it; this was no attempt.
    Postponed {
        /// When to begin it.
        not_before: UnixTime,
        /// What is in its way.
        failure: Failure,
    },
    /// Its worker can't go on, which has nothing to do with the task; this was no attempt.
    Released {
        /// Where it can go on from; none keeps the last one.
        checkpoint: Option<Vec<u8>>,
    },
}

/// What comes of settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is in this state now.
    Done(Status),
    /// Somebody else may hold it by now; nothing was written. It was counted.
    Fenced,
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swept {
    /// How many tasks that were over.
    pub finished: usize,
    /// How many tombstones.
    pub tombstones: usize,
    /// Tasks whose lease ended: they were queued again.
    pub lost: Vec<TaskId>,
    /// Tasks that were given up, since they waited beyond their deadline, or lost their last worker.
    pub given_up: Vec<Task>,
    /// Whether nothing more is due to be forgotten.
    pub is_all: bool,
}

/// How many tasks there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that are not deleted, by operation and state.
    pub tasks: BTreeMap<(String, Status), u64>,
    /// How long the one that has been due longest has waited for a worker; none where none is due.
    pub oldest_due: Option<Duration>,
    /// How many writes were refused since they came from somebody who did not hold the task any more: of the tasks
    /// that are kept, by whichever process.
    pub fenced: u64,
}
