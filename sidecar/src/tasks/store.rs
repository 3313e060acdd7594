//! Where tasks are kept: accepted ones are there after a crash, and one worker at a time holds each.
//!
//! Why: the row is the contract between the API, the workers and the next start. Everything that must not be
//! torn apart is one method here and one transaction below it. Time is an argument; nothing here reads a clock
//! to decide something.
//!
//! Every write of a worker names its [`Hold`], and is refused where somebody else has claimed the task since.
//! It never opens what is sealed.

pub mod changes;
mod columns;
mod commands;
pub(crate) mod database;
mod kept;
pub mod migrations;
pub(crate) mod open;
pub mod outcome;
mod signal;
pub(crate) mod statements;
mod writer;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;
use thiserror::Error;

pub use changes::{Changes, Following, NewWork};
pub use open::{Settings, open};
pub use outcome::{Claimed, Claims, Counts, Deleted, Outcome, Renewed, Resumed, Settled, Submitted, Swept};

use crate::digest::Digest;
use crate::tasks::request::Request;
use crate::tasks::row::{Owner, Sealed, Task, TaskId};

/// A store of tasks.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Accepts a task, unless it is there already or there is no room.
    async fn submit(&self, task: NewTask, limits: &Limits, now: UnixTime) -> Result<Submitted, StoreError>;

    /// What would come of submitting a task, where that is known: [`Submitted::Replayed`], [`Submitted::KeyReused`] or
    /// [`Submitted::Identical`].
    async fn known(
        &self,
        owner: &Owner,
        digest: &Digest,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Submitted>, StoreError>;

    /// A task, deleted ones with their tombstone too.
    async fn get(&self, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Tasks that are not deleted, the newest first.
    async fn list(&self, selection: &Selection) -> Result<Vec<Task>, StoreError>;

    /// Deletes a task: nobody begins it any more, and who works on it is told when they renew. Its credential
    /// is wiped at once.
    async fn delete(&self, id: TaskId, now: UnixTime) -> Result<Deleted, StoreError>;

    /// Queues a paused task again, with another credential.
    async fn resume(
        &self,
        id: TaskId,
        credential: Sealed,
        expires: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<Resumed, StoreError>;

    /// Takes tasks that are due, for a worker: those of the owners with the fewest running first, of theirs the
    /// one that was due first. Before that, tasks whose lease ended are queued again, and tasks without attempts
    /// or time left are given up.
    async fn claim(&self, claim: &Claim, limits: &Limits, now: UnixTime) -> Result<Claims, StoreError>;

    /// Prolongs leases, all in one transaction; the answers are in the order of the renewals.
    async fn renew(&self, renewals: Vec<Renewal>, now: UnixTime) -> Result<Vec<Renewed>, StoreError>;

    /// Keeps where a task can go on from.
    async fn checkpoint(
        &self,
        hold: Hold,
        checkpoint: Vec<u8>,
        progress: Progress,
        now: UnixTime,
    ) -> Result<Renewed, StoreError>;

    /// Ends the hold of a task. Where it is over, credential and checkpoint are wiped.
    async fn settle(&self, hold: Hold, outcome: Outcome, now: UnixTime) -> Result<Settled, StoreError>;

    /// Forgets tasks that have been over, or deleted, long enough. It stops after a bounded number; call it again
    /// where [`Swept::is_all`] does not hold.
    async fn sweep(&self, retention: Retention, now: UnixTime) -> Result<Swept, StoreError>;

    /// How many tasks there are. It reads everything that is kept, so it is nothing for every request.
    async fn counts(&self, now: UnixTime) -> Result<Counts, StoreError>;

    /// Where changes show from now on.
    fn changes(&self) -> &Changes;

    /// Ends all connections; everything fails after that.
    async fn close(&self);
}

/// A task to accept.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Who asks for it.
    pub owner: Owner,
    /// What is asked for.
    pub request: Request,
    /// The digest of owner and request.
    pub digest: Digest,
    /// What the client calls this very question, if it does.
    pub idempotency: Option<Idempotency>,
    /// The credential to work with, sealed.
    pub credential: Sealed,
    /// When that ends, where it is known.
    pub credential_expires: Option<UnixTime>,
    /// When the task must be over.
    pub deadline: Option<UnixTime>,
    /// How often it may be begun.
    pub max_attempts: u32,
}

/// What a client calls a question, so that it may ask it again without another task coming of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The name it gave.
    pub key: String,
    /// The digest of what it asked: the same name for something else is refused.
    pub digest: Digest,
}

/// How many tasks there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tasks of a user that wait, paused ones too.
    pub queued_per_user: u32,
    /// Tasks of a user that are worked on.
    pub running_per_user: u32,
    /// Tasks that wait, paused ones too.
    pub queued: u32,
    /// Tasks that are worked on.
    pub running: u32,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those of one owner; none is everybody's.
    pub owner: Option<Owner>,
    /// Those in these states; none given is every state.
    pub statuses: Vec<Status>,
    /// Those older than this one: the last of the page before.
    pub after: Option<TaskId>,
    /// How many at most.
    pub limit: u32,
}

/// Who takes tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The worker's name.
    pub name: String,
    /// The operations that it does: tasks of others are left to workers that do them.
    pub operations: Vec<String>,
}

/// What a worker wants.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who it is.
    pub claimant: Claimant,
    /// How many tasks at most.
    pub max: u32,
    /// How long it may hold them without renewing.
    pub lease_until: UnixTime,
}

/// That a worker holds a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold {
    /// The task.
    pub id: TaskId,
    /// Its epoch, which the claim raised.
    pub epoch: u64,
}

/// A lease to prolong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What is held.
    pub hold: Hold,
    /// Until when.
    pub lease_until: UnixTime,
    /// How far the work is, where that is known.
    pub progress: Option<Progress>,
}

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Tasks that are complete or failed.
    pub finished: Duration,
    /// Tombstones of deleted tasks.
    pub tombstones: Duration,
}

/// Why a store can't do something. It never shows the address's password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database can't be reached or has no time; it may a moment later.
    #[error("the task store can't be reached: {0}")]
    Unavailable(String),
    /// Others write the same at the same moment; it may work a moment later.
    #[error("the task store is busy with others: {0}")]
    Contended(String),
    /// What is kept can't be read, or the database refuses what is right.
    #[error("the task store holds or says what it must not: {0}")]
    Corrupt(String),
    /// The address is none.
    #[error("the address of the task store must be `sqlite:<path>` or `postgres://<user>@<host>/<database>`: {0}")]
    Address(String),
    /// The tables can't be made or are of another version.
    #[error("the tables of the task store can't be brought up to date: {0}")]
    Migration(String),
}

impl StoreError {
    /// Whether it may be gone a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_))
    }
}
