//! Nodes of Cypress: `list`, `exists`, `get`, `create`.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::commands::Read;

/// The names in a directory.
#[derive(Clone, Debug)]
pub struct List {
    /// The directory.
    pub path: String,
    /// The most names.
    pub limit: usize,
}

/// Whether there is a node.
#[derive(Clone, Debug)]
pub struct Exists {
    /// The node.
    pub path: String,
}

/// What a node or an attribute holds.
#[derive(Clone, Debug)]
pub struct Get {
    /// The node or the attribute.
    pub path: String,
}

/// An answer with one value.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer<V> {
    /// The value.
    pub value: V,
}

impl Read for List {
    /// Names as JSON has them; see [`crate::ytsaurus::text::decode`].
    type Output = Answer<Vec<String>>;
    const COMMAND: &'static str = "list";

    fn parameters(&self) -> Value {
        json!({"path": self.path, "max_size": self.limit})
    }
}

impl Read for Exists {
    type Output = Answer<bool>;
    const COMMAND: &'static str = "exists";

    fn parameters(&self) -> Value {
        json!({"path": self.path})
    }
}

impl Read for Get {
    type Output = Answer<Value>;
    const COMMAND: &'static str = "get";

    fn parameters(&self) -> Value {
        json!({"path": self.path})
    }
}

impl Client {
    /// Creates a node, and its directories, where it is not there yet.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create(
        &self,
        kind: &str,
        path: &str,
        attributes: Value,
        transaction: Option<&str>,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let mut parameters = json!({
            "type": kind,
            "path": path,
            "attributes": attributes,
            "recursive": true,
            "ignore_existing": true,
        });
        if let Some(transaction) = transaction {
            parameters["transaction_id"] = json!(transaction);
        }
        self.write::<Value>("create", parameters, deadline).await.map(drop)
    }
}
