//! Whole listings, page by page, by the time at which records were made.
//!
//! A page may be shorter than what was asked for though more is there, so only an empty one ends a listing.
//! Records that come while it is read don't shift what follows, since no page is told by a number.
//!
//! Anybody can make large records. A page that is too large is asked for again with fewer records, down to one; that
//! one is then left out, and the listing goes on behind it.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::arvados::client::error::CallError;
use crate::arvados::client::{Call, Client};
use crate::arvados::token::Token;

/// How many records are asked for at once.
const PAGE: usize = 1_000;
/// How many times fewer are asked for where they are too large together.
const FEWER: usize = 8;
/// The most bytes of a page. One of a thousand requests has a few hundred kilobytes.
const MAX_PAGE: usize = 8 << 20;
/// The most records of a listing.
const MAX_RECORDS: usize = 500_000;
/// The most bytes of a record.
const MAX_RECORD: usize = 256 << 10;
/// The bytes of a listing from which on there is room for small records alone.
const MAX_LARGE: usize = 128 << 20;
/// The most bytes of a small record.
const SMALL: usize = 4 << 10;

/// What is listed.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Below `/arvados/v1/`.
    pub path: &'static str,
    /// Conditions, as the cluster takes them.
    pub filters: Vec<Value>,
    /// The fields; `uuid` and `created_at` come by themselves.
    pub select: &'static [&'static str],
}

/// The records of a listing.
#[derive(Debug, Default)]
pub struct Listed {
    /// Each as the cluster wrote it.
    pub records: Vec<Box<RawValue>>,
    /// The names of those that were left out because they are too large.
    pub skipped: Vec<String>,
    /// How many bytes the records have.
    bytes: usize,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
}

/// What tells where a listing goes on.
#[derive(Clone, Debug, Deserialize)]
struct Mark {
    uuid: String,
    created_at: String,
}

/// Where the next page begins.
#[derive(Clone, Debug)]
enum Cursor {
    /// At the start.
    Start,
    /// At the time of that record, which is known.
    From(Mark),
    /// After that record, among those of its time.
    Within(Mark),
    /// After a time.
    After(String),
}

impl Cursor {
    fn filters(&self) -> Vec<Value> {
        match self {
            Self::Start => Vec::new(),
            Self::From(mark) => vec![json!(["created_at", ">=", mark.created_at]), json!(["uuid", "!=", mark.uuid])],
            Self::Within(mark) => vec![json!(["created_at", "=", mark.created_at]), json!(["uuid", ">", mark.uuid])],
            Self::After(time) => vec![json!(["created_at", ">", time])],
        }
    }
}

impl Listed {
    fn len(&self) -> usize {
        self.records.len() + self.skipped.len()
    }

    fn add(&mut self, uuid: String, record: Box<RawValue>) {
        let length = record.get().len();
        let most = if self.bytes < MAX_LARGE { MAX_RECORD } else { SMALL };
        if length > most {
            self.skipped.push(uuid);
        } else {
            self.bytes += length;
            self.records.push(record);
        }
    }
}

impl Listing {
    fn call(&self, cursor: &Cursor, select: &[&str], limit: usize) -> Call {
        let mut fields = vec!["uuid", "created_at"];
        fields.extend(select);
        let mut filters = cursor.filters();
        filters.extend(self.filters.iter().cloned());
        Call::new(self.path)
            .with("filters", &Value::Array(filters))
            .with("select", &json!(fields))
            .with("order", &json!(["created_at asc", "uuid asc"]))
            .with("limit", &json!(limit))
            .with_text("count", "none")
            .at_most(MAX_PAGE)
    }
}

impl Client {
    /// All records of a listing, each unread.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, token: &Token, listing: &Listing, deadline: Instant) -> Result<Listed, CallError> {
        let mut listed = Listed::default();
        let mut seen: HashSet<String> = HashSet::new();
        let mut cursor = Cursor::Start;
        let mut limit = PAGE;
        loop {
            let (page, is_named_alone) = match self.page(token, listing, &cursor, limit, deadline).await {
                Err(CallError::TooLarge) if limit > 1 => {
                    limit = (limit / FEWER).max(1);
                    continue;
                }
                Err(CallError::TooLarge) => {
                    let call = listing.call(&cursor, &[], 1);
                    (self.call::<Page>(token, &call, deadline).await?, true)
                }
                page => {
                    limit = limit.saturating_mul(2).min(PAGE);
                    (page?, false)
                }
            };
            let marks: Result<Vec<Mark>, _> = page.items.iter().map(|item| serde_json::from_str(item.get())).collect();
            let marks = marks.map_err(|_| CallError::Unreadable("a record without a name or a time"))?;
            let (Some(first), Some(last)) = (marks.first().cloned(), marks.last().cloned()) else {
                match cursor {
                    Cursor::Within(mark) => cursor = Cursor::After(mark.created_at),
                    Cursor::Start | Cursor::From(_) | Cursor::After(_) => return Ok(listed),
                }
                continue;
            };
            let before = listed.len();
            for (item, mark) in page.items.into_iter().zip(marks) {
                if !seen.insert(mark.uuid.clone()) {
                    continue;
                }
                if is_named_alone {
                    listed.skipped.push(mark.uuid);
                } else {
                    listed.add(mark.uuid, item);
                }
            }
            if listed.len() > MAX_RECORDS {
                return Err(CallError::TooLarge);
            }
            cursor = if first.created_at == last.created_at { Cursor::Within(last) } else { Cursor::From(last) };
            if listed.len() == before && matches!(cursor, Cursor::From(_)) {
                return Err(CallError::Unreadable("a listing that does not go on"));
            }
        }
    }

    async fn page(
        &self,
        token: &Token,
        listing: &Listing,
        cursor: &Cursor,
        limit: usize,
        deadline: Instant,
    ) -> Result<Page, CallError> {
        self.call(token, &listing.call(cursor, listing.select, limit), deadline).await
    }
}
