//! Whole listings, page by page, by the time at which records were made.
//!
//! A page may be shorter than what was asked for though more is there, so only an empty one ends a listing.
//! Records that come while it is read don't shift what follows, since no page is told by a number.

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
/// The most records of a listing.
const MAX_RECORDS: usize = 500_000;

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

impl Client {
    /// All records of a listing, each unread.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(
        &self,
        token: &Token,
        listing: &Listing,
        deadline: Instant,
    ) -> Result<Vec<Box<RawValue>>, CallError> {
        let mut select = vec!["uuid", "created_at"];
        select.extend(listing.select);
        let mut records = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let mut cursor = Cursor::Start;
        loop {
            let mut filters = cursor.filters();
            filters.extend(listing.filters.iter().cloned());
            let call = Call::new(listing.path)
                .with("filters", &Value::Array(filters))
                .with("select", &json!(select))
                .with("order", &json!(["created_at asc", "uuid asc"]))
                .with("limit", &json!(PAGE))
                .with_text("count", "none");
            let page: Page = self.call(token, &call, deadline).await?;
            let marks: Result<Vec<Mark>, _> = page.items.iter().map(|item| serde_json::from_str(item.get())).collect();
            let marks = marks.map_err(|_| CallError::Unreadable("a record without a name or a time"))?;
            let (Some(first), Some(last)) = (marks.first().cloned(), marks.last().cloned()) else {
                match cursor {
                    Cursor::Within(mark) => cursor = Cursor::After(mark.created_at),
                    Cursor::Start | Cursor::From(_) | Cursor::After(_) => return Ok(records),
                }
                continue;
            };
            let before = records.len();
            let news = page.items.into_iter().zip(marks).filter(|(_, mark)| seen.insert(mark.uuid.clone()));
            records.extend(news.map(|(item, _)| item));
            if records.len() > MAX_RECORDS {
                return Err(CallError::TooLarge);
            }
            cursor = if first.created_at == last.created_at { Cursor::Within(last) } else { Cursor::From(last) };
            if records.len() == before && matches!(cursor, Cursor::From(_)) {
                return Err(CallError::Unreadable("a listing that does not go on"));
            }
        }
    }
}
