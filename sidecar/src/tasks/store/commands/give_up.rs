//! What ends without its worker: leases that ended, and deadlines that passed.

use taskgate_core::time::UnixTime;

use crate::tasks::row::{Failure, Task, TaskId};
use crate::tasks::store::commands::Batch;
use crate::tasks::store::database::{Transaction, Value};
use crate::tasks::store::statements::{GIVE_UP, LEASE_ENDED, TAKE_BACK};
use crate::tasks::store::{StoreError, columns};

/// What became of tasks whose lease ended.
#[derive(Debug, Default)]
pub(in crate::tasks::store) struct TakenBack {
    /// Those that were queued again.
    pub(in crate::tasks::store) lost: Vec<TaskId>,
    /// Those that were given up.
    pub(in crate::tasks::store) given_up: Vec<Task>,
}

/// Queues tasks again whose lease ended, or gives them up.
pub(in crate::tasks::store) async fn take_back(
    transaction: &mut Transaction,
    batch: &mut Batch,
    now: UnixTime,
) -> Result<TakenBack, StoreError> {
    let mut taken = TakenBack::default();
    for row in transaction.rows(&LEASE_ENDED, &[Value::from(now)]).await? {
        let id = columns::id(&row, 0)?;
        let (attempts, max_attempts) = (row.number(1)?, row.number(2)?);
        let is_deleted = row.maybe_number(4)?.is_some();
        let failure = if is_deleted {
            None
        } else if attempts >= max_attempts {
            Some(worker_lost(attempts))
        } else {
            too_late(row.maybe_number(3)?, now)
        };
        batch.changed.insert(id);
        if let Some(failure) = failure {
            taken.given_up.extend(give_up(transaction, id, &failure, now).await?);
        } else {
            transaction.rows(&TAKE_BACK, &[Value::from(id), Value::from(now)]).await?;
            taken.lost.push(id);
        }
    }
    Ok(taken)
}

/// Sets a task failed that nobody holds; none where it is gone, or can't be read.
pub(in crate::tasks::store) async fn give_up(
    transaction: &mut Transaction,
    id: TaskId,
    failure: &Failure,
    now: UnixTime,
) -> Result<Option<Task>, StoreError> {
    let values = [Value::from(id), Value::from(now), Value::from(columns::to_json(failure)?)];
    match transaction.row(&GIVE_UP, &values).await?.as_ref().map(columns::task).transpose() {
        // It must not keep anything from being done with others.
        Err(StoreError::Corrupt(reason)) => {
            tracing::error!(task.id = %id, reason, "a task that can't be read was given up");
            Ok(None)
        }
        given_up => given_up,
    }
}

/// The failure of a task whose deadline has passed; none while it has not.
pub(in crate::tasks::store) fn too_late(deadline: Option<u64>, now: UnixTime) -> Option<Failure> {
    deadline.is_some_and(|deadline| deadline <= now.as_millis()).then(deadline_passed)
}

/// The failure of a task that was not over in time.
pub(in crate::tasks::store) fn deadline_passed() -> Failure {
    let detail = "it was not over before its deadline".to_owned();
    Failure { code: "deadline-exceeded".to_owned(), detail, is_final: true }
}

/// The failure of a task whose row makes no sense.
pub(in crate::tasks::store) fn unreadable(reason: String) -> Failure {
    Failure { code: "unreadable".to_owned(), detail: reason, is_final: true }
}

fn worker_lost(attempts: u64) -> Failure {
    let detail = format!("attempt {attempts}, the last one, ended with the loss of its worker");
    Failure { code: "worker-lost".to_owned(), detail, is_final: true }
}
