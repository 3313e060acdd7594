//! How inventories get from providers to the registry.
//!
//! A provider leaves its newest inventory in a mailbox; the registry takes what is there. An
//! inventory that was overtaken before it was taken is never worked on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::discovery::inventory::Inventory;

/// What a provider said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Looked again and sees the same.
    Confirmed,
    /// Could not look; what was published last stays.
    Failed(String),
    /// Is no longer configured: its services go.
    Gone,
    /// Sees this.
    Sees(Inventory),
}

/// Where reports wait for the registry.
#[derive(Debug, Default)]
pub struct Mailbox {
    reports: Mutex<BTreeMap<Arc<str>, Report>>,
    arrived: Notify,
}

/// A provider's own slot in the mailbox.
#[derive(Clone, Debug)]
pub struct Publisher {
    provider: Arc<str>,
    mailbox: Arc<Mailbox>,
}

impl Mailbox {
    /// Takes what arrived, waiting for something to.
    pub async fn take(&self) -> BTreeMap<Arc<str>, Report> {
        loop {
            let arrived = self.arrived.notified();
            let reports = std::mem::take(&mut *self.reports());
            if !reports.is_empty() {
                return reports;
            }
            arrived.await;
        }
    }

    fn reports(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher {
    /// The slot of the provider with that name.
    #[must_use]
    pub fn new(provider: &str, mailbox: Arc<Mailbox>) -> Self {
        Self { provider: provider.into(), mailbox }
    }

    /// The provider sees this now.
    pub fn publish(&self, inventory: Inventory) {
        self.leave(Report::Sees(inventory));
    }

    /// The provider looked again and sees the same.
    pub fn confirm(&self) {
        self.leave(Report::Confirmed);
    }

    /// The provider could not look.
    pub fn fail(&self, reason: impl Into<String>) {
        self.leave(Report::Failed(reason.into()));
    }

    /// The provider is no longer configured.
    pub fn withdraw(&self) {
        self.leave(Report::Gone);
    }

    /// Leaves a report. An inventory that still waits is not lost to one that carries none: the
    /// provider will say again that it can't look.
    fn leave(&self, report: Report) {
        let keeps_waiting = matches!(report, Report::Confirmed | Report::Failed(_));
        let mut reports = self.mailbox.reports();
        if keeps_waiting && matches!(reports.get(&self.provider), Some(Report::Sees(_) | Report::Gone)) {
            return;
        }
        reports.insert(Arc::clone(&self.provider), report);
        drop(reports);
        self.mailbox.arrived.notify_one();
    }
}
