//! Opening the store: in a file, on a server, or in memory alone.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::access::settings::AccessSettings;
use crate::access::store::{AccessStore, AccessStoreError};
use crate::secret::SecretText;
use crate::tasks::store::StoreError;
use crate::tasks::store::database::Database;
use crate::tasks::store::migrations::migrator;
use crate::tasks::store::open::{Settings, migration, open_database, sqlite_path};

/// The tables, the same files for both databases.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let access = (1, "access", include_str!("../../../migrations/access/0001_access.sql"));
    let actor = (2, "actor", include_str!("../../../migrations/access/0002_actor.sql"));
    migrator("taskgate_access_migrations", &[access, actor])
});

impl AccessStore {
    /// Opens the store that is configured. A state directory that can't be written costs nothing else, so without one
    /// links are in memory; but a file that is there is not passed over, since it says what was taken back.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn of(settings: &AccessSettings) -> Result<Self, AccessStoreError> {
        let address = settings.store.as_ref();
        let path = address.filter(|_| settings.is_implied).and_then(|address| sqlite_path(address.expose()).ok()?);
        match Self::open(address).await {
            Err(error @ AccessStoreError::Unavailable(_)) if path.is_some_and(|path| !path.exists()) => {
                tracing::error!(%error, "share links and revocations are in memory, and end with the process");
                Self::in_memory().await
            }
            opened => opened,
        }
    }

    /// Opens the store at an address, `sqlite:<path>` or `postgres://…`, and brings its tables up to date. Without one
    /// it is in memory, and ends with the process.
    ///
    /// # Errors
    /// [`AccessStoreError`].
    pub async fn open(address: Option<&SecretText>) -> Result<Self, AccessStoreError> {
        let settings = Settings::default();
        let Some(address) = address.map(SecretText::expose) else { return Self::in_memory().await };
        let database = open_database(address, &settings, &MIGRATIONS).await?;
        Ok(Self { database, is_kept: true })
    }

    async fn in_memory() -> Result<Self, AccessStoreError> {
        // Each connection has a database of its own, so there is one, which never ends.
        let pool = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_with(SqliteConnectOptions::new().in_memory(true)).await.map_err(StoreError::from)?;
        MIGRATIONS.run(&pool).await.map_err(migration)?;
        Ok(Self { database: Database::Sqlite { writer: pool.clone(), readers: pool }, is_kept: false })
    }
}
