//! Deleting, resuming and forgetting tasks.

use async_trait::async_trait;
use taskgate_core::time::UnixTime;

use crate::tasks::row::{Sealed, TaskId};
use crate::tasks::store::columns;
use crate::tasks::store::commands::give_up::{TakenBack, deadline_passed, give_up, take_back};
use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Transaction, Turn, Value};
use crate::tasks::store::statements::{DATA_VERSION, DELETE, FORGET_DELETED, FORGET_FINISHED, RESUME, TASK, TOO_LATE};
use crate::tasks::store::{Deleted, Resumed, Retention, StoreError, Swept};

/// The most of each kind that one transaction forgets.
const MOST_FORGOTTEN: u32 = 1000;

/// Deletes a task.
#[derive(Debug)]
pub(in crate::tasks::store) struct Delete {
    pub(in crate::tasks::store) id: TaskId,
    pub(in crate::tasks::store) now: UnixTime,
}

/// Resumes a paused task.
#[derive(Debug)]
pub(in crate::tasks::store) struct Resume {
    pub(in crate::tasks::store) id: TaskId,
    pub(in crate::tasks::store) credential: Sealed,
    pub(in crate::tasks::store) expires: Option<UnixTime>,
    pub(in crate::tasks::store) now: UnixTime,
}

/// Forgets what is over long enough, gives up what waits beyond its deadline, and takes back what workers lost.
#[derive(Debug)]
pub(in crate::tasks::store) struct Sweep {
    pub(in crate::tasks::store) retention: Retention,
    pub(in crate::tasks::store) now: UnixTime,
}

/// Asks whether another process wrote into the file.
#[derive(Debug)]
pub(in crate::tasks::store) struct Look;

#[async_trait]
impl Command for Delete {
    type Answer = Deleted;

    fn place(&self) -> Place {
        Place::Change(self.id)
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Deleted, StoreError> {
        if let Some(row) = transaction.row(&DELETE, &[Value::from(self.id), Value::from(self.now)]).await? {
            batch.changed.insert(self.id);
            return Ok(Deleted::Now(Box::new(columns::task(&row)?)));
        }
        let row = transaction.row(&TASK, &[Value::from(self.id)]).await?;
        Ok(if row.is_some() { Deleted::Before } else { Deleted::Unknown })
    }
}

#[async_trait]
impl Command for Resume {
    type Answer = Resumed;

    fn place(&self) -> Place {
        Place::Change(self.id)
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Resumed, StoreError> {
        let values = [
            Value::from(self.id),
            Value::from(Some(self.credential.as_bytes().to_vec())),
            Value::from(self.expires),
            Value::from(self.now),
        ];
        if let Some(row) = transaction.row(&RESUME, &values).await? {
            batch.changed.insert(self.id);
            batch.has_work = true;
            return Ok(Resumed::Now(Box::new(columns::task(&row)?)));
        }
        let Some(row) = transaction.row(&TASK, &[Value::from(self.id)]).await? else { return Ok(Resumed::Unknown) };
        let task = columns::task(&row)?;
        Ok(if task.deleted.is_some() { Resumed::Deleted } else { Resumed::NotPaused(task.status) })
    }
}

#[async_trait]
impl Command for Sweep {
    type Answer = Swept;

    fn place(&self) -> Place {
        Place::Claim
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Swept, StoreError> {
        // Workers take back too, but not while they are busy, and not where there are none.
        transaction.take(Turn::Claim).await?;
        let TakenBack { lost, mut given_up } = take_back(transaction, batch, self.now).await?;
        batch.has_work |= !lost.is_empty();
        let late = transaction.rows(&TOO_LATE, &[Value::from(self.now), Value::from(MOST_FORGOTTEN)]).await?;
        for row in &late {
            let id = columns::id(row, 0)?;
            given_up.extend(give_up(transaction, id, &deadline_passed(), self.now).await?);
            batch.changed.insert(id);
        }
        let before = |age| [Value::from(self.now.before(age)), Value::from(MOST_FORGOTTEN)];
        let finished = transaction.rows(&FORGET_FINISHED, &before(self.retention.finished)).await?.len();
        let tombstones = transaction.rows(&FORGET_DELETED, &before(self.retention.tombstones)).await?.len();
        let most = usize::try_from(MOST_FORGOTTEN).unwrap_or(usize::MAX);
        let is_all = [late.len(), finished, tombstones].iter().all(|count| *count < most);
        Ok(Swept { finished, tombstones, lost, given_up, is_all })
    }
}

#[async_trait]
impl Command for Look {
    type Answer = u64;

    fn place(&self) -> Place {
        Place::Claim
    }

    async fn run(&self, transaction: &mut Transaction, _: &mut Batch) -> Result<u64, StoreError> {
        transaction.count(&DATA_VERSION, &[]).await
    }
}
