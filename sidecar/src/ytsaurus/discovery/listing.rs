//! All running operations, page by page.
//!
//! The cluster lists the newest first, and from a time on. Whether operations of that very time are
//! among them is not the same everywhere, so the next page starts a microsecond after the oldest
//! operation of this one, and what comes twice counts once.
//!
//! A page that can't be had as a whole is asked for in smaller pieces, until the one operation that
//! spoils it is found: it is left out, and reported.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::time::Instant;

use crate::config::ytsaurus::OperationTypes;
use crate::discovery::inventory::Problem;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::operations::{ListOperations, MAX_LIMIT, OperationsPage};
use crate::ytsaurus::discovery::operation::{self, Operation, ReadOperation};

/// The most pages of one listing.
const MAX_PAGES: usize = 1_000;
/// The most operations that are left out of one listing because they spoil their page.
const MAX_SPOILED: usize = 20;
/// By how much a page that can't be had becomes smaller.
const SHRINK: usize = 4;

/// Why there is no list of operations.
#[derive(Debug, Error)]
pub enum ListingError {
    /// A page could not be had.
    #[error("operations can't be listed: {0}")]
    Call(#[from] CallError),
    /// It would never end.
    #[error("the list of operations does not end: {0}")]
    Endless(&'static str),
    /// A time that is none.
    #[error("an operation started at `{0}`, which is no time")]
    Time(String),
}

/// What a listing found.
#[derive(Debug, Default)]
pub struct Listing {
    /// The operations that offer something.
    pub operations: Vec<Operation>,
    /// What is wrong with operations.
    pub problems: Vec<Problem>,
    /// How many there are at all.
    pub seen: usize,
}

/// Where a listing is.
struct Walk {
    cursor: Option<Timestamp>,
    limit: usize,
    bare: bool,
    seen: HashSet<String>,
    spoiled: usize,
    listing: Listing,
}

/// Lists all running operations.
///
/// # Errors
/// [`ListingError`].
pub async fn list(client: &Client, types: OperationTypes, deadline: Instant) -> Result<Listing, ListingError> {
    let mut walk = Walk {
        cursor: None,
        limit: MAX_LIMIT,
        bare: false,
        seen: HashSet::new(),
        spoiled: 0,
        listing: Listing::default(),
    };
    for _ in 0..MAX_PAGES {
        let cursor = walk.cursor.map(|time| format!("{time:.6}"));
        let page = ListOperations { cursor, types, limit: walk.limit, bare: walk.bare };
        match client.read(&page, deadline).await {
            Ok(page) => {
                let incomplete = page.incomplete;
                walk.take(&page)?;
                if !incomplete {
                    walk.listing.seen = walk.seen.len();
                    return Ok(walk.listing);
                }
            }
            Err(error) => walk.shrink(error)?,
        }
    }
    Err(ListingError::Endless("more pages than any cluster has"))
}

impl Walk {
    fn take(&mut self, page: &OperationsPage) -> Result<(), ListingError> {
        let mut oldest = None;
        let mut news = 0_usize;
        for raw in &page.operations {
            let Some(read) = operation::read(raw) else {
                let subject = format!("operation {} of a page", self.seen.len());
                self.listing.problems.push(Problem { subject, reason: "has no id".into() });
                continue;
            };
            let started: Timestamp = read.start_time.parse().map_err(|_| {
                ListingError::Time(read.start_time.chars().filter(|one| !one.is_control()).take(40).collect())
            })?;
            oldest = Some(oldest.map_or(started, |oldest: Timestamp| oldest.min(started)));
            if self.seen.insert(read.id.clone()) {
                news += 1;
                self.keep(read);
            }
        }
        if let Some(oldest) = oldest {
            // A page of the same again, or one that was only looked at to get past it: on to what is older.
            let step = if news == 0 || self.bare { -1 } else { 1 };
            self.cursor = Some(oldest.saturating_add(SignedDuration::from_micros(step)).unwrap_or(oldest));
        } else if page.incomplete {
            return Err(ListingError::Endless("an empty page that says there is more"));
        }
        self.bare = false;
        self.limit = (self.limit * SHRINK).min(MAX_LIMIT);
        Ok(())
    }

    fn keep(&mut self, read: ReadOperation) {
        let subject = format!("operation {}", read.id);
        if self.bare {
            let reason = "its page could not be read; most likely its annotations are too large".to_owned();
            self.listing.problems.push(Problem { subject, reason });
            return;
        }
        let problems = read.reasons.into_iter().map(|reason| Problem { subject: subject.clone(), reason });
        self.listing.problems.extend(problems);
        self.listing.operations.extend(read.operation);
    }

    /// Asks for less where a smaller page may be had.
    fn shrink(&mut self, error: CallError) -> Result<(), ListingError> {
        let whole = error.is_passing()
            || matches!(error, CallError::Credential(_))
            || error.has(code::AUTHORIZATION)
            || self.bare
            || self.spoiled == MAX_SPOILED;
        if whole {
            return Err(error.into());
        }
        tracing::warn!(%error, limit = self.limit, "a page of operations can't be read; asking for a smaller one");
        if self.limit > 1 {
            self.limit /= SHRINK;
            self.limit = self.limit.max(1);
        } else {
            self.bare = true;
            self.spoiled += 1;
        }
        Ok(())
    }
}
