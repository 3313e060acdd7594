//! Text as YTsaurus puts it into JSON.
//!
//! Strings there are bytes. With `encode_utf8`, which is on unless someone turns it off, JSON has one
//! character from U+0000 to U+00FF for each byte, in both directions: that never fails, whatever
//! bytes a user put into an annotation.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::{Map, Value};

/// The most characters that a message quotes.
const MAX_SHOWN: usize = 80;

/// The text that JSON from the cluster stands for; none where its bytes are not UTF-8.
#[must_use]
pub fn decode(json: &str) -> Option<String> {
    if json.is_ascii() {
        return Some(json.to_owned());
    }
    let bytes: Option<Vec<u8>> = json.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The text that a key of an object stands for. Keys that start like JSON's own special ones have one
/// `$` more than they should.
#[must_use]
pub fn decode_key(json: &str) -> Option<String> {
    decode(if json.starts_with("$$") { json.get(1..)? } else { json })
}

/// Text of someone else's, for a message: as much of it as someone reads, without control characters.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_SHOWN).collect()
}

/// A value with all its strings and keys as they are meant. Those that are not UTF-8 become null; keys
/// that are not are left out.
#[must_use]
pub fn decode_value(value: Value) -> Value {
    match value {
        Value::String(text) => decode(&text).map_or(Value::Null, Value::String),
        Value::Array(items) => Value::Array(items.into_iter().map(decode_value).collect()),
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.into_iter().filter_map(|(key, value)| Some((decode_key(&key)?, decode_value(value)))).collect();
            Value::Object(fields)
        }
        other => other,
    }
}

/// Appends JSON in the form in which the cluster takes it. It is ASCII alone, so that it can stand in a
/// header too. What has no form in JSON appends nothing.
pub fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    let length = out.len();
    if value.serialize(&mut Serializer::with_formatter(&mut *out, BytesAsCharacters)).is_err() {
        out.truncate(length);
    }
}

/// Writes strings with a character for each byte.
struct BytesAsCharacters;

impl Formatter for BytesAsCharacters {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        fragment.bytes().try_for_each(|byte| match byte {
            0..0x80 => writer.write_all(&[byte]),
            _ => write!(writer, "\\u{byte:04x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn encode(value: &Value) -> String {
        let mut out = Vec::new();
        append(&mut out, value);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn bytes_travel_as_characters() {
        assert_eq!(encode(&json!("\u{e9}")), r#""\u00c3\u00a9""#);
        assert_eq!(decode("\u{c3}\u{a9}").as_deref(), Some("\u{e9}"));
        assert_eq!(decode("\u{ff}"), None);
        assert_eq!(decode("\u{100}"), None);
        assert_eq!(decode_key("$$value").as_deref(), Some("$value"));
    }

    #[test]
    fn what_is_sent_is_ascii() {
        let value = json!({"path": "//home/\u{e9}\n\"\\", "list": ["\u{1f600}", 1]});
        let text = encode(&value);
        assert_eq!(text, r#"{"list":["\u00f0\u009f\u0098\u0080",1],"path":"//home/\u00c3\u00a9\n\"\\"}"#);
        assert_eq!(decode_value(serde_json::from_str(&text).expect("JSON")), value);
    }

    proptest! {
        #[test]
        fn all_text_comes_back(text in any::<String>()) {
            let sent = encode(&json!(text));
            prop_assert!(sent.is_ascii());
            let read: String = serde_json::from_str(&sent).expect("JSON");
            prop_assert_eq!(decode(&read), Some(text));
        }
    }
}
