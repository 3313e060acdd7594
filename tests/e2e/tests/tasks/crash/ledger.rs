//! The database's own word: a trigger notes whenever a task becomes complete, whoever writes that.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

const TABLE: &str = "CREATE TABLE ledger (id TEXT NOT NULL, epoch BIGINT NOT NULL, result TEXT)";
const FILE_TRIGGER: &str = "CREATE TRIGGER ledger_note AFTER UPDATE ON task
    WHEN NEW.status = 'complete' AND (OLD.status <> 'complete' OR OLD.result IS NOT NEW.result)
    BEGIN INSERT INTO ledger VALUES (NEW.id, NEW.epoch, NEW.result); END";
const SERVER_TRIGGER: [&str; 2] = [
    "CREATE FUNCTION ledger_note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO ledger VALUES (NEW.id, NEW.epoch, NEW.result); RETURN NULL; END'",
    "CREATE TRIGGER ledger_note AFTER UPDATE ON task FOR EACH ROW
    WHEN (NEW.status = 'complete' AND (OLD.status <> 'complete' OR OLD.result IS DISTINCT FROM NEW.result))
    EXECUTE FUNCTION ledger_note()",
];
const COMPLETE: &str = "SELECT count(*) FROM task WHERE status = 'complete'";
const ENTRIES: &str = "SELECT id, epoch, result FROM ledger";
const ROWS: &str = "SELECT id, status, epoch, attempts, fenced, result, \
    CASE WHEN credential IS NULL AND finished IS NOT NULL THEN 1 ELSE 0 END FROM task";

/// How long another process may keep the file to itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// The database.
pub(super) enum Ledger {
    File(SqlitePool),
    Server(PgPool),
}

/// That a task became complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) epoch: i64,
    pub(super) result: Option<String>,
}

/// A task as it is in the end: id, status, epoch, attempts, refused writes, result, and whether it is closed and its
/// credential gone.
pub(super) type Row = (String, String, i64, i64, i64, Option<String>, i32);

impl Ledger {
    /// Opens the database that a sidecar in that directory has made.
    pub(super) async fn open(store: &str, directory: &Path) -> anyhow::Result<Self> {
        if let Some(file) = store.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new().filename(directory.join(file)).busy_timeout(PATIENCE);
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            for statement in [TABLE, FILE_TRIGGER] {
                sqlx::raw_sql(statement).execute(&pool).await?;
            }
            return Ok(Self::File(pool));
        }
        let options = sqlx::postgres::PgConnectOptions::from_str(store)?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        for statement in [TABLE].into_iter().chain(SERVER_TRIGGER) {
            sqlx::raw_sql(statement).execute(&pool).await?;
        }
        Ok(Self::Server(pool))
    }

    /// How many tasks are complete.
    pub(super) async fn complete(&self) -> anyhow::Result<usize> {
        let count: i64 = match self {
            Self::File(pool) => sqlx::query_scalar(COMPLETE).fetch_one(pool).await?,
            Self::Server(pool) => sqlx::query_scalar(COMPLETE).fetch_one(pool).await?,
        };
        Ok(usize::try_from(count)?)
    }

    /// All that became complete, as often as it did.
    pub(super) async fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let entries: Vec<(String, i64, Option<String>)> = match self {
            Self::File(pool) => sqlx::query_as(ENTRIES).fetch_all(pool).await?,
            Self::Server(pool) => sqlx::query_as(ENTRIES).fetch_all(pool).await?,
        };
        Ok(entries.into_iter().map(|(id, epoch, result)| Entry { id, epoch, result }).collect())
    }

    /// All tasks.
    pub(super) async fn rows(&self) -> anyhow::Result<Vec<Row>> {
        Ok(match self {
            Self::File(pool) => sqlx::query_as(ROWS).fetch_all(pool).await?,
            Self::Server(pool) => sqlx::query_as(ROWS).fetch_all(pool).await?,
        })
    }

    /// Whether whoever is frozen now has left nothing locked: a file is one process's while that writes.
    pub(super) async fn is_free(&self) -> anyhow::Result<bool> {
        let Self::File(pool) = self else { return Ok(true) };
        let mut connection = pool.acquire().await?;
        sqlx::raw_sql("PRAGMA busy_timeout = 200").execute(&mut *connection).await?;
        let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await;
        if begun.is_ok() {
            sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
        }
        sqlx::raw_sql("PRAGMA busy_timeout = 30000").execute(&mut *connection).await?;
        Ok(begun.is_ok())
    }
}
