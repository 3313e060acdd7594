//! One table: what it should hold, and what it holds.

use serde_json::Value;
use tokio::time::Instant;

use crate::digest::Digest;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::rows;

/// What a table should hold.
#[derive(Debug)]
pub(super) struct Sheet {
    rows: Vec<Value>,
    digest: Digest,
    attributes: Value,
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// There is no such table.
    Missing,
    /// These rows.
    Rows(Digest),
    /// Rows that can't be read, so that nobody can say.
    Unreadable,
}

impl Sheet {
    /// A table with these rows, which is made with these attributes.
    pub(super) fn new(rows: Vec<Value>, attributes: Value) -> Self {
        Self { digest: rows::digest(&rows), rows, attributes }
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What a table holds that was written.
    pub(super) const fn held(&self) -> Held {
        Held::Rows(self.digest)
    }

    /// Replaces all rows of the table at `path`, which holds `held`. A table that others made is left
    /// as it is, but for its rows.
    pub(super) async fn write(
        &self,
        client: &Client,
        path: &str,
        held: Held,
        transaction: &Transaction,
        deadline: Instant,
    ) -> Result<(), TableError> {
        if held == Held::Missing {
            let made = client.create("table", path, self.attributes.clone(), Some(&transaction.id), deadline).await;
            made.map_err(|error| TableError::new("create", path, error))?;
        }
        let written = client.write_table(path, &self.rows, transaction, deadline).await;
        written.map_err(|error| TableError::new("write", path, error))
    }
}

impl Held {
    /// What the table at `path` holds.
    pub(super) async fn read(client: &Client, path: &str, deadline: Instant) -> Result<Self, TableError> {
        match client.read_table(path, deadline).await {
            Ok(rows) => Ok(Self::Rows(rows::digest(&rows))),
            Err(error) if error.has(code::RESOLVE) => Ok(Self::Missing),
            Err(CallError::TooLarge(_) | CallError::Unreadable(_)) => Ok(Self::Unreadable),
            Err(error) if error.has(code::AUTHORIZATION) => Ok(Self::Unreadable),
            Err(error) => Err(TableError::new("read", path, error)),
        }
    }
}
