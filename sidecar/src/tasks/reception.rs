//! Where tasks come in: everything that is looked at before one is accepted, and how clients see those that are
//! there.
//!
//! What costs nothing is looked at first, then what the store knows, then what the server of the data must be
//! asked. The credential is sealed before it goes to the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use taskgate_core::task::Status;
use taskgate_core::time::UnixTime;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::random;
use crate::tasks::audit::{self, Transition};
use crate::tasks::authorise::authorise;
use crate::tasks::identity::{Caller, Identities};
use crate::tasks::operation::{Operation, Preview, Rejection};
use crate::tasks::operations::Operations;
use crate::tasks::places::{Place, Places};
use crate::tasks::request::{MAX_LOCATIONS, Request};
use crate::tasks::row::{Owner, Task, TaskId};
use crate::tasks::schema::{self, Schema};
use crate::tasks::seal::{SealError, Vault};
use crate::tasks::store::{Deleted, Idempotency, Limits, NewTask, Resumed, Store, StoreError, Submitted};
use crate::telemetry::metrics::Metrics;

/// How deep arguments may be nested.
pub const MAX_ARGUMENT_DEPTH: usize = schema::MAX_DEPTH;
/// How many requests for tasks are looked at in one moment.
const MAX_SUBMISSIONS: usize = 64;
/// How many of them of one owner.
const MAX_SUBMISSIONS_OF_ONE: usize = 8;
/// How many clients may wait for their task in one moment; others are answered at once.
const MAX_WAITING: usize = 2_000;
/// How long looking at one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client of the server of the data may take for one call of that.
const CALL_PATIENCE: Duration = Duration::from_secs(10);
/// How often a task that somebody waits for is looked at where nobody says that it changed: a wake-up may be missed.
const LOOK: Duration = Duration::from_secs(5);

/// What tasks are accepted by.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How many there may be.
    pub limits: Limits,
    /// How often one may be begun.
    pub max_attempts: u32,
    /// How long one may take from when it is accepted; none: as long as it likes.
    pub deadline: Option<Duration>,
}

/// Where tasks come in.
pub struct Reception {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// What can be asked for.
    pub operations: Arc<Operations>,
    /// What says who asks.
    pub identities: Identities,
    vault: Arc<Vault>,
    terms: Terms,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    submissions: Places,
    waiting: Semaphore,
}

/// What a [`Reception`] is made of.
#[derive(Debug)]
pub struct Equipment {
    /// Where tasks are kept.
    pub store: Arc<dyn Store>,
    /// What can be asked for.
    pub operations: Arc<Operations>,
    /// What says who asks.
    pub identities: Identities,
    /// What seals credentials.
    pub vault: Arc<Vault>,
    /// What tasks are accepted by.
    pub terms: Terms,
    /// The clock.
    pub clock: SharedClock,
    /// Where transitions are counted.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process is about to end: nobody waits any longer then.
    pub stop: CancellationToken,
}

/// A task that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub enum Accepted {
    /// Now.
    Now(Box<Task>),
    /// When the same was asked before under the same name; as it is now.
    Before(Box<Task>),
}

/// Why a task was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// There is no such operation.
    #[error("there is no such operation; `GET /operations` lists those that there are")]
    Operation,
    /// The request is not what the operation takes.
    #[error("{0}")]
    Request(String),
    /// The operation, or the server of the data, says no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An equal one is under way.
    #[error("an identical request is in progress")]
    Identical(TaskId),
    /// The key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The user has as many waiting as may be.
    #[error("you have as many tasks waiting as one user may have")]
    UserFull,
    /// As many wait as may be.
    #[error("as many tasks are waiting as may be")]
    Full,
    /// Too many are asking at this moment.
    #[error("too many requests for tasks are being looked at")]
    Busy,
    /// The credential can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reception {
    /// Opens it.
    #[must_use]
    pub fn new(equipment: Equipment) -> Self {
        let Equipment { store, operations, identities, vault, terms, clock, metrics, stop } = equipment;
        Self {
            store,
            operations,
            identities,
            vault,
            terms,
            clock,
            metrics,
            stop,
            submissions: Places::new(MAX_SUBMISSIONS, MAX_SUBMISSIONS_OF_ONE),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// A place among those whose request is read and looked at.
    ///
    /// # Errors
    /// [`NotAccepted::Busy`] if there is none for a while.
    pub async fn place(&self, owner: &Owner) -> Result<Place<'_>, NotAccepted> {
        self.submissions.take(owner, CALL_PATIENCE).await.ok_or(NotAccepted::Busy)
    }

    /// Accepts a task, if it can be done and whoever asks may have it done.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub async fn accept(
        &self,
        caller: &Caller,
        request: Request,
        key: Option<String>,
    ) -> Result<Accepted, NotAccepted> {
        let operation = self.operations.named(&request.operation).ok_or(NotAccepted::Operation)?;
        fits(operation.as_ref(), &request)?;
        let digest = request.digest(caller.owner.as_str());
        let idempotency = key.map(|key| Idempotency { key, digest });
        // What was done may have made its own repetition impossible; that it was asked before is said first.
        if let Some(known) = self.store.known(&caller.owner, &digest, idempotency.as_ref()).await? {
            return answer(known);
        }
        let looked = tokio::time::timeout(PATIENCE, self.look(caller, &request, operation.as_ref())).await;
        looked.map_err(|_| Rejection::Unavailable("the server of the data took too long".to_owned()))??;

        let now = self.now();
        let id = TaskId::new(now, random::bytes().map_err(SealError::from)?);
        let task = NewTask {
            id,
            owner: caller.owner.clone(),
            request,
            digest,
            idempotency,
            credential: self.vault.seal(id, &caller.owner, &caller.credential)?,
            credential_expires: caller.expires,
            deadline: self.terms.deadline.map(|deadline| now.after(deadline)),
            max_attempts: self.terms.max_attempts,
        };
        let accepted = answer(self.store.submit(task, &self.terms.limits, now).await?)?;
        if let Accepted::Now(task) = &accepted {
            self.record(task, "accepted", None);
        }
        Ok(accepted)
    }

    /// Deletes a task.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, id: TaskId) -> Result<Deleted, StoreError> {
        let deleted = self.store.delete(id, self.now()).await?;
        if let Deleted::Now(task) = &deleted {
            self.record(task, "deleted", Some(task.status));
        }
        Ok(deleted)
    }

    /// Queues a paused task again, with the credential of its owner who asks for that.
    ///
    /// # Errors
    /// [`NotAccepted::Seal`] and [`NotAccepted::Store`].
    pub async fn resume(&self, id: TaskId, caller: &Caller) -> Result<Resumed, NotAccepted> {
        let sealed = self.vault.seal(id, &caller.owner, &caller.credential)?;
        let resumed = self.store.resume(id, sealed, caller.expires, self.now()).await?;
        if let Resumed::Now(task) = &resumed {
            self.record(task, "resumed", Some(Status::Paused));
        }
        Ok(resumed)
    }

    /// A task, once that holds for it, or after a time. Whether it was waited for at all: with too many who wait
    /// it is not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wait(
        &self,
        id: TaskId,
        time: Duration,
        is_awaited: impl Fn(&Task) -> bool,
    ) -> Result<(Option<Task>, bool), StoreError> {
        let mut following = self.store.changes().follow(id);
        let mut task = self.store.get(id).await?;
        let Ok(_place) = self.waiting.try_acquire() else { return Ok((task, false)) };
        let end = Instant::now() + time;
        while task.as_ref().is_some_and(|task| !is_awaited(task)) && Instant::now() < end {
            let look = end.min(Instant::now() + LOOK);
            tokio::select! {
                () = following.changed() => {}
                () = tokio::time::sleep_until(look) => {}
                () = self.stop.cancelled() => return Ok((task, true)),
            }
            task = self.store.get(id).await?;
        }
        Ok((task, true))
    }

    fn record(&self, task: &Task, event: &'static str, from: Option<Status>) {
        let Task { id, owner, request, status, epoch, .. } = task;
        let operation = &request.operation;
        audit::transition(
            &self.metrics,
            &Transition { id: *id, owner, operation, event, from, to: *status, epoch: *epoch },
        );
    }

    async fn look(&self, caller: &Caller, request: &Request, operation: &dyn Operation) -> Result<(), Rejection> {
        let session = caller.session.patient(CALL_PATIENCE);
        authorise(&session, request, operation.description().writes).await?;
        operation.check(&Preview { request, session: Some(&session) }).await
    }
}

/// Whether nothing more happens to a task unless its owner does something.
#[must_use]
pub fn is_settled(task: &Task) -> bool {
    task.is_over() || task.deleted.is_some() || task.status == Status::Paused
}

/// Whether a request is what the operation takes, as far as its description says that.
fn fits(operation: &dyn Operation, request: &Request) -> Result<(), NotAccepted> {
    let description = operation.description();
    for (name, locations, expected) in
        [("src", &request.src, &description.sources), ("des", &request.des, &description.destinations)]
    {
        if !expected.contains(&locations.len()) || locations.len() > MAX_LOCATIONS {
            let (least, most) = (*expected.start(), (*expected.end()).min(MAX_LOCATIONS));
            let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let detail = format!("`{}` takes {count} locations in `{name}`", description.name);
            return Err(NotAccepted::Request(detail));
        }
    }
    let arguments = serde_json::Value::Object(request.args.clone());
    if schema::is_deeper(&arguments, MAX_ARGUMENT_DEPTH) {
        return Err(NotAccepted::Request(format!("`args` is nested more than {MAX_ARGUMENT_DEPTH} times")));
    }
    let schema = Schema::read(&description.arguments, "arguments").map_err(|error| {
        tracing::error!(operation = description.name, %error, "the operation's schema can't be checked; please report this");
        Rejection::Unavailable("the operation can't be asked for at the moment".to_owned())
    })?;
    schema.check(&arguments, "args").map_err(|mismatch| NotAccepted::Request(mismatch.to_string()))
}

fn answer(submitted: Submitted) -> Result<Accepted, NotAccepted> {
    match submitted {
        Submitted::Accepted(task) => Ok(Accepted::Now(task)),
        Submitted::Replayed(task) => Ok(Accepted::Before(task)),
        Submitted::Identical(id) => Err(NotAccepted::Identical(id)),
        Submitted::KeyReused => Err(NotAccepted::KeyReused),
        Submitted::UserFull => Err(NotAccepted::UserFull),
        Submitted::Full => Err(NotAccepted::Full),
    }
}

impl fmt::Debug for Reception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reception").field("store", &self.store).finish_non_exhaustive()
    }
}
