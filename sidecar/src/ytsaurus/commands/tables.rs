//! Rows of static tables: `write_table`, `read_table`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::client::{Call, Client, Kind, is_heavy_refused};
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::text;

/// Rows as lines of JSON, strings as bytes in characters.
const ROWS: &str = r#"{"$value":"json","$attributes":{"attributes_mode":"never","stringify_nan_and_infinity":true}}"#;

/// Rows as they travel: a few megabytes, which would be a hundred as values.
#[derive(Clone, Debug, Default)]
pub struct Lines(Bytes);

impl Lines {
    /// Rows that are structs or maps.
    #[must_use]
    pub fn of<R: Serialize>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut lines = Vec::new();
        for row in rows {
            text::append(&mut lines, &row);
            lines.push(b'\n');
        }
        Self(lines.into())
    }

    /// The rows one by one, strings decoded; one that can't be read is left out.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        let lines = self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter_map(|line| serde_json::from_slice(line).ok()).map(text::decode_value)
    }
}

impl Client {
    /// Replaces all rows of a table. Others see them when the transaction is committed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write_table(
        &self,
        path: &str,
        rows: &Lines,
        transaction: &Transaction,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let call = Call {
            command: "write_table",
            kind: Kind::Upload(rows.0.clone()),
            parameters: json!({"path": path, "transaction_id": transaction.id}),
        };
        self.heavy(&call, deadline).await.map(drop)
    }

    /// All rows of a table.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read_table(&self, path: &str, deadline: Instant) -> Result<Lines, CallError> {
        let call = Call { command: "read_table", kind: Kind::Download(ROWS), parameters: json!({"path": path}) };
        self.heavy(&call, deadline).await.map(Lines)
    }

    /// Carries out a command with rows, at another proxy of the cluster where this one only controls.
    async fn heavy(&self, call: &Call, deadline: Instant) -> Result<Bytes, CallError> {
        match self.call(call, deadline).await {
            Err(error) if is_heavy_refused(&error) => {
                let proxies: Vec<Url> = self.heavy_proxies(deadline).await?;
                let Some(proxy) = proxies.first() else { return Err(error) };
                self.call_at(proxy, call, deadline).await
            }
            other => other,
        }
    }
}
