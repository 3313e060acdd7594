//! Accepting tasks.

use async_trait::async_trait;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;

use crate::tasks::row::Task;
use crate::tasks::store::columns;
use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Row, Transaction, Turn, Value};
use crate::tasks::store::statements::{BY_DIGEST, BY_KEY, SUBMIT, TASK_COLUMNS, WAITING, WAITING_OF_OWNER};
use crate::tasks::store::{Idempotency, Limits, NewTask, StoreError, Submitted};

/// Accepts a task.
#[derive(Debug)]
pub(in crate::tasks::store) struct Submit {
    pub(in crate::tasks::store) task: NewTask,
    pub(in crate::tasks::store) limits: Limits,
    pub(in crate::tasks::store) now: UnixTime,
}

#[async_trait]
impl Command for Submit {
    type Answer = Submitted;

    fn place(&self) -> Place {
        Place::Submit
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Submitted, StoreError> {
        let (all, own) = self.waiting(transaction, batch).await?;
        let full = if own >= u64::from(self.limits.queued_per_user) {
            Some(Submitted::UserFull)
        } else if all >= u64::from(self.limits.queued) {
            Some(Submitted::Full)
        } else {
            None
        };
        if full.is_none() && self.insert(transaction).await? {
            batch.waiting = Some(all.saturating_add(1));
            batch.waiting_of_owner.insert(self.task.owner.clone(), own.saturating_add(1));
            batch.has_work = true;
            return Ok(Submitted::Accepted(Box::new(self.accepted())));
        }
        // What was asked before is answered as before, room or not.
        if let Some(known) = self.known(transaction).await? {
            return Ok(known);
        }
        full.ok_or_else(|| StoreError::Corrupt(format!("there is a task {} already", self.task.id)))
    }
}

impl Submit {
    /// How many tasks wait, and how many of this owner. Nobody else adds to them before this transaction ends.
    async fn waiting(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<(u64, u64), StoreError> {
        let all = match batch.waiting {
            Some(waiting) => waiting,
            None => {
                transaction.take(Turn::Submit).await?;
                *batch.waiting.insert(transaction.count(&WAITING, &[]).await?)
            }
        };
        let owner = &self.task.owner;
        let own = match batch.waiting_of_owner.get(owner) {
            Some(waiting) => *waiting,
            None => {
                let waiting = transaction.count(&WAITING_OF_OWNER, &[Value::from(owner.as_str())]).await?;
                *batch.waiting_of_owner.entry(owner.clone()).or_insert(waiting)
            }
        };
        Ok((all, own))
    }

    /// Inserts the task; whether it was possible.
    async fn insert(&self, transaction: &mut Transaction) -> Result<bool, StoreError> {
        let task = &self.task;
        let (key, digest) =
            task.idempotency.as_ref().map(|named| (named.key.clone(), named.digest.to_string())).unzip();
        let values = [
            Value::from(task.id),
            Value::from(task.owner.as_str()),
            Value::from(task.request.operation.as_str()),
            Value::from(task.max_attempts),
            Value::from(self.now),
            Value::from(task.deadline),
            Value::from(task.digest.to_string()),
            Value::from(key),
            Value::from(digest),
            Value::from(task.credential_expires),
            Value::from(columns::to_json(&task.request)?),
            Value::from(Some(task.credential.as_bytes().to_vec())),
        ];
        Ok(transaction.row(&SUBMIT, &values).await?.is_some())
    }

    /// What is there of this task already.
    async fn known(&self, transaction: &mut Transaction) -> Result<Option<Submitted>, StoreError> {
        if let Some(named) = &self.task.idempotency {
            let values = [Value::from(self.task.owner.as_str()), Value::from(named.key.as_str())];
            if let Some(row) = transaction.row(&BY_KEY, &values).await? {
                return of_key(&row, named).map(Some);
            }
        }
        let row = transaction.row(&BY_DIGEST, &[Value::from(self.task.digest.to_string())]).await?;
        row.map(|row| Ok(Submitted::Identical(columns::id(&row, 0)?))).transpose()
    }

    /// The task as it was inserted.
    fn accepted(&self) -> Task {
        let task = self.task.clone();
        Task {
            id: task.id,
            owner: task.owner,
            request: task.request,
            digest: task.digest,
            status: Status::Queued,
            progress: Progress::default(),
            attempts: 0,
            max_attempts: task.max_attempts,
            epoch: 0,
            fenced: 0,
            created: self.now,
            updated: self.now,
            started: None,
            finished: None,
            not_before: self.now,
            deadline: task.deadline,
            worker: None,
            lease_until: None,
            credential_expires: task.credential_expires,
            result: None,
            failure: None,
            deleted: None,
            version: 1,
        }
    }
}

/// What comes of asking under a name that was used before; the row is that of [`BY_KEY`].
pub(in crate::tasks::store) fn of_key(row: &Row, named: &Idempotency) -> Result<Submitted, StoreError> {
    Ok(if row.text(TASK_COLUMNS)? == named.digest.to_string() {
        Submitted::Replayed(Box::new(columns::task(row)?))
    } else {
        Submitted::KeyReused
    })
}
