//! Claiming tasks, fairly and within limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use async_trait::async_trait;
use taskgate_core::time::UnixTime;

use crate::tasks::row::{Failure, Sealed, Task, TaskId};
use crate::tasks::store::columns;
use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Row, Transaction, Turn, Value};
use crate::tasks::store::statements::{
    CLAIM, DUE, GIVE_UP, LEASE_ENDED, RUNNING, TAKE_BACK, TASK_COLUMNS, WAITING_OWNERS,
};
use crate::tasks::store::{Claim, Claimed, Claims, Hold, Limits, StoreError};

/// Claims tasks.
#[derive(Debug)]
pub(in crate::tasks::store) struct Take {
    pub(in crate::tasks::store) claim: Claim,
    pub(in crate::tasks::store) limits: Limits,
    pub(in crate::tasks::store) now: UnixTime,
}

/// An owner who has tasks that wait. The order is that of claiming: who has the fewest running comes first, then
/// who has waited longest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    running: u64,
    due: u64,
    owner: String,
}

/// A task that is due.
#[derive(Debug)]
struct Due {
    id: TaskId,
    not_before: u64,
    deadline: Option<u64>,
}

#[async_trait]
impl Command for Take {
    type Answer = Claims;

    fn place(&self) -> Place {
        Place::Claim
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Claims, StoreError> {
        transaction.take(Turn::Claim).await?;
        let mut claims = Claims::default();
        self.take_back(transaction, batch, &mut claims).await?;
        let running = transaction.count(&RUNNING, &[]).await?;
        let room = u64::from(self.limits.running).saturating_sub(running).min(u64::from(self.claim.max));
        let picked = self.pick(transaction, batch, &mut claims, room).await?;
        if !picked.is_empty() {
            claims.tasks = self.claim(transaction, &picked).await?;
            batch.changed.extend(picked);
        }
        Ok(claims)
    }
}

impl Take {
    /// Queues tasks again whose lease ended, or gives them up.
    async fn take_back(
        &self,
        transaction: &mut Transaction,
        batch: &mut Batch,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        for row in transaction.rows(&LEASE_ENDED, &[Value::from(self.now)]).await? {
            let id = columns::id(&row, 0)?;
            let (attempts, max_attempts) = (row.number(1)?, row.number(2)?);
            let is_deleted = row.maybe_number(4)?.is_some();
            let failure = if is_deleted {
                None
            } else if attempts >= max_attempts {
                Some(worker_lost(attempts))
            } else {
                self.too_late(row.maybe_number(3)?)
            };
            batch.changed.insert(id);
            if let Some(failure) = failure {
                claims.given_up.extend(give_up(transaction, id, &failure, self.now).await?);
            } else {
                transaction.rows(&TAKE_BACK, &[Value::from(id), Value::from(self.now)]).await?;
                claims.lost.push(id);
            }
        }
        Ok(())
    }

    /// The next tasks, `room` at most. Each goes to the owner who then has the fewest running.
    async fn pick(
        &self,
        transaction: &mut Transaction,
        batch: &mut Batch,
        claims: &mut Claims,
        room: u64,
    ) -> Result<Vec<TaskId>, StoreError> {
        let mut picked = Vec::new();
        if room == 0 {
            return Ok(picked);
        }
        let cap = u64::from(self.limits.running_per_user);
        let mut owners = self.owners(transaction).await?;
        let operations = columns::to_json(&self.claim.claimant.operations)?;
        let mut queues: BTreeMap<String, VecDeque<Due>> = BTreeMap::new();
        while let Some(Reverse(mut next)) = owners.pop() {
            let left = room.saturating_sub(u64::try_from(picked.len()).unwrap_or(u64::MAX));
            if left == 0 {
                break;
            }
            if next.running >= cap {
                continue;
            }
            let queue = match queues.entry(next.owner.clone()) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let most = left.min(cap.saturating_sub(next.running));
                    entry.insert(self.due(transaction, &next.owner, most, &operations).await?)
                }
            };
            let Some(due) = queue.pop_front() else { continue };
            if let Some(failure) = self.too_late(due.deadline) {
                batch.changed.insert(due.id);
                claims.given_up.extend(give_up(transaction, due.id, &failure, self.now).await?);
            } else {
                picked.push(due.id);
                next.running = next.running.saturating_add(1);
            }
            if let Some(following) = queue.front() {
                next.due = following.not_before;
                owners.push(Reverse(next));
            }
        }
        Ok(picked)
    }

    async fn owners(&self, transaction: &mut Transaction) -> Result<BinaryHeap<Reverse<Candidate>>, StoreError> {
        let mut owners = BinaryHeap::new();
        for row in transaction.rows(&WAITING_OWNERS, &[]).await? {
            let due = row.maybe_number(2)?.unwrap_or(u64::MAX);
            if due <= self.now.as_millis() {
                owners.push(Reverse(Candidate { running: row.number(1)?, due, owner: row.text(0)? }));
            }
        }
        Ok(owners)
    }

    async fn due(
        &self,
        transaction: &mut Transaction,
        owner: &str,
        most: u64,
        operations: &str,
    ) -> Result<VecDeque<Due>, StoreError> {
        let values = [Value::from(owner), Value::from(self.now), Value::from(most), Value::from(operations)];
        let rows = transaction.rows(&DUE, &values).await?;
        rows.iter()
            .map(|row| Ok(Due { id: columns::id(row, 0)?, not_before: row.number(1)?, deadline: row.maybe_number(2)? }))
            .collect()
    }

    /// Claims these, and returns them in the same order.
    async fn claim(&self, transaction: &mut Transaction, picked: &[TaskId]) -> Result<Vec<Claimed>, StoreError> {
        let values = [
            Value::from(columns::to_json(&picked)?),
            Value::from(self.now),
            Value::from(self.claim.claimant.name.as_str()),
            Value::from(self.claim.lease_until),
        ];
        let rows = transaction.rows(&CLAIM, &values).await?;
        let mut claimed = rows.iter().map(claimed).collect::<Result<Vec<Claimed>, StoreError>>()?;
        claimed.sort_by_key(|claimed| picked.iter().position(|id| *id == claimed.hold.id));
        Ok(claimed)
    }

    fn too_late(&self, deadline: Option<u64>) -> Option<Failure> {
        deadline.is_some_and(|deadline| deadline <= self.now.as_millis()).then(deadline_passed)
    }
}

/// Sets a task failed that nobody holds; none where it is gone.
pub(in crate::tasks::store) async fn give_up(
    transaction: &mut Transaction,
    id: TaskId,
    failure: &Failure,
    now: UnixTime,
) -> Result<Option<Task>, StoreError> {
    let values = [Value::from(id), Value::from(now), Value::from(columns::to_json(failure)?)];
    transaction.row(&GIVE_UP, &values).await?.as_ref().map(columns::task).transpose()
}

/// The failure of a task that was not over in time.
pub(in crate::tasks::store) fn deadline_passed() -> Failure {
    let detail = "it was not over before its deadline".to_owned();
    Failure { code: "deadline-exceeded".to_owned(), detail, is_final: true }
}

fn worker_lost(attempts: u64) -> Failure {
    let detail = format!("attempt {attempts}, the last one, ended with the loss of its worker");
    Failure { code: "worker-lost".to_owned(), detail, is_final: true }
}

fn claimed(row: &Row) -> Result<Claimed, StoreError> {
    let task = columns::task(row)?;
    let hold = Hold { id: task.id, epoch: task.epoch };
    let checkpoint = row.maybe_bytes(TASK_COLUMNS)?;
    let credential = Sealed::new(row.maybe_bytes(TASK_COLUMNS.saturating_add(1))?.unwrap_or_default());
    Ok(Claimed { task, hold, checkpoint, credential })
}
