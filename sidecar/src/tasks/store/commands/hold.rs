//! What a holder writes. Every statement names the epoch; what it does not find was taken over by somebody else.

use async_trait::async_trait;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;

use crate::tasks::row::Failure;
use crate::tasks::store::columns;
use crate::tasks::store::commands::{Batch, Command, Place};
use crate::tasks::store::database::{Transaction, Value};
use crate::tasks::store::statements::{
    CHECKPOINT, COUNT_FENCED, END, HELD_BEFORE, PAUSE, POSTPONE, RELEASE, RENEW, RENEW_WITH_PROGRESS, RETRY, Sql,
};
use crate::tasks::store::{Hold, Outcome, Renewal, Renewed, Settled, StoreError};

/// Prolongs leases.
#[derive(Debug)]
pub(in crate::tasks::store) struct Renew {
    pub(in crate::tasks::store) renewals: Vec<Renewal>,
    pub(in crate::tasks::store) now: UnixTime,
}

/// Keeps a checkpoint.
#[derive(Debug)]
pub(in crate::tasks::store) struct Keep {
    pub(in crate::tasks::store) hold: Hold,
    pub(in crate::tasks::store) checkpoint: Vec<u8>,
    pub(in crate::tasks::store) progress: Progress,
    pub(in crate::tasks::store) now: UnixTime,
}

/// Ends a hold.
#[derive(Debug)]
pub(in crate::tasks::store) struct Settle {
    pub(in crate::tasks::store) hold: Hold,
    pub(in crate::tasks::store) outcome: Outcome,
    pub(in crate::tasks::store) now: UnixTime,
}

#[async_trait]
impl Command for Renew {
    type Answer = Vec<Renewed>;

    fn place(&self) -> Place {
        // The one that has the first id says it for all; the order matters only with others.
        self.renewals.iter().map(|renewal| Place::Change(renewal.hold.id)).min().unwrap_or(Place::Claim)
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Vec<Renewed>, StoreError> {
        let mut order: Vec<(usize, &Renewal)> = self.renewals.iter().enumerate().collect();
        order.sort_by_key(|(_, renewal)| renewal.hold);
        let mut answers = Vec::with_capacity(order.len());
        for (index, renewal) in order {
            let mut values = held(renewal.hold).to_vec();
            values.push(Value::from(renewal.lease_until));
            let answer = if let Some(progress) = renewal.progress {
                values.extend(columns::progress(progress));
                values.push(Value::from(self.now));
                batch.changed.insert(renewal.hold.id);
                still_held(transaction, &RENEW_WITH_PROGRESS, &values).await?
            } else {
                still_held(transaction, &RENEW, &values).await?
            };
            answers.push((index, answer));
        }
        answers.sort_by_key(|(index, _)| *index);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }
}

#[async_trait]
impl Command for Keep {
    type Answer = Renewed;

    fn place(&self) -> Place {
        Place::Change(self.hold.id)
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Renewed, StoreError> {
        let mut values = held(self.hold).to_vec();
        values.push(Value::from(Some(self.checkpoint.clone())));
        values.extend(columns::progress(self.progress));
        values.push(Value::from(self.now));
        batch.changed.insert(self.hold.id);
        still_held(transaction, &CHECKPOINT, &values).await
    }
}

#[async_trait]
impl Command for Settle {
    type Answer = Settled;

    fn place(&self) -> Place {
        Place::Change(self.hold.id)
    }

    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Settled, StoreError> {
        let (sql, values) = self.statement()?;
        let Some(row) = transaction.row(sql, &values).await? else { return self.fenced(transaction).await };
        let status = columns::status(&row, 0)?;
        batch.changed.insert(self.hold.id);
        // Others may go on at once where this one was given back, or where its owner was at a limit.
        batch.has_work = true;
        Ok(Settled::Done(status))
    }
}

impl Settle {
    fn statement(&self) -> Result<(&'static Sql, Vec<Value>), StoreError> {
        let mut values = held(self.hold).to_vec();
        let now = Value::from(self.now);
        let sql = match &self.outcome {
            Outcome::Complete(result) => {
                let result = Value::from(columns::to_json(result)?);
                values.extend([Value::from(Status::Complete.as_str()), result, Value::Text(None), now]);
                &END
            }
            Outcome::Failed(failure) => {
                let failure = Value::from(columns::to_json(&with_end(failure, true))?);
                values.extend([Value::from(Status::Failed.as_str()), Value::Text(None), failure, now]);
                &END
            }
            Outcome::Retry { not_before, failure } => {
                let passing = Value::from(columns::to_json(&with_end(failure, false))?);
                let last = Value::from(columns::to_json(&with_end(failure, true))?);
                values.extend([passing, last, Value::from(*not_before), now]);
                &RETRY
            }
            Outcome::Paused(failure) => {
                values.extend([Value::from(columns::to_json(&with_end(failure, false))?), now]);
                &PAUSE
            }
            Outcome::Postponed { not_before, failure } => {
                let failure = Value::from(columns::to_json(&with_end(failure, false))?);
                values.extend([failure, Value::from(*not_before), now]);
                &POSTPONE
            }
            Outcome::Released { checkpoint } => {
                values.extend([Value::from(checkpoint.clone()), now]);
                &RELEASE
            }
        };
        Ok((sql, values))
    }

    /// What to say where the task is not held: an outcome that is there already was written by this holder, whose
    /// answer got lost. Nobody else can have written it under this epoch.
    async fn fenced(&self, transaction: &mut Transaction) -> Result<Settled, StoreError> {
        let own = match self.outcome {
            Outcome::Complete(_) => Some(Status::Complete),
            Outcome::Failed(_) => Some(Status::Failed),
            _ => None,
        };
        if let (Some(own), Some(row)) = (own, transaction.row(&HELD_BEFORE, &[Value::from(self.hold.id)]).await?)
            && columns::status(&row, 0)? == own
            && row.number(1)? == self.hold.epoch
        {
            return Ok(Settled::Done(own));
        }
        transaction.rows(&COUNT_FENCED, &[Value::from(self.hold.id)]).await?;
        Ok(Settled::Fenced)
    }
}

/// Runs a statement of a holder who goes on, which returns when the task was deleted.
async fn still_held(transaction: &mut Transaction, sql: &'static Sql, values: &[Value]) -> Result<Renewed, StoreError> {
    let Some(row) = transaction.row(sql, values).await? else {
        // The id is the first of the values.
        transaction.rows(&COUNT_FENCED, values.get(..1).unwrap_or_default()).await?;
        return Ok(Renewed::Lost);
    };
    Ok(if row.maybe_number(0)?.is_some() { Renewed::Deleted } else { Renewed::Held })
}

fn held(hold: Hold) -> [Value; 2] {
    [Value::from(hold.id), Value::from(hold.epoch)]
}

fn with_end(failure: &Failure, is_final: bool) -> Failure {
    Failure { is_final, ..failure.clone() }
}
