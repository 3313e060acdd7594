//! Which ids other sidecars gave, as far as a round goes.

use std::time::Duration;

use tokio::time::Instant;

use crate::discovery::inventory;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::settings::TableSettings;
use crate::ytsaurus::table::claims::{read_claims, revision};
use crate::ytsaurus::table::complaint::Complaint;

/// How long after the first attempt the tables are waited for. After that ids are given without them:
/// services without the names that they had are better than none. It is much shorter than
/// `discovery.startup_secs`.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a later attempt may take, at the expense of the round.
const LATER_PATIENCE: Duration = Duration::from_secs(10);
/// How long after one attempt the next one is.
const PAUSE: Duration = Duration::from_millis(500);

/// The ids that the tables said last.
#[derive(Debug, Default)]
pub struct Claims {
    claims: inventory::Claims,
    /// Of the tables when they were read; none: never.
    revision: Option<Option<String>>,
    /// When they were asked for first.
    first: Option<Instant>,
    complaint: Complaint,
}

impl Claims {
    /// Reads the tables again, if they changed.
    ///
    /// # Errors
    /// [`CallError`], while nobody knows yet who has which id and it makes sense to wait. Later what was
    /// read last stays.
    pub async fn refresh(
        &mut self,
        client: &Client,
        table: &TableSettings,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let now = Instant::now();
        let end = *self.first.get_or_insert(now) + PATIENCE;
        let is_awaited = self.revision.is_none() && now < end;
        let end = if is_awaited { end } else { now + LATER_PATIENCE };
        loop {
            let Err(error) = self.read(client, table, end.min(deadline)).await else { return Ok(()) };
            let next = Instant::now() + PAUSE;
            if !is_awaited || next >= end {
                self.complain(&table.names_path, &error);
                return Ok(());
            }
            if next >= deadline {
                return Err(error);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// What was read last.
    #[must_use]
    pub fn claims(&self) -> inventory::Claims {
        self.claims.clone()
    }

    async fn read(&mut self, client: &Client, table: &TableSettings, deadline: Instant) -> Result<(), CallError> {
        let now = Some(revision(client, table, deadline).await?);
        if self.revision == now {
            return Ok(());
        }
        let read = read_claims(client, table, deadline).await?;
        // What was whole once is: since then this sidecar gives ids by what the others know.
        self.claims = inventory::Claims::new(read.claims, self.claims.are_whole() || read.unread.is_none());
        self.revision = now;
        match read.unread {
            Some((path, error)) => self.complain(&path, &error),
            None if self.complaint.settle() => {
                tracing::info!(table = table.names_path, "ids of other sidecars are read again");
            }
            None => {}
        }
        Ok(())
    }

    fn complain(&self, path: &str, error: &CallError) {
        let text = error.to_string();
        if self.complaint.is_new(&text) {
            tracing::warn!(error = text, table = path, "can't read which ids other sidecars gave");
        }
    }
}
