//! One table: what it should hold, and what it holds.

use std::sync::Arc;

use tokio::time::Instant;

use crate::digest::Digest;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::code;
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::rows::{self, Rows, Table};

/// What a table should hold.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    rows: Arc<Rows>,
    table: Table,
    digest: Digest,
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
    /// One of the tables with these rows.
    pub(super) fn new(rows: &Arc<Rows>, table: Table) -> Self {
        Self { rows: Arc::clone(rows), table, digest: rows.digest(table) }
    }

    /// The same table, made of what makes the same rows.
    pub(super) fn made_of(self, rows: &Arc<Rows>) -> Self {
        Self { rows: Arc::clone(rows), ..self }
    }

    /// What it is made of.
    pub(super) fn rows(&self) -> &Rows {
        &self.rows
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
            let attributes = self.table.attributes();
            let made = client.create("table", path, attributes, Some(&transaction.id), deadline).await;
            made.map_err(|error| TableError::new("create", path, error))?;
        }
        let (rows, table) = (Arc::clone(&self.rows), self.table);
        let lines = tokio::task::spawn_blocking(move || rows.lines(table)).await.map_err(|_| TableError::Cut)?;
        let written = client.write_table(path, &lines, transaction, deadline).await;
        written.map_err(|error| TableError::new("write", path, error))
    }
}

impl Held {
    /// What the table at `path` holds.
    pub(super) async fn read(client: &Client, path: &str, deadline: Instant) -> Result<Self, TableError> {
        match client.read_table(path, deadline).await {
            Ok(rows) => Ok(Self::Rows(rows::digest(rows.values()))),
            Err(error) if error.has(code::RESOLVE) => Ok(Self::Missing),
            Err(error) if error.is_passing() => Err(TableError::new("read", path, error)),
            Err(_) => Ok(Self::Unreadable),
        }
    }
}
