//! What an operation sees of its task while it works on it.
//!
//! A [`Work`] is one attempt: the request, the server with the owner's credential, where the last attempt came
//! to, and how to say how far this one is. All of it works through a shared reference, so that several slabs can
//! be under way at one time.
//!
//! It never lets a checkpoint be stored before what it speaks of is in the server's storage.

pub mod budget;
pub mod keep;
pub mod stop;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use taskgate_core::task::Progress;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use budget::{Budget, Room};
pub use keep::Keep;
pub use stop::{Stop, StopReason};

use crate::hsds::client::Session;
use crate::hsds::domain::DomainName;
use crate::retry;
use crate::secret::SecretText;
use crate::tasks::operation::WorkError;
use crate::tasks::request::Request;
use crate::tasks::row::Task;
use crate::tasks::store::Renewed;

/// The largest checkpoint, in bytes.
pub const MAX_CHECKPOINT: usize = 16 << 20;

/// One attempt at a task.
pub struct Work {
    setup: Setup,
    progress: Arc<Mutex<Progress>>,
}

/// What an attempt is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The task, as it was claimed.
    pub task: Task,
    /// Where the last attempt came to.
    pub checkpoint: Option<Vec<u8>>,
    /// The owner's credential: the value of an `Authorization` header.
    pub credential: SecretText,
    /// The server, with that credential; none where no server is configured.
    pub session: Option<Session>,
    /// When the task fails, by the clock that never jumps.
    pub deadline: Option<Instant>,
    /// Where checkpoints go.
    pub keep: Arc<dyn Keep>,
    /// What slabs are drawn from.
    pub budget: Budget,
    /// Tells it that nobody wants the outcome any more.
    pub stop: Stop,
}

impl Work {
    /// An attempt.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let progress = Arc::new(Mutex::new(setup.task.progress));
        Self { setup, progress }
    }

    /// The task, as it was claimed.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.setup.task
    }

    /// What is asked for.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.setup.task.request
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.setup.task.attempts
    }

    /// Which claim this is: it rises with each, released ones too.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.setup.task.epoch
    }

    /// The server of the data, asked with the owner's credential; none where no server is configured.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.setup.session.as_ref()
    }

    /// The same, for operations that can't do without.
    ///
    /// # Errors
    /// [`WorkError::Permanent`] where no server is configured.
    pub fn server(&self) -> Result<&Session, WorkError> {
        self.session().ok_or_else(|| WorkError::permanent("no-server", "no HSDS server is configured here"))
    }

    /// The owner's credential: the value of an `Authorization` header. It is for the configured server, and for
    /// whom an operator named.
    #[must_use]
    pub fn credential(&self) -> &SecretText {
        &self.setup.credential
    }

    /// Where the last attempt came to; none where this is the first that gets anywhere.
    ///
    /// # Errors
    /// [`WorkError::Permanent`] where it is not of that type.
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, WorkError> {
        let Some(bytes) = &self.setup.checkpoint else { return Ok(None) };
        serde_json::from_slice(bytes).map(Some).map_err(|error| {
            WorkError::permanent("checkpoint-unreadable", format!("the task's checkpoint can't be read: {error}"))
        })
    }

    /// Keeps where the work can go on from, once all that was written to the destinations is in the server's
    /// storage. That flush takes the server a second or two: save every now and then, not every slab.
    ///
    /// # Errors
    /// [`WorkError::Stopped`] where nobody wants the outcome any more; others where the server can't flush.
    pub async fn save<T: Serialize + Sync>(&self, checkpoint: &T) -> Result<(), WorkError> {
        let bytes = serde_json::to_vec(checkpoint).map_err(|error| {
            WorkError::permanent("checkpoint-unwritable", format!("the checkpoint can't be written: {error}"))
        })?;
        if bytes.len() > MAX_CHECKPOINT {
            let detail = format!("the checkpoint is larger than {MAX_CHECKPOINT} bytes");
            return Err(WorkError::permanent("checkpoint-too-large", detail));
        }
        self.flush().await?;
        self.unless_stopped(self.keep(bytes)).await?
    }

    /// Waits until all that was written to the destinations is in the server's storage.
    ///
    /// # Errors
    /// [`WorkError::Stopped`], or what the server says.
    pub async fn flush(&self) -> Result<(), WorkError> {
        let Some(session) = self.session() else { return Ok(()) };
        let domains = self.destinations();
        self.unless_stopped(try_join_all(domains.iter().map(|domain| session.flush(domain)))).await??;
        Ok(())
    }

    /// Says how far the work is. It is seen with the next heartbeat or checkpoint.
    pub fn report(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// How far the work is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where that is said, for whoever sends it on.
    #[must_use]
    pub fn reported(&self) -> Arc<Mutex<Progress>> {
        Arc::clone(&self.progress)
    }

    /// Draws room for a slab from what all tasks of this worker share, and waits while there is none. Draw what
    /// one step needs in one call, and give it back when the step is over: two tasks that each hold half of what
    /// they need would wait for each other.
    ///
    /// # Errors
    /// [`WorkError::Stopped`].
    pub async fn room(&self, bytes: usize) -> Result<Room, WorkError> {
        self.unless_stopped(self.setup.budget.draw(bytes)).await
    }

    /// The same for what is kept over many steps, each of which draws room of its own.
    ///
    /// # Errors
    /// [`WorkError::Stopped`].
    pub async fn room_kept(&self, bytes: usize) -> Result<Room, WorkError> {
        self.unless_stopped(self.setup.budget.keep(bytes)).await
    }

    /// What slabs are drawn from.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.setup.budget
    }

    /// Cancelled when nobody wants the outcome any more: the task was deleted, the lease was lost, or the worker
    /// ends. The operation's future is dropped a moment later.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        self.setup.stop.token()
    }

    /// Why nobody wants the outcome any more; none while it is wanted.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.setup.stop.reason()
    }

    /// When the task fails, by the clock that never jumps.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.setup.deadline
    }

    /// Waits for something, or for that nobody wants it any more.
    ///
    /// # Errors
    /// [`WorkError::Stopped`].
    pub async fn unless_stopped<T>(&self, something: impl Future<Output = T>) -> Result<T, WorkError> {
        tokio::select! {
            biased;
            () = self.stop().cancelled() => Err(WorkError::Stopped),
            value = something => Ok(value),
        }
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), WorkError> {
        let mut attempt = 0;
        loop {
            match self.setup.keep.keep(bytes.clone(), self.progress()).await {
                Ok(Renewed::Held) => return Ok(()),
                Ok(Renewed::Deleted) => return self.stopped(StopReason::Deleted),
                Ok(Renewed::Lost) => return self.stopped(StopReason::Lost),
                // As long as the lease holds there is time; its end cancels this.
                Err(error) if error.is_passing() => {
                    attempt += 1;
                    tokio::time::sleep(retry::wait(attempt)).await;
                }
                Err(error) => return Err(WorkError::Transient(error.to_string())),
            }
        }
    }

    fn stopped(&self, reason: StopReason) -> Result<(), WorkError> {
        self.setup.stop.now(reason);
        Err(WorkError::Stopped)
    }

    fn destinations(&self) -> BTreeSet<DomainName> {
        self.request().des.iter().map(DomainName::from).collect()
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Work").field("task", &self.setup.task.id).finish_non_exhaustive()
    }
}
