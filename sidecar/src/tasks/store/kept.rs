//! The store over a database.

use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;

use crate::digest::Digest;
use crate::tasks::row::{Owner, Sealed, Task, TaskId};
use crate::tasks::store::commands::claim::Take;
use crate::tasks::store::commands::hold::{Keep, Renew, Settle};
use crate::tasks::store::commands::lifetime::{Delete, Resume, Sweep};
use crate::tasks::store::commands::submit::{self, Submit};
use crate::tasks::store::database::{Database, Value};
use crate::tasks::store::statements::{ALL_TASKS, BY_DIGEST, BY_KEY, COUNTS, OLDEST_AND_FENCED, TASK, TASKS_OF_OWNER};
use crate::tasks::store::writer::Writer;
use crate::tasks::store::{
    Changes, Claim, Claims, Counts, Deleted, Hold, Idempotency, Limits, NewTask, Outcome, Renewal, Renewed, Resumed,
    Retention, Selection, Settled, Store, StoreError, Submitted, Swept, columns,
};

/// An id that is after that of every task.
const AFTER_ALL: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// A store over a database.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) database: Arc<Database>,
    pub(super) writer: Writer,
    pub(super) changes: Changes,
}

#[async_trait]
impl Store for Kept {
    async fn submit(&self, task: NewTask, limits: &Limits, now: UnixTime) -> Result<Submitted, StoreError> {
        self.writer.ask(Submit { task, limits: *limits, now }).await
    }

    async fn known(
        &self,
        owner: &Owner,
        digest: &Digest,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Submitted>, StoreError> {
        // In this order: a task that is found here first is found by its key too, where it has that one.
        let rows = self.database.read(&BY_DIGEST, &[Value::from(digest.to_string())]).await?;
        if let Some(named) = idempotency {
            let values = [Value::from(owner.as_str()), Value::from(named.key.as_str())];
            if let Some(row) = self.database.read(&BY_KEY, &values).await?.first() {
                return submit::of_key(row, named).map(Some);
            }
        }
        rows.first().map(|row| Ok(Submitted::Identical(columns::id(row, 0)?))).transpose()
    }

    async fn get(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let rows = self.database.read(&TASK, &[Value::from(id)]).await?;
        rows.first().map(columns::task).transpose()
    }

    async fn list(&self, selection: &Selection) -> Result<Vec<Task>, StoreError> {
        let after = selection.after.map_or_else(|| AFTER_ALL.to_owned(), |id| id.to_string());
        let mut values = vec![Value::from(after)];
        // There is a place for each state; one that is not wanted is no state.
        values.extend(Status::ALL.map(|status| {
            let is_wanted = selection.statuses.is_empty() || selection.statuses.contains(&status);
            Value::from(if is_wanted { status.as_str() } else { "" })
        }));
        values.push(Value::from(selection.limit));
        let sql = match &selection.owner {
            Some(owner) => {
                values.push(Value::from(owner.as_str()));
                &TASKS_OF_OWNER
            }
            None => &ALL_TASKS,
        };
        self.database.read(sql, &values).await?.iter().map(columns::task).collect()
    }

    async fn delete(&self, id: TaskId, now: UnixTime) -> Result<Deleted, StoreError> {
        self.writer.ask(Delete { id, now }).await
    }

    async fn resume(
        &self,
        id: TaskId,
        credential: Sealed,
        expires: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<Resumed, StoreError> {
        self.writer.ask(Resume { id, credential, expires, now }).await
    }

    async fn claim(&self, claim: &Claim, limits: &Limits, now: UnixTime) -> Result<Claims, StoreError> {
        self.writer.ask(Take { claim: claim.clone(), limits: *limits, now }).await
    }

    async fn renew(&self, renewals: Vec<Renewal>, now: UnixTime) -> Result<Vec<Renewed>, StoreError> {
        self.writer.ask(Renew { renewals, now }).await
    }

    async fn checkpoint(
        &self,
        hold: Hold,
        checkpoint: Vec<u8>,
        progress: Progress,
        now: UnixTime,
    ) -> Result<Renewed, StoreError> {
        self.writer.ask(Keep { hold, checkpoint, progress, now }).await
    }

    async fn settle(&self, hold: Hold, outcome: Outcome, now: UnixTime) -> Result<Settled, StoreError> {
        self.writer.ask(Settle { hold, outcome, now }).await
    }

    async fn sweep(&self, retention: Retention, now: UnixTime) -> Result<Swept, StoreError> {
        self.writer.ask(Sweep { retention, now }).await
    }

    async fn counts(&self, now: UnixTime) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for row in self.database.read(&COUNTS, &[]).await? {
            counts.tasks.insert((row.text(0)?, columns::status(&row, 1)?), row.number(2)?);
        }
        if let Some(row) = self.database.read(&OLDEST_AND_FENCED, &[]).await?.first() {
            counts.oldest_due = columns::time(row, 0)?.filter(|due| *due <= now).map(|due| now.since(due));
            counts.fenced = row.number(1)?;
        }
        Ok(counts)
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    async fn close(&self) {
        self.database.close().await;
    }
}
