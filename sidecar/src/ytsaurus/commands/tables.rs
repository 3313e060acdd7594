//! Rows of static tables: `write_table`, `read_table`.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::client::{Call, Client, Kind, is_heavy_refused};
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::text;

/// Rows as lines of JSON, strings as bytes in characters.
const ROWS: &str = r#"{"$value":"json","$attributes":{"attributes_mode":"never","stringify_nan_and_infinity":true}}"#;

impl Client {
    /// Replaces all rows of a table. Others see them when the transaction is committed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write_table(
        &self,
        path: &str,
        rows: &[Value],
        transaction: &Transaction,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let mut lines = String::new();
        for row in rows {
            lines.push_str(&text::encode_value(row.clone()).to_string());
            lines.push('\n');
        }
        let call = Call {
            command: "write_table",
            kind: Kind::Upload(Bytes::from(lines)),
            parameters: json!({"path": path, "transaction_id": transaction.id}),
        };
        self.heavy(&call, deadline).await.map(drop)
    }

    /// All rows of a table, strings decoded; a row that can't be read is left out.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read_table(&self, path: &str, deadline: Instant) -> Result<Vec<Value>, CallError> {
        let call = Call { command: "read_table", kind: Kind::Download(ROWS), parameters: json!({"path": path}) };
        let body = self.heavy(&call, deadline).await?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).map(text::decode_value).collect())
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
