//! Two databases behind one face: statements with values in, rows out.
//!
//! It knows nothing of tasks: what is kept of access ([`crate::access::store`]) is kept by it too.

use sqlx::postgres::{PgDatabaseError, PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{Decode, Row as _, Type};

use crate::tasks::store::StoreError;
use crate::tasks::store::statements::{LOCK, NOTIFY, Sql};

/// A database.
#[derive(Debug)]
pub(crate) enum Database {
    /// A file. It has one connection that writes, which the transactions take in turn.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// A server.
    Postgres(PgPool),
}

/// A transaction that writes. Dropped, it changes nothing.
#[derive(Debug)]
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A value that goes into a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// A row that comes out.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What transactions of several processes take in turn, where rows alone do not keep them apart. Numbers are
/// arbitrary, and the same for all versions.
#[derive(Clone, Copy, Debug)]
#[repr(i64)]
pub(crate) enum Turn {
    /// To accept tasks, which counts those that wait.
    Submit = 0x7461_736b_0001,
    /// To claim tasks, which counts those that run.
    Claim = 0x7461_736b_0002,
    /// To make share links, which counts those that there are.
    Share = 0x7461_736b_0003,
    /// To reserve ports, which looks for one that is free.
    Port = 0x7461_736b_0004,
}

macro_rules! bound {
    ($statement:expr, $values:expr) => {{
        let mut query = sqlx::query($statement);
        for value in $values {
            query = match value {
                Value::Int(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Bytes(bytes) => query.bind(bytes.as_deref()),
            };
        }
        query
    }};
}

impl Database {
    /// Begins to write.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            // At once, since a transaction that reads first can't always go on to write.
            Self::Sqlite { writer, .. } => Transaction::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Reads.
    pub(crate) async fn read(&self, sql: &'static Sql, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => {
                let rows = bound!(sql.sqlite, values).fetch_all(readers).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = bound!(sql.postgres, values).fetch_all(pool).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Ends all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    /// Runs a statement.
    pub(crate) async fn rows(&mut self, sql: &'static Sql, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(transaction) => {
                let rows = bound!(sql.sqlite, values).fetch_all(&mut **transaction).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(transaction) => {
                let rows = bound!(sql.postgres, values).fetch_all(&mut **transaction).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a statement that returns one row at most.
    pub(crate) async fn row(&mut self, sql: &'static Sql, values: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that returns a number.
    pub(crate) async fn count(&mut self, sql: &'static Sql, values: &[Value]) -> Result<u64, StoreError> {
        let row = self.row(sql, values).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    /// Waits until no other transaction has this turn, and has it until it ends.
    pub(crate) async fn take(&mut self, turn: Turn) -> Result<(), StoreError> {
        if let Self::Postgres(_) = self {
            self.rows(&LOCK, &[Value::from(turn as i64)]).await?;
        }
        Ok(())
    }

    /// Tells other processes, once it is committed; where the database can't do that, they look by themselves.
    pub(crate) async fn notify(&mut self, channel: &str, message: String) -> Result<(), StoreError> {
        if let Self::Postgres(_) = self {
            self.rows(&NOTIFY, &[Value::from(channel), Value::from(message)]).await?;
        }
        Ok(())
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

impl Row {
    /// An optional number.
    pub(crate) fn maybe_number(&self, column: usize) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.value(column)?;
        number.map(|number| u64::try_from(number).map_err(|_| negative(column))).transpose()
    }

    /// A number.
    pub(crate) fn number(&self, column: usize) -> Result<u64, StoreError> {
        self.maybe_number(column)?.ok_or_else(|| missing(column))
    }

    /// An optional text.
    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.value(column)
    }

    /// A text.
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.value::<Option<String>>(column)?.ok_or_else(|| missing(column))
    }

    /// Optional bytes.
    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.value(column)
    }

    fn value<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}

fn missing(column: usize) -> StoreError {
    StoreError::Corrupt(format!("column {column} of a row is empty"))
}

fn negative(column: usize) -> StoreError {
    StoreError::Corrupt(format!("column {column} of a row is negative"))
}

/// Whether a transaction was given up in favour of another.
fn is_contended(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some() && error.code().is_some_and(|code| code.starts_with("40"))
}

/// Whether an error of a driver means that the database has no time or place, or is not there.
fn is_passing(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // Connections, authorisation to connect, resources, operators' interventions, system errors; a server that is
        // only read, a transaction that stood still, a lock that was waited for too long.
        return ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || ["25006", "25P03", "55P03"].contains(&code.as_ref());
    }
    // SQLite's numbers end in a byte that is the kind: busy, locked, no memory, input and output, full, can't open.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 10 | 13 | 14))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if is_contended(refusal.as_ref()) => Self::Contended(refusal.to_string()),
            sqlx::Error::Database(refusal) if is_passing(refusal.as_ref()) => Self::Unavailable(refusal.to_string()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(error.to_string()),
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u64> for Value {
    /// Numbers that do not fit are the largest there is: far enough in the future for a time.
    fn from(number: u64) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}

impl From<Option<u64>> for Value {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Int(None), Self::from)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}
