//! What whoever has the lock does: make the tables say what is published.
//!
//! Both tables are written in one transaction, so that readers see the old rows or the new ones, and
//! only where their rows differ from what they hold.
//!
//! Programs depend on the main table, so trouble with the table of names does not hold it back: what lasts
//! costs the names alone at once, what passes does after a few attempts. And whoever does not know which
//! ids others gave does not write the names at all: the others would take them for true.

use std::sync::Arc;

use tokio::time::Instant;

use crate::registry::Registry;
use crate::ytsaurus::commands::transactions::Transaction;
use crate::ytsaurus::table::error::TableError;
use crate::ytsaurus::table::lease::Lease;
use crate::ytsaurus::table::pace::GOODBYE;
use crate::ytsaurus::table::rows::{Rows, Table};
use crate::ytsaurus::table::sheet::{Held, Sheet};
use crate::ytsaurus::table::{Outcome, ServicesTable};

/// After how many failures in a row the lock is given back: another may fare better.
const MAX_FAILURES: u32 = 5;
/// After how many failures with the names in a row the main table goes on without them, until the next
/// audit.
const NAMES_PATIENCE: u32 = 2;

/// Whoever has the lock.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    table: &'a ServicesTable,
    lease: &'a Lease<'a>,
    /// What the tables should hold, as it was made last.
    sheets: Option<Both<Sheet>>,
    known: Option<Both<Held>>,
    /// Names that can't be written.
    refused: Option<Held>,
    /// Whether it is known which ids others gave.
    knows_claims: bool,
    names_failures: u32,
}

/// One thing of each table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Both<T> {
    services: T,
    names: T,
}

impl<'a> Writer<'a> {
    /// Whoever has this lock.
    pub(super) const fn new(table: &'a ServicesTable, lease: &'a Lease<'a>) -> Self {
        Self { table, lease, sheets: None, known: None, refused: None, knows_claims: false, names_failures: 0 }
    }

    /// Follows the registry until that makes no sense any longer; why.
    pub(super) async fn follow(&mut self, registry: &Registry) -> TableError {
        let pace = &self.table.pace;
        let mut changes = registry.changes();
        let mut failures = 0;
        loop {
            changes.mark_unchanged();
            match self.bring_up_to_date(registry).await {
                Ok(outcome) => {
                    failures = 0;
                    self.table.succeeded(outcome);
                    tokio::time::sleep(pace.rest).await;
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = self.learns_claims(registry), if !self.knows_claims => {}
                        () = tokio::time::sleep(pace.audit) => {
                            // Nothing happened here for long, but others can write as well.
                            self.known = None;
                            self.refused = None;
                            self.names_failures = 0;
                        }
                    }
                }
                Err(error @ TableError::Lost(_)) => return error,
                Err(error) => {
                    failures += 1;
                    if error.is_about(&self.table.settings.names_path) {
                        self.names_failures += 1;
                        if !self.writes_names() {
                            self.table.goes_without_names(&error);
                            continue;
                        }
                    }
                    if failures >= MAX_FAILURES && !error.is_denied() {
                        return error;
                    }
                    self.table.failed(&error);
                    tokio::time::sleep(pace.backoff(failures)).await;
                }
            }
        }
    }

    async fn bring_up_to_date(&mut self, registry: &Registry) -> Result<Outcome, TableError> {
        let table = self.table;
        // Before the services are taken: those that come then have the ids that others gave.
        if registry.knows_claims(&table.provider) && !self.knows_claims {
            self.knows_claims = true;
            self.known = None;
        }
        let writes_names = self.writes_names();
        if !self.knows_claims {
            table.goes_without_names(&TableError::Unclaimed { path: table.settings.names_path.clone() });
        }
        let sheets = self.sheets(registry).await?;
        let deadline = Instant::now() + table.pace.rewrite;
        // What fails from here on may have been carried out all the same.
        let known = match self.known.take() {
            Some(known) => known,
            None => Both {
                services: Held::read(&table.client, &table.settings.path, deadline).await?,
                names: if writes_names {
                    Held::read(&table.client, &table.settings.names_path, deadline).await?
                } else {
                    Held::Unreadable
                },
            },
        };
        let wanted = Both { services: sheets.services.held(), names: sheets.names.held() };
        let due = Both {
            services: known.services != wanted.services,
            names: writes_names && known.names != wanted.names && self.refused != Some(wanted.names),
        };
        let outcome = if due.services || due.names {
            self.rewrite(&sheets, known, due, deadline).await?
        } else {
            Outcome::Unchanged
        };
        if due.names {
            self.refused = (outcome == Outcome::WithoutNames).then_some(wanted.names);
        }
        let are_named = due.names && self.refused.is_none();
        if are_named {
            self.names_failures = 0;
        }
        self.known = Some(Both { names: if are_named { wanted.names } else { known.names }, ..wanted });
        table.holds(sheets.services.rows().len());
        Ok(outcome)
    }

    /// Whether the table of names is written at all.
    const fn writes_names(&self) -> bool {
        self.knows_claims && self.names_failures < NAMES_PATIENCE
    }

    /// Waits until it is known which ids others gave.
    async fn learns_claims(&self, registry: &Registry) {
        while !registry.knows_claims(&self.table.provider) {
            tokio::time::sleep(self.table.pace.rest).await;
        }
    }

    /// What the tables should hold.
    async fn sheets(&mut self, registry: &Registry) -> Result<Both<Sheet>, TableError> {
        let services = registry.services();
        let (provider, base_domain) = (Arc::clone(&self.table.provider), self.table.settings.base_domain.clone());
        let before = self.sheets.take();
        // Tens of thousands of rows take a while; the runtime's threads have other things to do.
        let made = tokio::task::spawn_blocking(move || {
            let rows = Arc::new(Rows::new(services, &provider, &base_domain));
            match before {
                // Mostly services only move.
                Some(before) if before.services.rows().are(&rows) => {
                    Both { services: before.services.made_of(&rows), names: before.names.made_of(&rows) }
                }
                _ => Both { services: Sheet::new(&rows, Table::Services), names: Sheet::new(&rows, Table::Names) },
            }
        });
        let sheets = made.await.map_err(|_| TableError::Cut)?;
        self.sheets = Some(sheets.clone());
        Ok(sheets)
    }

    async fn rewrite(
        &self,
        sheets: &Both<Sheet>,
        known: Both<Held>,
        due: Both<bool>,
        deadline: Instant,
    ) -> Result<Outcome, TableError> {
        let ServicesTable { client, pace, settings, title, .. } = self.table;
        let lease = Some(self.lease.transaction());
        let path = &settings.path;
        let transaction = client
            .start_transaction(title, pace.rewrite + pace.lease, lease, deadline)
            .await
            .map_err(|error| TableError::new("start to write", path, error))?;
        let result = match self.fill(sheets, known, due, &transaction, deadline).await {
            Ok(outcome) => match client.commit_transaction(&transaction, lease, deadline).await {
                Ok(()) => Ok(outcome),
                Err(error) => Err(TableError::new("commit", path, error)),
            },
            Err(error) => Err(error),
        };
        if result.is_err() {
            // It ends by itself where that fails too: with the lock at the latest.
            let _ = client.abort_transaction(&transaction, Instant::now() + GOODBYE).await;
        }
        result
    }

    /// Writes what is due.
    async fn fill(
        &self,
        sheets: &Both<Sheet>,
        known: Both<Held>,
        due: Both<bool>,
        transaction: &Transaction,
        deadline: Instant,
    ) -> Result<Outcome, TableError> {
        let ServicesTable { client, settings, .. } = self.table;
        if due.services {
            sheets.services.write(client, &settings.path, known.services, transaction, deadline).await?;
        }
        if !due.names {
            return Ok(if self.writes_names() { Outcome::Whole } else { Outcome::WithoutNames });
        }
        match sheets.names.write(client, &settings.names_path, known.names, transaction, deadline).await {
            Ok(()) => Ok(Outcome::Whole),
            Err(error) if error.is_lasting() => {
                self.table.goes_without_names(&error);
                Ok(Outcome::WithoutNames)
            }
            Err(error) => Err(error),
        }
    }
}
