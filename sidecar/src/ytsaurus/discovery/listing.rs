//! All running operations, page by page.
//!
//! The cluster lists the newest first, and from a time on. Whether operations of that very time are
//! among them is not the same everywhere, so the next page starts a microsecond after the oldest
//! operation of this one, and what comes twice counts once.
//!
//! A page that can't be had because of what users wrote is asked for without that, and its operations
//! one by one: what spoils it is left out, and reported.

use std::collections::{HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::time::Instant;

use crate::discovery::inventory::Problem;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::operations::{GetOperation, ListOperations, OperationsPage};
use crate::ytsaurus::discovery::operation::{self, Operation, ReadOperation};
use crate::ytsaurus::settings::YtsaurusSettings;

/// The most pages of one listing.
const MAX_PAGES: usize = 1_000;
/// How many batches that can't be had are divided while looking for what spoils a page.
const MAX_DIVISIONS: usize = 100;

/// Why there is no list of operations.
#[derive(Debug, Error)]
pub enum ListingError {
    /// A page could not be had.
    #[error("operations can't be listed: {0}")]
    Call(#[from] CallError),
    /// It would never end.
    #[error("the list of operations does not end: {0}")]
    Endless(&'static str),
}

/// What a listing found.
#[derive(Debug, Default)]
pub struct Listing {
    /// The operations that offer something, newest first.
    pub operations: Vec<Operation>,
    /// What is wrong with operations.
    pub problems: Vec<Problem>,
    /// How many there are at all.
    pub seen: usize,
}

/// Where a listing is.
#[derive(Default)]
struct Walk {
    cursor: Option<Timestamp>,
    seen: HashSet<String>,
    /// Whether the last page had nothing new.
    stands: bool,
    listing: Listing,
}

/// Lists all running operations. Those that can't be had at the moment are as `before`.
///
/// # Errors
/// [`ListingError`].
pub async fn list(
    client: &Client,
    settings: &YtsaurusSettings,
    before: &[Operation],
    deadline: Instant,
) -> Result<Listing, ListingError> {
    let mut walk = Walk::default();
    for _ in 0..MAX_PAGES {
        let cursor = walk.cursor.map(|time| format!("{time:.6}"));
        let mut page = ListOperations { cursor, types: settings.operation_types, bare: false };
        let incomplete = match client.read(&page, deadline).await {
            Ok(page) => {
                for read in walk.take(&page)? {
                    walk.listing.keep(read);
                }
                page.incomplete
            }
            Err(error) if is_spoiled(&error) => {
                tracing::warn!(%error, "a page of operations can't be read; its operations are asked for one by one");
                page.bare = true;
                let page = client.read(&page, deadline).await?;
                let ids = walk.take(&page)?.into_iter().map(|read| read.id);
                let asked: Vec<_> = ids.map(|operation| GetOperation { operation }).collect();
                walk.listing.get(client, &asked, settings.batch_commands, before, deadline).await?;
                page.incomplete
            }
            Err(error) => return Err(error.into()),
        };
        if !incomplete {
            walk.listing.seen = walk.seen.len();
            return Ok(walk.listing);
        }
    }
    Err(ListingError::Endless("more pages than any cluster has"))
}

/// Whether an answer may be had with less in it.
fn is_spoiled(error: &CallError) -> bool {
    match error {
        CallError::Refused(_) => !error.is_passing() && !error.has(code::AUTHORIZATION),
        // Much of what users wrote takes the cluster long.
        CallError::TimedOut(_) | CallError::TooLarge(_) | CallError::Unreadable(_) => true,
        CallError::Credential(_) | CallError::Exchange(_) | CallError::Unavailable { .. } => false,
    }
}

impl Walk {
    /// Goes on past a page: what is new in it.
    fn take(&mut self, page: &OperationsPage) -> Result<Vec<ReadOperation>, ListingError> {
        let mut oldest: Option<Timestamp> = None;
        let mut new = Vec::new();
        for raw in &page.operations {
            let Some(read) = operation::read(raw) else {
                let subject = format!("operation {} of a page", self.seen.len());
                self.listing.problems.push(Problem { subject, reason: "has no id".into() });
                continue;
            };
            oldest = oldest.into_iter().chain(read.started).min();
            if self.seen.insert(read.id.clone()) {
                new.push(read);
            }
        }
        if page.incomplete {
            let stood = std::mem::replace(&mut self.stands, new.is_empty());
            let oldest = oldest.ok_or(ListingError::Endless("a page without operations says that there is more"))?;
            if stood && self.stands {
                return Err(ListingError::Endless("two pages have nothing new"));
            }
            // A page of the same again: on to what is older.
            let step = if self.stands { -1 } else { 1 };
            self.cursor = Some(oldest.saturating_add(SignedDuration::from_micros(step)).unwrap_or(oldest));
        }
        Ok(new)
    }
}

impl Listing {
    fn keep(&mut self, read: ReadOperation) {
        let subject = format!("operation {}", read.id);
        let problems = read.reasons.into_iter().map(|reason| Problem { subject: subject.clone(), reason });
        self.problems.extend(problems);
        self.operations.extend(read.operation);
    }

    /// Asks for operations one by one, many at a time. Those that can't be had are left out.
    async fn get(
        &mut self,
        client: &Client,
        operations: &[GetOperation],
        batch: usize,
        before: &[Operation],
        deadline: Instant,
    ) -> Result<(), ListingError> {
        let mut divisions = 0;
        let mut waiting: VecDeque<&[GetOperation]> = operations.chunks(batch.max(1)).collect();
        while let Some(asked) = waiting.pop_front() {
            match client.batch(asked, deadline).await {
                Ok(answers) => {
                    for (GetOperation { operation }, answer) in asked.iter().zip(answers) {
                        match answer {
                            Ok(raw) => operation::read(&raw).into_iter().for_each(|read| self.keep(read)),
                            // It has just ended.
                            Err(error) if error.has(code::NO_SUCH_OPERATION) => {}
                            Err(error) if error.is_passing() => self.leave_as_before(operation, before, &error),
                            Err(error) => self.leave_out(operation, &error),
                        }
                    }
                }
                Err(error) if !is_spoiled(&error) => return Err(error.into()),
                Err(error) => match asked {
                    [GetOperation { operation }] if !error.is_passing() => self.leave_out(operation, &error),
                    _ if asked.len() == 1 || divisions == MAX_DIVISIONS || Instant::now() >= deadline => {
                        for GetOperation { operation } in asked {
                            self.leave_as_before(operation, before, &error);
                        }
                    }
                    _ => {
                        let (left, right) = asked.split_at(asked.len() / 2);
                        waiting.push_front(right);
                        waiting.push_front(left);
                        divisions += 1;
                    }
                },
            }
        }
        Ok(())
    }

    fn leave_as_before(&mut self, operation: &str, before: &[Operation], error: &CallError) {
        let reason = format!("can't be read at the moment; what was known of it stays: {error}");
        self.problems.push(Problem { subject: format!("operation {operation}"), reason });
        self.operations.extend(before.iter().find(|known| known.id == operation).cloned());
    }

    fn leave_out(&mut self, operation: &str, error: &CallError) {
        let reason = format!("can't be read; it may be that its annotations are too large or too deep: {error}");
        self.problems.push(Problem { subject: format!("operation {operation}"), reason });
    }
}
