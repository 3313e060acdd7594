//! Requests with conditions (RFC 9110, section 13).

use axum::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use axum::http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use taskgate_core::time::UnixTime;

use crate::data::store::local::Facts;

/// What conditions make of a request to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is answered.
    Go,
    /// The client has it already.
    NotModified,
    /// It is not what the client wants.
    Failed,
}

/// What a request's conditions make of it.
pub(super) fn evaluate(headers: &HeaderMap, facts: &Facts) -> Outcome {
    let modified = seconds(facts.modified);
    let holds = match has(headers, &IF_MATCH, &facts.etag, false) {
        Some(matches) => matches,
        None => date(headers, &IF_UNMODIFIED_SINCE).is_none_or(|since| modified <= since),
    };
    if !holds {
        return Outcome::Failed;
    }
    let is_known = match has(headers, &IF_NONE_MATCH, &facts.etag, true) {
        Some(matches) => matches,
        None => date(headers, &IF_MODIFIED_SINCE).is_some_and(|since| modified <= since),
    };
    if is_known { Outcome::NotModified } else { Outcome::Go }
}

/// Whether a range counts: without `If-Range`, or where the object is still the one that it names.
pub(super) fn range_counts(headers: &HeaderMap, facts: &Facts) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    value.as_bytes() == facts.etag.as_bytes() || date(headers, &IF_RANGE) == Some(seconds(facts.modified))
}

/// A time as headers have it.
pub(super) fn http_date(time: UnixTime) -> Option<String> {
    let time = Timestamp::from_second(seconds(time)).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// Whether a list of entity tags has this one; none where there is no list.
fn has(headers: &HeaderMap, name: &HeaderName, etag: &str, weakly: bool) -> Option<bool> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    // Tags of this store have no commas in them.
    Some(lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim).any(|tag| {
        let tag = if weakly { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag == "*" || tag == etag
    }))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let text = headers.get(name)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::as_second)
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const BEFORE: &str = "Wed, 31 Dec 2025 23:59:59 GMT";

    fn facts() -> Facts {
        Facts { size: 1, modified: UnixTime::from_millis(1_767_225_600_999), note: None, etag: "\"a-b\"".into() }
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn conditions_are_evaluated_in_their_order() {
        assert_eq!(http_date(facts().modified).as_deref(), Some(AT));
        for (lines, expected) in [
            (&[][..], Outcome::Go),
            (&[(IF_NONE_MATCH, "\"a-b\"")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "\"x\", W/\"a-b\"")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "*")], Outcome::NotModified),
            (&[(IF_NONE_MATCH, "\"x\"")], Outcome::Go),
            (&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AT)], Outcome::Go),
            (&[(IF_MODIFIED_SINCE, AT)], Outcome::NotModified),
            (&[(IF_MODIFIED_SINCE, BEFORE)], Outcome::Go),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Outcome::Go),
            (&[(IF_MATCH, "\"a-b\"")], Outcome::Go),
            (&[(IF_MATCH, "W/\"a-b\"")], Outcome::Failed),
            (&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a-b\"")], Outcome::Failed),
            (&[(IF_UNMODIFIED_SINCE, BEFORE)], Outcome::Failed),
            (&[(IF_UNMODIFIED_SINCE, AT)], Outcome::Go),
        ] {
            assert_eq!(evaluate(&headers(lines), &facts()), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_range_is_of_one_object() {
        for (value, counts) in [("\"a-b\"", true), ("W/\"a-b\"", false), ("\"x\"", false), (AT, true), (BEFORE, false)]
        {
            assert_eq!(range_counts(&headers(&[(IF_RANGE, value)]), &facts()), counts, "{value}");
        }
        assert!(range_counts(&HeaderMap::new(), &facts()));
    }
}
