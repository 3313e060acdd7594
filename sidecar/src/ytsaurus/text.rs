//! Text as YTsaurus puts it into JSON.
//!
//! Strings there are bytes. With `encode_utf8`, which is on unless someone turns it off, JSON has one
//! character from U+0000 to U+00FF for each byte, in both directions: that never fails, whatever
//! bytes a user put into an annotation.

use serde_json::{Map, Value};

/// The text that JSON from the cluster stands for; none where its bytes are not UTF-8.
#[must_use]
pub fn decode(json: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = json.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The text that a key of an object stands for. Keys that start like JSON's own special ones have one
/// `$` more than they should.
#[must_use]
pub fn decode_key(json: &str) -> Option<String> {
    decode(if json.starts_with("$$") { json.get(1..)? } else { json })
}

/// Text in the form in which the cluster takes it.
#[must_use]
pub fn encode(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// A value with all its strings in the form in which the cluster takes them. Keys are ours and ASCII.
#[must_use]
pub fn encode_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(encode(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(encode_value).collect()),
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.into_iter().map(|(key, value)| (key, encode_value(value))).collect();
            Value::Object(fields)
        }
        other => other,
    }
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

/// JSON that can stand in a header: ASCII alone.
#[must_use]
pub fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_travel_as_characters() {
        assert_eq!(encode("é"), "\u{c3}\u{a9}");
        assert_eq!(decode("\u{c3}\u{a9}").as_deref(), Some("é"));
        assert_eq!(decode("\u{ff}"), None);
        assert_eq!(decode("\u{100}"), None);
        assert_eq!(decode_key("$$value").as_deref(), Some("$value"));
    }

    #[test]
    fn headers_are_ascii() {
        let value = encode_value(json!({"path": "//home/é", "list": ["\u{1f600}", 1]}));
        let text = ascii(&value);
        assert_eq!(text, r#"{"list":["\u00f0\u009f\u0098\u0080",1],"path":"//home/\u00c3\u00a9"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }

    proptest! {
        #[test]
        fn all_text_comes_back(text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }
    }
}
