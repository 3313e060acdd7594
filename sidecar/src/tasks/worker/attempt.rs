//! One attempt at a task: from what was claimed to how it ended.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use serde_json::Value;
use taskgate_core::task::Progress;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::retry;
use crate::tasks::operation::{Operation, WorkError};
use crate::tasks::queue::{Ending, Queue, QueueError, Taken};
use crate::tasks::row::Failure;
use crate::tasks::store::{Renewed, Settled};
use crate::tasks::work::{Keep, Setup, StopReason, Work};
use crate::tasks::worker::access::Access;
use crate::tasks::worker::reins::Reins;
use crate::tasks::worker::{Worker, WorkerSettings};

/// The largest result, in bytes: it stands in the row.
const MAX_RESULT: usize = 1 << 20;
/// The most characters of a failure's words.
const MAX_DETAIL: usize = 2_000;

/// Why an attempt has no result.
enum Undone {
    /// The work ended.
    Ended(WorkError),
    /// It was not begun: it can't be said whether the owner may.
    Unasked(String),
}

/// Makes an attempt, and says how it ended.
pub(super) async fn make(worker: &Arc<Worker>, taken: Taken, reins: &Arc<Reins>) {
    let began = Instant::now();
    let attempt = taken.task.attempts;
    // Whatever breaks here must not leave the task held.
    let outcome = AssertUnwindSafe(work(worker, taken, reins)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(broke().into()));
    if let Some(ending) = ending(outcome, reins, attempt, &worker.settings) {
        settle(worker, reins, &ending, began).await;
    } else {
        tracing::warn!(task.id = %reins.held.hold.id, task.epoch = reins.held.hold.epoch, "a task was lost");
    }
    worker.let_go(reins.held.hold);
}

async fn work(worker: &Worker, taken: Taken, reins: &Arc<Reins>) -> Result<Value, Undone> {
    let Some(operation) = worker.operations.named(&taken.task.request.operation) else {
        // Another worker may have it: of a newer release, say.
        return Err(WorkError::Transient("this worker does not have the operation".to_owned()).into());
    };
    let session = worker.server.as_ref().map(|server| server.with(&taken.credential)).transpose();
    let session = session.map_err(WorkError::from)?;
    let access = Access::new(session.as_ref(), &taken.task.request, operation.description().writes);
    let deadline = taken.time_left.and_then(|left| Instant::now().checked_add(left));
    let keep = Keeper { queue: Arc::clone(&worker.queue), reins: Arc::clone(reins) };
    let mut work = Work::new(Setup {
        task: taken.task,
        checkpoint: taken.checkpoint,
        credential: taken.credential,
        session,
        deadline,
        keep: Arc::new(keep),
        budget: worker.budget.clone(),
        stop: reins.stop.clone(),
    });
    reins.follow(work.reported());
    let mut doing = pin!(run(operation.as_ref(), &mut work, &access));
    let interrupted = async {
        tokio::select! {
            error = access.watch(worker.settings.renew) => {
                reins.pull(reason(&error));
                return Some(error);
            }
            () = reins.lapsed() => reins.pull(StopReason::Lost),
            () = late(deadline) => reins.pull(StopReason::Late),
            () = reins.stop.token().cancelled() => {}
        }
        None
    };
    let error = tokio::select! {
        outcome = &mut doing => return outcome,
        error = interrupted => error,
    };
    // It may end by itself, and clean up; then it is cut off, with all its I/O.
    let stopping = worker.settings.stopping.max(operation.stopping().min(worker.settings.margin));
    let outcome = timeout(stopping, doing).await.unwrap_or(Err(WorkError::Stopped.into()));
    error.map_or(outcome, |error| Err(error.into()))
}

async fn run(operation: &dyn Operation, work: &mut Work, access: &Access) -> Result<Value, Undone> {
    match access.check().await {
        Ok(()) => {}
        Err(WorkError::Transient(detail)) => return Err(Undone::Unasked(detail)),
        Err(error) => {
            if matches!(error, WorkError::Permanent { .. }) {
                operation.abandon(work).await;
            }
            return Err(error.into());
        }
    }
    let running = AssertUnwindSafe(operation.run(work)).catch_unwind();
    let result = running.await.unwrap_or_else(|_| Err(broke()))?;
    if serde_json::to_vec(&result).map_or(usize::MAX, |bytes| bytes.len()) > MAX_RESULT {
        let detail = format!("its result is larger than {MAX_RESULT} bytes");
        return Err(WorkError::permanent("result-too-large", detail).into());
    }
    // What is said to be done must outlive the server.
    work.flush().await?;
    Ok(result)
}

/// Why work is stopped whose owner may not go on.
fn reason(error: &WorkError) -> StopReason {
    match error {
        WorkError::CredentialEnded => StopReason::CredentialEnded,
        WorkError::Permanent { .. } | WorkError::Transient(_) | WorkError::Stopped => StopReason::Forbidden,
    }
}

async fn late(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// How an attempt ended; none where nothing may be written any more.
fn ending(outcome: Result<Value, Undone>, reins: &Reins, attempt: u32, settings: &WorkerSettings) -> Option<Ending> {
    let failure = |code: &str, detail: &str, is_final| Failure {
        code: code.to_owned(),
        detail: detail.chars().take(MAX_DETAIL).collect(),
        is_final,
    };
    let again = |code: &str, detail: &str| {
        let pause = retry::fraction(settings.longest_pause_after(attempt));
        Ending::Retry { pause, failure: failure(code, detail, false) }
    };
    match reins.why() {
        Some(StopReason::Lost) => return None,
        Some(StopReason::Deleted) => return Some(Ending::Released),
        Some(StopReason::Late) if outcome.is_err() => {
            let detail = "it was not over before its deadline";
            return Some(Ending::Failed(failure("deadline-exceeded", detail, true)));
        }
        Some(StopReason::CredentialEnded | StopReason::Draining | StopReason::Forbidden | StopReason::Late) | None => {}
    }
    let error = match outcome {
        Ok(result) => return Some(Ending::Complete(result)),
        Err(Undone::Ended(error)) => error,
        Err(Undone::Unasked(detail)) => {
            // Each claim before that was no attempt makes the pause longer.
            let before = reins.held.hold.epoch.saturating_sub(u64::from(attempt));
            let before = u32::try_from(before).unwrap_or(u32::MAX);
            let pause = retry::fraction(settings.longest_pause_after(before.saturating_add(1)));
            return Some(Ending::Postponed { pause, failure: failure("unavailable", &detail, false) });
        }
    };
    Some(match error {
        WorkError::Stopped if reins.why() == Some(StopReason::Draining) => Ending::Released,
        WorkError::Stopped => again("stopped", "the operation stopped without having been asked to"),
        WorkError::Permanent { code, detail } => Ending::Failed(failure(code, &detail, true)),
        WorkError::Transient(detail) => again("transient", &detail),
        WorkError::CredentialEnded => Ending::Paused(failure("credential-ended", &error.to_string(), false)),
    })
}

async fn settle(worker: &Worker, reins: &Reins, ending: &Ending, began: Instant) {
    let ran = began.elapsed();
    // After the lease it still counts where nobody else has taken the task; but not for ever.
    let until = reins.safe_until() + worker.settings.lease;
    let mut tries = 0;
    loop {
        let turn = worker.turn.read().await;
        let error = match worker.queue.settle(&reins.held, ending, ran).await {
            Ok(Settled::Done(_)) => return worker.let_go(reins.held.hold),
            Ok(Settled::Fenced) => {
                tracing::warn!(task.id = %reins.held.hold.id, "a task's end came too late: another worker has it");
                return;
            }
            Err(error) => error,
        };
        drop(turn);
        if !error.is_passing() || Instant::now() > until.max(reins.safe_until()) {
            tracing::error!(task.id = %reins.held.hold.id, %error, "a task's end was not recorded");
            return;
        }
        tries += 1;
        sleep(retry::wait(tries)).await;
    }
}

impl From<WorkError> for Undone {
    fn from(error: WorkError) -> Self {
        Self::Ended(error)
    }
}

fn broke() -> WorkError {
    WorkError::Transient("the operation broke; please report this".to_owned())
}

/// Keeps checkpoints under the hold of an attempt.
#[derive(Debug)]
struct Keeper {
    queue: Arc<dyn Queue>,
    reins: Arc<Reins>,
}

#[async_trait]
impl Keep for Keeper {
    async fn keep(&self, checkpoint: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError> {
        let renewed = self.queue.checkpoint(self.reins.held.hold, checkpoint, progress).await?;
        match renewed {
            Renewed::Held => {}
            Renewed::Deleted => self.reins.pull(StopReason::Deleted),
            Renewed::Lost => self.reins.pull(StopReason::Lost),
        }
        Ok(renewed)
    }
}
