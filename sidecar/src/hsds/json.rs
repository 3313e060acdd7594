//! The JSON that HSDS speaks: with `NaN` and `Infinity`, which JSON does not have.
//!
//! Such a number becomes an object with one key, `{"$float": "NaN"}`, which no value of HSDS is, and is
//! written as it came. Every other number keeps its exact value.

use serde::Serialize;
use serde_json::Value;

/// Numbers that JSON does not have, and what stands for them here. The longer name comes first.
const NUMBERS: [(&[u8], &[u8]); 3] = [
    (b"-Infinity", br#"{"$float":"-Infinity"}"#),
    (b"Infinity", br#"{"$float":"Infinity"}"#),
    (b"NaN", br#"{"$float":"NaN"}"#),
];

/// Reads a text. It is bounded by its size, and not nested deeper than 128 levels.
///
/// # Errors
/// It is no JSON, apart from those numbers.
pub fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    match with_objects(bytes) {
        Some(bytes) => serde_json::from_slice(&bytes),
        None => serde_json::from_slice(bytes),
    }
}

/// Writes a value as HSDS reads it.
#[must_use]
pub fn write(value: &impl Serialize) -> Vec<u8> {
    // A value of JSON is always writable: its keys are texts.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut written = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some((byte, after)) = rest.split_first() {
        // Inside of a text the quotes would have a backslash before them.
        let number = NUMBERS.iter().find_map(|(name, object)| Some((name, rest.strip_prefix(*object)?)));
        if let Some((name, after)) = number.filter(|_| *byte == b'{') {
            written.extend_from_slice(name);
            rest = after;
        } else {
            written.push(*byte);
            rest = after;
        }
    }
    written
}

/// What a value is as a number, be it one that JSON does not have.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Object(object) => match object.get("$float")?.as_str()? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A number as a value, be it one that JSON does not have.
#[must_use]
pub fn of_number(number: f64) -> Value {
    let name = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    serde_json::Number::from_f64(number).map_or_else(|| serde_json::json!({ "$float": name }), Value::Number)
}

/// The text with objects for the numbers that JSON does not have; none where there are no such numbers.
fn with_objects(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut written: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    let mut is_text = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => is_text = !is_text,
            b'\\' if is_text => at += 1,
            b'-' | b'I' | b'N' if !is_text => {
                let rest = bytes.get(at..).unwrap_or_default();
                if let Some((name, object)) = NUMBERS.iter().find(|(name, _)| rest.starts_with(name)) {
                    let written = written.get_or_insert_with(|| Vec::with_capacity(bytes.len() + 64));
                    written.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
                    written.extend_from_slice(object);
                    at += name.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let mut written = written?;
    written.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_come_back_as_they_were() {
        let text = r#"{"a":[NaN,-Infinity,Infinity,-1.5,null],"s":"NaN, \"NaN\" and -Infinity\\"}"#;
        let value = read(text.as_bytes()).expect("JSON");
        assert_eq!(String::from_utf8(write(&value)).as_deref(), Ok(text));
        let numbers: Vec<Option<f64>> = value["a"].as_array().expect("a list").iter().map(number).collect();
        assert!(numbers[0].is_some_and(f64::is_nan));
        assert_eq!(numbers[1..], [Some(f64::NEG_INFINITY), Some(f64::INFINITY), Some(-1.5), None]);
        assert_eq!(value["s"], "NaN, \"NaN\" and -Infinity\\");
    }

    #[test]
    fn a_text_that_looks_like_such_a_number_stays_a_text() {
        for text in [r#""{\"$float\":\"NaN\"}""#, r#""NaN""#, r#"["","NaN","\\"]"#] {
            let value = read(text.as_bytes()).expect("JSON");
            assert_eq!(String::from_utf8(write(&value)).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "NaNNaN", "[NaN", "[nan]", "\"NaN", "{NaN:1}", "-", "[-Inf]"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn numbers_keep_their_exact_value() {
        for number in [0.1_f32.into(), 5e-324, f64::MAX, 1.000_000_000_000_000_2, -0.0, 123_456_789.123_456_78] {
            let value = read(format!("{number:?}").as_bytes()).expect("JSON");
            assert_eq!(value.as_f64().map(f64::to_bits), Some(number.to_bits()));
            assert_eq!(self::number(&of_number(number)).map(f64::to_bits), Some(number.to_bits()));
        }
        assert_eq!(read(b"18446744073709551615").expect("JSON").as_u64(), Some(u64::MAX));
    }
}
