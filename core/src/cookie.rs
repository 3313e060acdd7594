//! Cookies: finding one, and taking some out without touching a byte of the others.
//!
//! A `Cookie` header is split at `;` and nothing else (RFC 6265, section 5.4, says what clients send;
//! what stands in a job's own cookies is not ours to judge). HTTP/2 clients may split it over several
//! lines (RFC 9113, section 8.2.3).
//!
//! People also send `name value`, for the documentation of Task proxy shows it so. That is no cookie to
//! anyone else, but the credential is in it.

use crate::edit::FieldEdit;

/// One cookie as it was sent. It has no `Debug`: it may be a credential.
#[derive(Clone, Copy)]
pub struct Cookie<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value, quotes around it taken off.
    pub value: &'a [u8],
    /// Whether a space stands where the equals sign belongs: `name value`.
    pub is_spaced: bool,
}

/// The cookies, in order.
pub fn all<'a>(lines: &'a [&'a [u8]]) -> impl Iterator<Item = Cookie<'a>> {
    crumbs(lines).filter_map(parse)
}

/// The values of the cookie `name`, in order.
pub fn values<'a>(lines: &'a [&'a [u8]], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    all(lines).filter(move |cookie| cookie.name == name.as_bytes() && !cookie.is_spaced).map(|cookie| cookie.value)
}

/// Takes out every unwanted cookie. What stays keeps its bytes and its order; several lines become one
/// only when something was taken out.
pub fn strip(lines: &[&[u8]], unwanted: impl Fn(&Cookie<'_>) -> bool) -> FieldEdit {
    let is_unwanted = |crumb: &[u8]| parse(crumb).is_some_and(|cookie| unwanted(&cookie));
    if !crumbs(lines).any(is_unwanted) {
        return FieldEdit::Keep;
    }
    let mut kept: Vec<u8> = Vec::new();
    for line in lines {
        let mut first_of_line = true;
        for crumb in line.split(|byte| *byte == b';').filter(|crumb| !is_unwanted(crumb)) {
            if kept.is_empty() {
                kept.extend_from_slice(crumb.trim_ascii_start());
            } else if first_of_line {
                kept.extend_from_slice(b"; ");
                kept.extend_from_slice(crumb.trim_ascii_start());
            } else {
                kept.push(b';');
                kept.extend_from_slice(crumb);
            }
            first_of_line = false;
        }
    }
    if kept.trim_ascii().is_empty() { FieldEdit::Remove } else { FieldEdit::Set(kept) }
}

fn crumbs<'a>(lines: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lines.iter().flat_map(|line| line.split(|byte| *byte == b';'))
}

fn parse(crumb: &[u8]) -> Option<Cookie<'_>> {
    let crumb = crumb.trim_ascii();
    let end = crumb.iter().position(|byte| *byte == b'=' || byte.is_ascii_whitespace())?;
    let (name, rest) = crumb.split_at_checked(end)?;
    let rest = rest.trim_ascii_start();
    let after_equals = rest.strip_prefix(b"=");
    let value = after_equals.unwrap_or(rest).trim_ascii();
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(Cookie { name, value: unquoted.unwrap_or(value), is_spaced: after_equals.is_none() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stripped(lines: &[&[u8]], name: &str) -> FieldEdit {
        strip(lines, |found| found.name == name.as_bytes() && !found.is_spaced)
    }

    fn set(text: &[u8]) -> FieldEdit {
        FieldEdit::Set(text.to_vec())
    }

    #[test]
    fn takes_one_out_wherever_it_stands() {
        assert_eq!(stripped(&[b"t=1; a=2; b=3"], "t"), set(b"a=2; b=3"));
        assert_eq!(stripped(&[b"a=2; t=1; b=3"], "t"), set(b"a=2; b=3"));
        assert_eq!(stripped(&[b"a=2; b=3; t=1"], "t"), set(b"a=2; b=3"));
        assert_eq!(stripped(&[b"t=1"], "t"), FieldEdit::Remove);
        assert_eq!(stripped(&[b"t=1; t=2"], "t"), FieldEdit::Remove);
        assert_eq!(stripped(&[b"a=1;t=x;b=2"], "t"), set(b"a=1;b=2"));
    }

    #[test]
    fn leaves_everything_else_alone() {
        assert_eq!(stripped(&[b"a=1; tt=2; T=3; t2=t"], "t"), FieldEdit::Keep);
        assert_eq!(stripped(&[b"a=\"x; y\xff\";;b", b"c = d"], "nope"), FieldEdit::Keep);
        assert_eq!(stripped(&[b"a=\xff\xfe; t=1; weird"], "t"), set(b"a=\xff\xfe; weird"));
    }

    #[test]
    fn joins_lines_only_when_one_loses_something() {
        assert_eq!(stripped(&[b"a=1", b"t=2", b"b=3"], "t"), set(b"a=1; b=3"));
        assert_eq!(stripped(&[b"t=2", b"t=3"], "t"), FieldEdit::Remove);
        assert_eq!(stripped(&[b"a=1", b"b=3"], "t"), FieldEdit::Keep);
    }

    #[test]
    fn finds_values_in_order_without_quotes() {
        let lines: [&[u8]; 2] = [b"t=1; a=2", b" t = \"3\" ; t"];
        assert_eq!(values(&lines, "t").collect::<Vec<_>>(), [&b"1"[..], b"3"]);
    }

    #[test]
    fn a_space_may_stand_for_the_equals_sign() {
        let strip = |line: &[u8]| strip(&[line], |found| found.name == b"t");
        let found = |line: &[u8]| {
            all(&[line]).find(|found| found.name == b"t").map(|found| (found.value.to_vec(), found.is_spaced))
        };
        assert_eq!(found(b"a=1; t x; b"), Some((b"x".to_vec(), true)));
        assert_eq!(found(b"\tt  \"x==\" "), Some((b"x==".to_vec(), true)));
        assert_eq!(found(b"t x y=z"), Some((b"x y=z".to_vec(), true)));
        assert_eq!(found(b"t = x"), Some((b"x".to_vec(), false)));
        for line in [&b"t"[..], b"t ", b"tt x", b"x t y", b"a=t x"] {
            assert_eq!((found(line), strip(line)), (None, FieldEdit::Keep), "{line:?}");
        }
        assert_eq!(strip(b"a b; t x; c=1"), set(b"a b; c=1"));
        assert_eq!(values(&[b"t x"], "t").count(), 0);
    }

    fn pairs(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        crumbs(lines).map(|crumb| crumb.trim_ascii().to_vec()).filter(|crumb| !crumb.is_empty()).collect()
    }

    proptest! {
        #[test]
        fn what_stays_is_what_was_there_without_the_named(lines in proptest::collection::vec("[at=;\" \\x00-\\x7f]{0,24}", 0..4)) {
            let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
            let expected: Vec<Vec<u8>> = pairs(&lines)
                .into_iter()
                .filter(|crumb| parse(crumb).is_none_or(|found| found.name != b"t" || found.is_spaced))
                .collect();
            let left = match stripped(&lines, "t") {
                FieldEdit::Keep => pairs(&lines),
                FieldEdit::Remove => Vec::new(),
                FieldEdit::Set(text) => pairs(&[&text]),
            };
            prop_assert_eq!(left, expected);
        }

        #[test]
        fn any_bytes_at_all(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let FieldEdit::Set(text) = stripped(&[&line], "t") {
                prop_assert_eq!(values(&[&text], "t").count(), 0);
            }
        }
    }
}
