//! Opening a store: which database, how it is set up, and what runs beside it.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::sleep;

use crate::lifecycle::Tasks;
use crate::random;
use crate::tasks::store::commands::lifetime::Look;
use crate::tasks::store::database::Database;
use crate::tasks::store::kept::Kept;
use crate::tasks::store::migrations::migrator;
use crate::tasks::store::signal::Signal;
use crate::tasks::store::writer::Writer;
use crate::tasks::store::{Changes, Store, StoreError};

/// The tables, the same files for both databases.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let tasks = (1, "tasks", include_str!("../../../migrations/tasks/0001_tasks.sql"));
    migrator("_sqlx_migrations", &[tasks])
});

/// How often setting up is tried, where another process sets up the same database at the same moment.
const MOST_TRIES: u32 = 5;
/// How long it is let alone between two tries, and a listener between two connections.
const PAUSE: Duration = Duration::from_millis(200);
/// How many times the patience for one statement a transaction may take.
const STATEMENTS: u32 = 4;

/// How a store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many connections there are at most; of a file, how many of those that read.
    pub connections: u32,
    /// How long to wait for a connection, and for a statement.
    pub patience: Duration,
    /// How often to look whether another process has written into the file; a server tells.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connections: 8, patience: Duration::from_secs(5), poll: Duration::from_millis(250) }
    }
}

/// Opens the store at an address, `sqlite:<path>` or `postgres://…`, and brings its tables up to date. What runs
/// beside it ends with `tasks`; the store can be used until it is closed.
///
/// # Errors
/// [`StoreError`].
pub async fn open(address: &str, settings: &Settings, tasks: &Tasks) -> Result<Arc<dyn Store>, StoreError> {
    let name = random::non_zero().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let name = format!("{name:016x}");
    let database = if let Some(path) = sqlite_path(address)? {
        open_file(&path, settings, &MIGRATIONS).await?
    } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        connect(address, settings, &MIGRATIONS).await?
    } else {
        return Err(StoreError::Address("the scheme is neither".to_owned()));
    };
    let (database, changes) = (Arc::new(database), Changes::new());
    let patience = settings.patience.saturating_mul(STATEMENTS);
    let writer = Writer::new(Arc::clone(&database), changes.clone(), name.clone(), patience);
    let (pen, stop) = (writer.clone(), tasks.stop().clone());
    tasks.keep("task store writer", tasks.stop().clone(), move |_| {
        let (pen, stop) = (pen.clone(), stop.clone());
        async move { pen.run(stop).await }
    });
    follow(&database, &writer, &changes, name, settings.poll, tasks);
    Ok(Arc::new(Kept { database, writer, changes }))
}

/// The path of an address of SQLite; none where it is another's.
pub(crate) fn sqlite_path(address: &str) -> Result<Option<PathBuf>, StoreError> {
    let Some(path) = address.strip_prefix("sqlite:") else { return Ok(None) };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(StoreError::Address("tasks must be kept in a file".to_owned()));
    }
    if path.contains('?') {
        return Err(StoreError::Address("the path takes no parameters".to_owned()));
    }
    Ok(Some(PathBuf::from(path)))
}

/// Opens the database at an address, `sqlite:<path>` or `postgres://…`, and brings its tables up to date. The directory of
/// a file is made where it is missing.
pub(crate) async fn open_database(
    address: &str,
    settings: &Settings,
    tables: &Migrator,
) -> Result<Database, StoreError> {
    if let Some(path) = sqlite_path(address)? {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|error| StoreError::Unavailable(format!("can't make `{}`: {error}", directory.display())))?;
        }
        open_file(&path, settings, tables).await
    } else if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        connect(address, settings, tables).await
    } else {
        Err(StoreError::Address("the scheme is neither".to_owned()))
    }
}

/// Opens a file, and brings its tables up to date.
pub(crate) async fn open_file(path: &Path, settings: &Settings, tables: &Migrator) -> Result<Database, StoreError> {
    create(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What was accepted survives a loss of power. It costs one wait for the disk a transaction, which many
        // commands share.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(settings.patience)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(settings.patience)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let opened = async {
            // Where SQLite itself gave a transaction up, as it does on a full disk, the driver takes it for open for
            // good: such a connection begins no other one.
            let writer = pool()
                .max_connections(1)
                .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))))
                .connect_with(options.clone())
                .await?;
            tables.run(&writer).await.map_err(migration)?;
            let readers = pool().max_connections(settings.connections).connect_with(options.clone()).await?;
            Ok::<Database, StoreError>(Database::Sqlite { writer, readers })
        };
        match opened.await {
            Err(_) if tries < MOST_TRIES => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Makes the file where it is not there, for nobody else to read: what SQLite puts beside it is as open as it is.
fn create(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let opened = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map(drop).map_err(|error| StoreError::Unavailable(format!("can't open `{}`: {error}", path.display())))
}

/// Connects to a server, and brings its tables up to date.
pub(crate) async fn connect(address: &str, settings: &Settings, tables: &Migrator) -> Result<Database, StoreError> {
    // What is wrong with it may be its password, so the error is not shown.
    let options = PgConnectOptions::from_str(address)
        .map_err(|_| StoreError::Address("it is not a URL that PostgreSQL's clients take".to_owned()))?
        .application_name("taskgate")
        .disable_statement_logging();
    let millis = settings.patience.as_millis();
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(settings.patience)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // A process that stands still must not keep others from their turn. Tables that grow from nothing
                // within seconds have no statistics; what is asked often here has an index, so it is to be used. That
                // makes all else look so costly that it would be compiled first, which takes longer than to do it.
                let set = format!(
                    "SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}; \
                     SET enable_seqscan = off; SET jit = off"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(connection).await.map(drop)
            })
        })
        .connect_with(options)
        .await?;
    tables.run(&pool).await.map_err(migration)?;
    Ok(Database::Postgres(pool))
}

pub(crate) fn migration(error: MigrateError) -> StoreError {
    let text = error.to_string();
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match StoreError::from(error) {
            error if error.is_passing() => error,
            _ => StoreError::Migration(text),
        },
        _ => StoreError::Migration(text),
    }
}

/// Follows what other processes write.
fn follow(database: &Arc<Database>, writer: &Writer, changes: &Changes, name: String, poll: Duration, tasks: &Tasks) {
    let stop = tasks.stop().clone();
    let changes = changes.clone();
    if let Database::Postgres(pool) = database.as_ref() {
        let pool = pool.clone();
        tasks.keep("task store listener", tasks.stop().clone(), move |_| {
            let (pool, changes, name, stop) = (pool.clone(), changes.clone(), name.clone(), stop.clone());
            async move {
                let listening = listen(&pool, &changes, &name);
                // It never ends by itself.
                let _ = stop.run_until_cancelled(listening).await;
            }
        });
    } else {
        let writer = writer.clone();
        tasks.keep("task store poll", tasks.stop().clone(), move |_| {
            let (writer, changes, stop) = (writer.clone(), changes.clone(), stop.clone());
            async move {
                let polling = look(&writer, &changes, poll);
                let _ = stop.run_until_cancelled(polling).await;
            }
        });
    }
}

/// Listens to what other processes say. Where the connection breaks, anything may have been missed.
async fn listen(pool: &PgPool, changes: &Changes, name: &str) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(pool).await
            && listener.listen(Signal::CHANNEL).await.is_ok()
        {
            changes.tell_all();
            while let Ok(heard) = listener.try_recv().await {
                match heard {
                    Some(heard) => {
                        if let Some(signal) = Signal::read(heard.payload(), name) {
                            signal.tell(changes);
                        }
                    }
                    None => changes.tell_all(),
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// Looks whether another process has written into the file.
async fn look(writer: &Writer, changes: &Changes, poll: Duration) {
    let mut last = None;
    loop {
        sleep(poll).await;
        // What fails here fails for whoever needs it too, who says so. Before the first look anything may have been
        // missed.
        if let Ok(version) = writer.ask(Look).await
            && last.replace(version) != Some(version)
        {
            changes.tell_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files() {
        let path = |address| sqlite_path(address).ok().flatten();
        assert_eq!(path("sqlite:tasks.db"), Some(PathBuf::from("tasks.db")));
        assert_eq!(path("sqlite:///var/lib/tasks.db"), Some(PathBuf::from("/var/lib/tasks.db")));
        assert_eq!(path("sqlite:/var/lib/tasks.db"), Some(PathBuf::from("/var/lib/tasks.db")));
        assert_eq!(sqlite_path("postgres://host/tasks"), Ok(None));
        for none in ["sqlite:", "sqlite::memory:", "sqlite:tasks.db?mode=ro"] {
            assert!(matches!(sqlite_path(none), Err(StoreError::Address(_))), "{none}");
        }
    }
}
