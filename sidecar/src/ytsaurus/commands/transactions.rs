//! Transactions and locks.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use std::time::Duration;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::CallError;

/// A transaction, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Transaction {
    /// The id.
    #[serde(rename = "transaction_id")]
    pub id: String,
}

impl Client {
    /// Starts a transaction that ends by itself if nobody speaks of it for `timeout`. It can be
    /// neither started nor committed once the transaction `prerequisite` is over.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn start_transaction(
        &self,
        title: &str,
        timeout: Duration,
        prerequisite: Option<&Transaction>,
        deadline: Instant,
    ) -> Result<Transaction, CallError> {
        let mut parameters = json!({
            "timeout": u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            "attributes": {"title": title},
        });
        require(&mut parameters, prerequisite);
        self.write("start_transaction", parameters, deadline).await
    }

    /// Keeps a transaction alive.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ping_transaction(&self, transaction: &Transaction, deadline: Instant) -> Result<(), CallError> {
        let parameters = json!({"transaction_id": transaction.id});
        self.write::<Value>("ping_transaction", parameters, deadline).await.map(drop)
    }

    /// Makes a transaction's changes everybody's.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn commit_transaction(
        &self,
        transaction: &Transaction,
        prerequisite: Option<&Transaction>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let mut parameters = json!({"transaction_id": transaction.id});
        require(&mut parameters, prerequisite);
        self.write::<Value>("commit_transaction", parameters, deadline).await.map(drop)
    }

    /// Forgets a transaction's changes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn abort_transaction(&self, transaction: &Transaction, deadline: Instant) -> Result<(), CallError> {
        let parameters = json!({"transaction_id": transaction.id});
        self.write::<Value>("abort_transaction", parameters, deadline).await.map(drop)
    }

    /// Locks a node for a transaction alone, or fails at once.
    ///
    /// # Errors
    /// [`CallError`], with the code of a conflict where someone else has it.
    pub async fn lock(&self, path: &str, transaction: &Transaction, deadline: Instant) -> Result<(), CallError> {
        let parameters =
            json!({"path": path, "mode": "exclusive", "waitable": false, "transaction_id": transaction.id});
        self.write::<Value>("lock", parameters, deadline).await.map(drop)
    }
}

fn require(parameters: &mut Value, prerequisite: Option<&Transaction>) {
    if let Some(prerequisite) = prerequisite {
        parameters["prerequisite_transaction_ids"] = json!([prerequisite.id]);
    }
}
