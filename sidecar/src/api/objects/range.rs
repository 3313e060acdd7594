//! `Range` (RFC 9110, section 14): a part of an object.

use axum::http::HeaderMap;
use axum::http::header::RANGE;

/// What of an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// From the first of these bytes to the last, both counted.
    Part {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Nothing that it has.
    Beyond,
    /// More than one part: nobody needs that here, and answering it lets a client ask for one byte a thousand times.
    Several,
}

/// Reads what is wanted of an object of that size. A range that can't be read is none, as RFC 9110 has it.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Wanted::Whole,
        (Some(line), None) => line.to_str().map_or(Wanted::Whole, |text| parse(text, size)),
        (Some(_), Some(_)) => Wanted::Several,
    }
}

fn parse(text: &str, size: u64) -> Wanted {
    let Some((unit, ranges)) = text.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    if ranges.contains(',') {
        return Wanted::Several;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() && first < size => Wanted::Part { first, last: size - 1 },
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), Some(last)) if first < size => Wanted::Part { first, last: last.min(size - 1) },
        (Some(_), Some(_)) => Wanted::Beyond,
        (Some(_), None) if last.is_empty() => Wanted::Beyond,
        (None, Some(count)) if first.is_empty() && count > 0 && size > 0 => {
            Wanted::Part { first: size.saturating_sub(count), last: size - 1 }
        }
        (None, Some(_)) if first.is_empty() => Wanted::Beyond,
        _ => Wanted::Whole,
    }
}

/// A number of any length: one that is too large is as large as can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let part = |first, last| Wanted::Part { first, last };
        for (text, size, expected) in [
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=0-", 10, part(0, 9)),
            ("bytes=3-5", 10, part(3, 5)),
            ("BYTES=3-99999999999999999999999", 10, part(3, 9)),
            ("bytes=9-9", 10, part(9, 9)),
            ("bytes=-1", 10, part(9, 9)),
            ("bytes=-10", 10, part(0, 9)),
            ("bytes=-99999999999999999999999", 10, part(0, 9)),
            ("bytes=10-", 10, Wanted::Beyond),
            ("bytes=10-20", 10, Wanted::Beyond),
            ("bytes=-0", 10, Wanted::Beyond),
            ("bytes=0-", 0, Wanted::Beyond),
            ("bytes=0-0", 0, Wanted::Beyond),
            ("bytes=-1", 0, Wanted::Beyond),
            ("bytes=5-3", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=1-2-3", 10, Wanted::Whole),
            ("bytes=1-x", 10, Wanted::Whole),
            ("bytes=--1", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Several),
        ] {
            assert_eq!(parse(text, size), expected, "{text} of {size}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
        headers.append(RANGE, "bytes=1-2".parse().expect("a value"));
        assert_eq!(wanted(&headers, 10), part(1, 2));
        headers.append(RANGE, "bytes=1-2".parse().expect("a value"));
        assert_eq!(wanted(&headers, 10), Wanted::Several);
    }
}
