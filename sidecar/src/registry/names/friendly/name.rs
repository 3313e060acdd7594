//! A friendly name: what people type in place of an id.

use std::fmt;

use taskgate_core::label::{Label, MAX_LABEL};
use taskgate_core::naming::ID_LENGTHS;
use thiserror::Error;

use crate::digest::Digest;

/// How many hex digits of a digest a suggestion ends with.
const DIGITS: usize = 6;
/// How many suggestions there are for one text.
const SUGGESTIONS: u8 = 8;

/// A friendly name: `ollama` for `ollama.tasks.example.test`.
///
/// Invariant: a host label of RFC 1123 that no id can be: 1 to 63 bytes of `a`-`z`, `0`-`9` and inner `-`, not as many
/// hex digits as an id has, not like a name of Arvados', and no punycode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FriendlyName(Label);

/// Why text is no friendly name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// A byte that none has, or `-` at an end.
    #[error("has a character other than a-z, 0-9 and inner `-`")]
    Character,
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// What some service's id may be, now or later.
    #[error("is like an id")]
    LikeAnId,
    /// What a platform calls its workloads.
    #[error("is like a UUID of Arvados'")]
    LikeAUuid,
    /// Text that browsers show as other text.
    #[error("is punycode")]
    Punycode,
    /// Too many bytes.
    #[error("is longer than 63 bytes")]
    TooLong,
    /// Upper case, which hosts don't have.
    #[error("has upper case")]
    UpperCase,
}

impl FriendlyName {
    /// Reads a name. Nothing is folded or cut: what is no name as it stands is none.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > MAX_LABEL {
            return Err(InvalidName::TooLong);
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.bytes().all(|byte| is_plain(byte.to_ascii_lowercase())) {
            return Err(InvalidName::Character);
        }
        if !text.bytes().all(is_plain) {
            return Err(InvalidName::UpperCase);
        }
        if ID_LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidName::LikeAnId);
        }
        if is_platform_label(text) {
            return Err(InvalidName::LikeAUuid);
        }
        if text.starts_with("xn--") {
            return Err(InvalidName::Punycode);
        }
        Label::parse(text.as_bytes()).map(Self).map_err(|_| InvalidName::Character)
    }

    /// The host label.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.0
    }
}

impl fmt::Display for FriendlyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Whether text is what Arvados calls a workload, or one of its ports: `zzzzz-dz642-000000000000000`, or that with
/// `-8080`. Its platform alone gives such names, so nobody may choose one.
#[must_use]
pub fn is_platform_label(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next_is = |length: usize| {
        let is = |part: &str| part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        parts.next().is_some_and(is)
    };
    let uuid = next_is(5) && next_is(5) && next_is(15);
    let port = parts.next();
    uuid && port.is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()))
        && parts.next().is_none()
}

/// Names that would do in place of a text, the likeliest first; each time the same ones.
pub fn suggestions(text: &str) -> impl Iterator<Item = FriendlyName> {
    let plain = plain(text);
    let near = (plain.len() <= MAX_LABEL && plain != text).then(|| plain.clone());
    let head = plain.get(..MAX_LABEL - DIGITS - 1).unwrap_or(&plain).trim_end_matches('-').to_owned();
    let text = text.to_owned();
    let numbered = (0..SUGGESTIONS).map(move |number| {
        let digest = Digest::of_parts(&[text.as_bytes(), &[number]]).to_string();
        format!("{head}-{}", digest.get(..DIGITS).unwrap_or_default())
    });
    near.into_iter().chain(numbered).filter_map(|name| FriendlyName::parse(&name).ok())
}

/// The letters, digits and hyphens that a text comes to.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    // More than a name may have can't change a suggestion.
    for character in text.chars().take(4 * MAX_LABEL) {
        match character.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => plain.push(letter),
            _ if plain.is_empty() || plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_end_matches('-');
    if plain.is_empty() { "service".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_labels() {
        for text in ["a", "7", "ollama", "my-app-2", "deadbee", "deadbeef-1", &"a".repeat(63), "a--b", "1234567"] {
            assert_eq!(FriendlyName::parse(text).map(|name| name.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_name_says_why() {
        use InvalidName::{Character, Empty, LikeAUuid, LikeAnId, Punycode, TooLong, UpperCase};

        for (text, expected) in [
            ("", Empty),
            (&"a".repeat(64), TooLong),
            ("Ollama", UpperCase),
            ("my_app", Character),
            ("a.b", Character),
            ("-a", Character),
            ("a-", Character),
            ("é", Character),
            ("a b", Character),
            ("deadbeef", LikeAnId),
            ("12345678", LikeAnId),
            (&"0".repeat(16), LikeAnId),
            (&"f".repeat(32), LikeAnId),
            ("zzzzz-dz642-000000000000000", LikeAUuid),
            ("zzzzz-dz642-000000000000000-8080", LikeAUuid),
            ("xn--bcher-kva", Punycode),
        ] {
            assert_eq!(FriendlyName::parse(text), Err(expected), "{text}");
        }
        assert!(!is_platform_label("zzzzz-dz642-00000000000000") && !is_platform_label("zzzzz-dz642-000000000000000-"));
        assert!(!is_platform_label("zzzzz-dz642-000000000000000-8080-1"));
    }

    #[test]
    fn suggestions_are_names_and_always_the_same() {
        let first = |text: &str| suggestions(text).next().map(|name| name.to_string()).unwrap_or_default();
        assert_eq!((first("Ollama").as_str(), first("my_app").as_str()), ("ollama", "my-app"));
        assert_eq!(first(".. a  b ").as_str(), "a-b");
        for text in ["", "deadbeef", "xn--bcher-kva", "é", &"long-".repeat(60), "zzzzz-dz642-000000000000000", "taken"]
        {
            let all: Vec<FriendlyName> = suggestions(text).collect();
            assert!(all.len() >= 8 && all == suggestions(text).collect::<Vec<_>>(), "{text}: {all:?}");
            assert!(all.iter().all(|name| name.to_string() != text), "{text}: {all:?}");
        }
        let long = first(&"a".repeat(70));
        assert!(long.len() == 63 && long.starts_with("aaaa") && long.get(56..57) == Some("-"), "{long}");
    }
}
