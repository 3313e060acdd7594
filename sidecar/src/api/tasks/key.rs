//! `Idempotency-Key`: what a client calls a request, so that it may send it again when it did not get the answer.
//!
//! A structured string as the draft has it (`"…"`), or the same without quotes, as most clients send it.

use axum::http::{HeaderMap, HeaderName};

use crate::api::problem::Problem;

/// The header.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// The key of a request.
///
/// # Errors
/// A [`Problem`] if it is none, or if there are two.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().ok().and_then(|line| read(line.trim())),
        (Some(_), Some(_)) => None,
    };
    let detail = || format!("`Idempotency-Key` must be one text of 1 to {MAX_KEY} visible characters, quoted or not");
    key.map(Some).ok_or_else(|| Problem::malformed(detail()))
}

fn read(line: &str) -> Option<String> {
    let key = match line.strip_prefix('"') {
        Some(quoted) => unquoted(quoted.strip_suffix('"')?)?,
        None if line.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,;".contains(&byte)) => line.to_owned(),
        None => return None,
    };
    (1..=MAX_KEY).contains(&key.len()).then_some(key)
}

fn unquoted(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => key.push(letters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return None,
            ' '..='~' => key.push(letter),
            _ => return None,
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_quotes_and_without() {
        assert_eq!(read("8e03978e-40d5-43dd-bc93-6894a57f9324"), read("\"8e03978e-40d5-43dd-bc93-6894a57f9324\""));
        assert_eq!(read(r#""a \"b\" \\ c""#).as_deref(), Some(r#"a "b" \ c"#));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "\"\"", "\"", "\"a", "a\"", "a b", "a,b", "a;b", r#""a\x""#, r#""a\"#, "\"a\"b\"", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(read(&"k".repeat(MAX_KEY)).is_some() && read(&"k".repeat(MAX_KEY + 1)).is_none());
    }
}
