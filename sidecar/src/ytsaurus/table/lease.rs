//! The lock of whoever writes.
//!
//! It hangs on a transaction that its holder keeps alive. A holder that falls silent loses it after
//! [`Pace::lease`], and every rewrite needs that transaction to be alive, at its beginning and at its
//! end: a sidecar that was frozen in the middle of one can't finish it after another took over.

use serde_json::json;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::pace::{GOODBYE, Pace};

/// A transaction that holds the lock, or stands for it.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    client: &'a Client,
    pace: &'a Pace,
    path: &'a str,
    transaction: Transaction,
    started: Instant,
}

impl<'a> Lease<'a> {
    /// Starts a transaction that stands for the lock at `path`. [`Self::end`] must be called.
    pub(super) async fn start(
        client: &'a Client,
        pace: &'a Pace,
        path: &'a str,
        title: &str,
    ) -> Result<Self, TableError> {
        let started = Instant::now();
        let transaction = client
            .start_transaction(title, pace.lease, None, started + pace.lease)
            .await
            .map_err(|error| TableError::new("start a transaction for", path, error))?;
        Ok(Self { client, pace, path, transaction, started })
    }

    /// The transaction.
    pub(super) const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Takes the lock; whether nobody else has it. The node is made where there is none.
    pub(super) async fn take(&self) -> Result<bool, TableError> {
        match self.lock().await {
            Err(error) if error.has(code::RESOLVE) => {
                // Outside of the transaction: the node stays, for the next one to lock.
                let made = self.client.create("map_node", self.path, json!({}), None, self.deadline()).await;
                made.map_err(|error| TableError::new("create", self.path, error))?;
                self.taken(self.lock().await)
            }
            result => self.taken(result),
        }
    }

    /// Keeps the lock for as long as that can be done; why it can't be any longer.
    pub(super) async fn keep(&self) -> TableError {
        let mut confirmed = self.started;
        loop {
            tokio::time::sleep(self.pace.ping).await;
            let asked = Instant::now();
            let end = confirmed + self.pace.lease;
            match self.client.ping_transaction(&self.transaction, end).await {
                Ok(()) => confirmed = asked,
                Err(error) if error.has(code::NO_SUCH_TRANSACTION) || Instant::now() >= end => {
                    return TableError::Lost(error);
                }
                Err(error) => tracing::debug!(%error, "the lock's transaction is pinged again"),
            }
        }
    }

    /// Gives the lock back, so that another can take it at once.
    pub(super) async fn end(&self) {
        let deadline = Instant::now() + GOODBYE;
        if let Err(error) = self.client.abort_transaction(&self.transaction, deadline).await {
            tracing::debug!(%error, "the lock's transaction ends by itself");
        }
    }

    async fn lock(&self) -> Result<(), CallError> {
        self.client.lock(self.path, &self.transaction, self.deadline()).await
    }

    fn taken(&self, result: Result<(), CallError>) -> Result<bool, TableError> {
        match result {
            Ok(()) => Ok(true),
            Err(error) if error.has(code::LOCK_CONFLICT) => Ok(false),
            Err(error) => Err(TableError::new("lock", self.path, error)),
        }
    }

    /// Until when the transaction lives for sure, if it did not end otherwise.
    fn deadline(&self) -> Instant {
        self.started + self.pace.lease
    }
}
