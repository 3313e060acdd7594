//! What operators learn of the tables: log lines and metrics.

use crate::telemetry::metrics::{ProviderLabels, TableWriteLabels};
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::{Outcome, ServicesTable};

impl ServicesTable {
    /// This sidecar is the one that writes, or no longer.
    pub(super) fn leads(&self, leads: bool) {
        self.metrics.ytsaurus_table_leader.get_or_create(&self.labels()).set(leads.into());
        if leads {
            tracing::info!(
                provider = &*self.provider,
                table.path = self.settings.path,
                table.leader = true,
                "this sidecar writes the services table"
            );
        }
    }

    /// Another may write now.
    pub(super) fn lost(&self, error: &TableError) {
        tracing::warn!(
            provider = &*self.provider,
            table.path = self.settings.path,
            table.leader = false,
            %error,
            "another sidecar may write the services table now"
        );
    }

    /// The main table has so many rows.
    pub(super) fn holds(&self, rows: usize) {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.metrics.ytsaurus_table_rows.get_or_create(&self.labels()).set(rows);
    }

    /// The tables say what is published, as far as they can.
    pub(super) fn succeeded(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Unchanged => "unchanged",
            Outcome::Whole => "ok",
            Outcome::WithoutNames => "partial",
        };
        self.count(outcome);
        self.settle();
        if outcome == "ok" {
            self.names_complaint.settle();
        }
    }

    /// Nothing is wrong.
    pub(super) fn settle(&self) {
        if self.complaint.settle() {
            tracing::info!(
                provider = &*self.provider,
                table.path = self.settings.path,
                "the services table can be written again"
            );
        }
    }

    /// The tables do not say what is published.
    pub(super) fn failed(&self, error: &TableError) {
        self.count("error");
        let text = error.to_string();
        let path = &self.settings.path;
        if !self.complaint.is_new(&text) {
            tracing::debug!(
                provider = &*self.provider,
                table.path = path,
                error = text,
                "the services table is still not written"
            );
        } else if error.is_denied() {
            tracing::error!(
                provider = &*self.provider,
                table.path = path,
                error = text,
                "the services table is not written"
            );
        } else {
            tracing::warn!(
                provider = &*self.provider,
                table.path = path,
                error = text,
                "the services table is not written yet"
            );
        }
    }

    /// The names are not written.
    pub(super) fn goes_without_names(&self, error: &TableError) {
        let text = error.to_string();
        if self.names_complaint.is_new(&text) {
            tracing::error!(
                provider = &*self.provider,
                table.path = self.settings.names_path,
                error = text,
                "the table of names is not written; the services table is"
            );
        }
    }

    fn count(&self, outcome: &'static str) {
        let labels = TableWriteLabels { provider: self.provider.to_string(), outcome };
        self.metrics.ytsaurus_table_writes.get_or_create(&labels).inc();
    }

    fn labels(&self) -> ProviderLabels {
        ProviderLabels { provider: self.provider.to_string() }
    }
}
