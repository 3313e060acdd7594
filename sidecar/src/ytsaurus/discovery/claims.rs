//! Which ids other sidecars gave, as far as a round goes.

use tokio::time::Instant;

use crate::discovery::inventory;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::settings::TableSettings;
use crate::ytsaurus::table::claims::{read_claims, revision};

/// How many first rounds may fail for want of the tables. After that names are given without them:
/// services without the names that they had are better than none.
const PATIENCE: u32 = 3;

/// The ids that the tables said last.
#[derive(Debug, Default)]
pub struct Claims {
    claims: inventory::Claims,
    /// Of the tables when they were read; none: never.
    revision: Option<Option<String>>,
    failures: u32,
}

impl Claims {
    /// Reads the tables again, if they changed.
    ///
    /// # Errors
    /// [`CallError`], while nobody knows yet who has which id. Later what was read last stays.
    pub async fn refresh(
        &mut self,
        client: &Client,
        table: &TableSettings,
        deadline: Instant,
    ) -> Result<(), CallError> {
        match self.read(client, table, deadline).await {
            Ok(()) => self.failures = 0,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.revision.is_none() && self.failures <= PATIENCE {
                    return Err(error);
                }
                tracing::warn!(%error, table = table.names_path, "can't read which ids other sidecars gave");
            }
        }
        Ok(())
    }

    /// What was read last.
    #[must_use]
    pub fn claims(&self) -> inventory::Claims {
        self.claims.clone()
    }

    async fn read(&mut self, client: &Client, table: &TableSettings, deadline: Instant) -> Result<(), CallError> {
        let now = Some(revision(client, table, deadline).await?);
        if self.revision != now {
            self.claims = read_claims(client, table, deadline).await?.into();
            self.revision = now;
        }
        Ok(())
    }
}
