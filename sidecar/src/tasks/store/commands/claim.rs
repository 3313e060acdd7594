//! Claiming tasks, fairly and within limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use async_trait::async_trait;
use taskgate_core::time::UnixTime;

use crate::tasks::row::{Sealed, TaskId};
use crate::tasks::store::columns;
use crate::tasks::store::commands::give_up::{TakenBack, give_up, take_back, too_late, unreadable};
use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Row, Transaction, Turn, Value};
use crate::tasks::store::statements::{CLAIM, DUE, RUNNING, TASK_COLUMNS, WAITING_OWNERS};
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
        let TakenBack { lost, given_up } = take_back(transaction, batch, self.now).await?;
        let mut claims = Claims { tasks: Vec::new(), lost, given_up };
        let running = transaction.count(&RUNNING, &[]).await?;
        let room = u64::from(self.limits.running).saturating_sub(running).min(u64::from(self.claim.max));
        let picked = self.pick(transaction, batch, &mut claims, room).await?;
        if !picked.is_empty() {
            self.claim(transaction, &picked, &mut claims).await?;
            batch.changed.extend(picked);
        }
        Ok(claims)
    }
}

impl Take {
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
            if let Some(failure) = too_late(due.deadline, self.now) {
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

    /// Claims these, in the same order. One that can't be read costs itself alone.
    async fn claim(
        &self,
        transaction: &mut Transaction,
        picked: &[TaskId],
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let values = [
            Value::from(columns::to_json(&picked)?),
            Value::from(self.now),
            Value::from(self.claim.claimant.name.as_str()),
            Value::from(self.claim.lease_until),
        ];
        for row in transaction.rows(&CLAIM, &values).await? {
            match claimed(&row) {
                Ok(claimed) => claims.tasks.push(claimed),
                Err(StoreError::Corrupt(reason)) => {
                    let id = columns::id(&row, 0)?;
                    claims.given_up.extend(give_up(transaction, id, &unreadable(reason), self.now).await?);
                }
                Err(error) => return Err(error),
            }
        }
        claims.tasks.sort_by_key(|claimed| picked.iter().position(|id| *id == claimed.hold.id));
        Ok(())
    }
}

fn claimed(row: &Row) -> Result<Claimed, StoreError> {
    let task = columns::task(row)?;
    let hold = Hold { id: task.id, epoch: task.epoch };
    let checkpoint = row.maybe_bytes(TASK_COLUMNS)?;
    let credential = Sealed::new(row.maybe_bytes(TASK_COLUMNS.saturating_add(1))?.unwrap_or_default());
    Ok(Claimed { task, hold, checkpoint, credential })
}
