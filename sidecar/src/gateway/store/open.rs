//! Opening the ledger: in a file, or on a server.

use std::sync::{Arc, LazyLock};

use sqlx::migrate::Migrator;
use thiserror::Error;

use crate::clock::SharedClock;
use crate::gateway::rest_clock::RestClock;
use crate::gateway::settings::LONGEST_REST;
use crate::gateway::store::{SqlLedger, why};
use crate::secret::SecretText;
use crate::tasks::store::StoreError;
use crate::tasks::store::migrations::migrator;
use crate::tasks::store::open::{Settings, open_database};

/// The tables, the same files for both databases.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let ports = (1, "ports", include_str!("../../../migrations/gateway/0001_ports.sql"));
    migrator("taskgate_gateway_migrations", &[ports])
});

/// Why it can't be kept who holds which port. It never shows the address's password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The address is none.
    #[error("`internal_task_gateway.store` must be `sqlite:<path>` or `postgres://<user>@<host>/<database>`: {0}")]
    Address(String),
    /// The program was built without Kubernetes.
    #[error("`internal_task_gateway.gateway_name`: this program was built without Kubernetes")]
    NoKubernetes,
    /// It can't be opened.
    #[error("the store of the internal task gateway can't be used: {0}")]
    Unusable(String),
}

impl SqlLedger {
    /// Opens the store at an address, `sqlite:<path>` or `postgres://…`, and brings its tables up to date.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn open(address: &SecretText, clock: SharedClock) -> Result<Self, LedgerError> {
        match open_database(address.expose(), &Settings::default(), &MIGRATIONS).await {
            Ok(database) => {
                let rest_clock = RestClock::new(Arc::clone(&clock));
                Ok(Self { database, clock, rest_clock, longest_rest: LONGEST_REST })
            }
            Err(StoreError::Address(reason)) => Err(LedgerError::Address(reason)),
            Err(error) => Err(LedgerError::Unusable(why(error))),
        }
    }
}
