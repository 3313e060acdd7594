//! A label: the part of a host name that names a service.

use core::fmt;

use thiserror::Error;

/// The most bytes a label may have (RFC 1035, section 2.3.4).
pub const MAX_LABEL: usize = 63;

/// One host label that names a service: an id such as `ae5cf6f5`, or an alias name.
///
/// Invariant: 1 to 63 bytes of `a`-`z`, `0`-`9`, `-` and `_`, with no `-` at either end. (`_` is not
/// a host name character in RFC 1123, but task names have it and resolvers pass it.)
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

/// Why text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidLabel {
    /// No bytes at all.
    #[error("label is empty")]
    Empty,
    /// More than 63 bytes.
    #[error("label is longer than 63 bytes")]
    TooLong,
    /// A byte that a label can't have, or `-` at an end.
    #[error("label has a character other than a-z, 0-9, `_` and inner `-`")]
    Character,
}

impl Label {
    /// Reads a label, folding upper case to lower.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidLabel> {
        if text.is_empty() {
            return Err(InvalidLabel::Empty);
        }
        if text.len() > MAX_LABEL {
            return Err(InvalidLabel::TooLong);
        }
        if text.first() == Some(&b'-') || text.last() == Some(&b'-') {
            return Err(InvalidLabel::Character);
        }
        let lower: Option<String> = text
            .iter()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => Some(char::from(*byte)),
                b'A'..=b'Z' => Some(char::from(byte.to_ascii_lowercase())),
                _ => None,
            })
            .collect();
        lower.map(|text| Self(text.into_boxed_str())).ok_or(InvalidLabel::Character)
    }

    /// The label's text, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Label({})", self.0)
    }
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_and_keeps_the_rest() {
        assert_eq!(Label::parse(b"AE5CF6F5").map(|label| label.to_string()), Ok("ae5cf6f5".into()));
        assert_eq!(Label::parse(b"my-app-web-port_0").map(|label| label.to_string()), Ok("my-app-web-port_0".into()));
    }

    #[test]
    fn refuses_what_no_host_label_is() {
        assert_eq!(Label::parse(b""), Err(InvalidLabel::Empty));
        assert_eq!(Label::parse(&[b'a'; 64]), Err(InvalidLabel::TooLong));
        for text in [&b"a.b"[..], b"a b", b"-a", b"a-", b"a\xff", b"a/b", b"\xc3\xa9", b"a\0"] {
            assert_eq!(Label::parse(text), Err(InvalidLabel::Character), "{text:?}");
        }
    }
}
