//! Everything that is written, each as a command that runs inside a transaction.
//!
//! Why commands: many of them share one transaction, and so one wait for the disk. A command may be run again
//! after its transaction failed, so it changes nothing but the database and its [`Batch`].

pub(super) mod claim;
mod give_up;
pub(super) mod hold;
pub(super) mod lifetime;
pub(super) mod submit;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;

use crate::tasks::row::{Owner, TaskId};
use crate::tasks::store::StoreError;
use crate::tasks::store::database::Transaction;

/// Something to write.
#[async_trait]
pub(super) trait Command: Send + Sync + 'static {
    /// What comes of it.
    type Answer: Send;

    /// Its place among those of a transaction.
    fn place(&self) -> Place;

    /// Does it.
    async fn run(&self, transaction: &mut Transaction, batch: &mut Batch) -> Result<Self::Answer, StoreError>;
}

/// The order of commands within a transaction. It keeps transactions of several processes from waiting for each
/// other in a circle: those that submit wait while they hold nothing yet, those that change single tasks take them
/// in the order of their ids, and those that claim pass over what is held, and so wait for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Submit,
    Change(TaskId),
    Claim,
}

/// What the commands of one transaction share.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Whether there is new work.
    pub(super) has_work: bool,
    /// Which tasks changed.
    pub(super) changed: BTreeSet<TaskId>,
    /// How many tasks wait; none before the transaction has its turn to submit.
    waiting: Option<u64>,
    /// How many tasks of an owner wait, as far as it was asked.
    waiting_of_owner: HashMap<Owner, u64>,
}
