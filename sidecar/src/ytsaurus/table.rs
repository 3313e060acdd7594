//! The services in Cypress: tables from which people and programs learn where services are reached.
//!
//! Every sidecar of a fleet sees the same services, and one of them writes: the one that holds the
//! lock. The others wait to take over. What is written is what the registry has, so it has
//! the ids and labels that proxies go by. Readers see whole tables alone, old or new, and never those
//! of a sidecar that has not looked around yet. While the cluster can't be asked, nothing changes.

pub mod claims;
pub(in crate::ytsaurus) mod complaint;
pub mod error;
mod lease;
pub mod pace;
mod report;
pub mod rows;
mod sheet;
mod writer;

use std::sync::Arc;

use taskgate_core::time::UnixTime;
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
use crate::retry;
use crate::telemetry::metrics::Metrics;
use crate::ytsaurus::client::{Client, guid};
use crate::ytsaurus::settings::TableSettings;
use crate::ytsaurus::table::complaint::Complaint;
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::lease::Lease;
use crate::ytsaurus::table::pace::Pace;
use crate::ytsaurus::table::writer::Writer;

/// What the name of the node that is locked has after that of the main table.
const LOCK_SUFFIX: &str = "_writer";

/// The services in Cypress.
#[derive(Debug)]
pub struct ServicesTable {
    client: Client,
    settings: TableSettings,
    provider: Arc<str>,
    pace: Pace,
    metrics: Arc<Metrics>,
    lock: String,
    title: String,
    complaint: Complaint,
    names_complaint: Complaint,
}

/// How a term as the one who writes ended, or why there was none.
#[derive(Debug)]
enum Ended {
    /// Something failed before the lock was taken.
    Early(TableError),
    /// Someone else has the lock.
    Held,
    /// The lock was lost.
    Lost(TableError),
    /// The lock was given back: it led to nothing.
    Resigned(TableError),
    /// Asked to.
    Stopped,
}

/// What became of an attempt to make the tables say what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// They say so already.
    Unchanged,
    /// They were written.
    Whole,
    /// They were, but for the names, with which something is wrong.
    WithoutNames,
}

impl ServicesTable {
    /// The tables of a provider's services.
    #[must_use]
    pub fn new(client: Client, settings: TableSettings, provider: &str, pace: Pace, metrics: Arc<Metrics>) -> Self {
        let lock = format!("{}{LOCK_SUFFIX}", settings.path);
        // Without randomness no request gets as far as to be told apart from others.
        let instance = guid::random().unwrap_or_default();
        let title = format!("Taskgate {instance} writes {}", settings.path);
        Self {
            client,
            settings,
            provider: provider.into(),
            pace,
            metrics,
            lock,
            title,
            complaint: Complaint::default(),
            names_complaint: Complaint::default(),
        }
    }

    /// Writes the tables whenever it is this sidecar's turn, until `stop`; then another can at once.
    ///
    /// Nothing is done before the provider looked around with success, which it is seen to do after
    /// this was called: what the registry has of that name from before may be of another cluster.
    pub async fn follow(&self, registry: &Registry, stop: &CancellationToken) {
        tokio::select! {
            () = self.first_look(registry) => {}
            () = stop.cancelled() => return,
        }
        let mut failures = 0;
        loop {
            let ended = self.term(registry, stop).await;
            failures = if matches!(ended, Ended::Early(_)) { failures + 1 } else { 0 };
            let wait = match ended {
                Ended::Early(error) => {
                    self.failed(&error);
                    self.pace.backoff(failures)
                }
                Ended::Held => retry::fraction(self.pace.candidacy),
                Ended::Lost(error) => {
                    self.lost(&error);
                    self.pace.backoff(1)
                }
                Ended::Resigned(error) => {
                    self.failed(&error);
                    self.lost(&error);
                    // All others try within one such time.
                    self.pace.candidacy + retry::fraction(self.pace.candidacy)
                }
                Ended::Stopped => return,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Waits until the registry has what the provider sees now.
    async fn first_look(&self, registry: &Registry) {
        let before = self.last_success(registry);
        while matches!(self.last_success(registry), last if last.is_none() || last == before) {
            tokio::time::sleep(self.pace.rest).await;
        }
    }

    fn last_success(&self, registry: &Registry) -> Option<UnixTime> {
        registry.providers().into_iter().find(|status| status.name == *self.provider)?.last_success
    }

    /// Stands for the lock, and holds it for as long as that goes.
    async fn term(&self, registry: &Registry, stop: &CancellationToken) -> Ended {
        let start = Lease::start(&self.client, &self.pace, &self.lock, &self.title);
        let lease = tokio::select! {
            lease = start => match lease {
                Ok(lease) => lease,
                Err(error) => return Ended::Early(error),
            },
            () = stop.cancelled() => return Ended::Stopped,
        };
        let ended = tokio::select! {
            ended = self.serve(&lease, registry) => ended,
            () = stop.cancelled() => Ended::Stopped,
        };
        self.leads(false);
        lease.end().await;
        ended
    }

    async fn serve(&self, lease: &Lease<'_>, registry: &Registry) -> Ended {
        match lease.take().await {
            Ok(true) => {}
            Ok(false) => {
                self.settle();
                return Ended::Held;
            }
            Err(error) => return Ended::Early(error),
        }
        self.leads(true);
        let mut writer = Writer::new(self, lease);
        let error = tokio::select! {
            error = lease.keep() => error,
            error = writer.follow(registry) => error,
        };
        match error {
            TableError::Lost(_) => Ended::Lost(error),
            _ => Ended::Resigned(error),
        }
    }
}
