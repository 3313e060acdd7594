//! From JSON to values, the way the server reads it.

use serde_json::{Deserializer, Number, Value};

use super::JsonError;
use super::value::{Node, Yson, YsonMap};

/// Exactly one value.
pub(super) fn value(json: &[u8], encode_utf8: bool) -> Result<Yson, JsonError> {
    let value = serde_json::from_slice(json).map_err(|error| JsonError::Syntax(error.to_string()))?;
    read(value, encode_utf8)
}

/// Values one after the other.
pub(super) fn rows(json: &[u8], encode_utf8: bool) -> Result<Vec<Yson>, JsonError> {
    let documents = Deserializer::from_slice(json).into_iter::<Value>();
    documents
        .map(|document| read(document.map_err(|error| JsonError::Syntax(error.to_string()))?, encode_utf8))
        .collect()
}

fn read(value: Value, encode_utf8: bool) -> Result<Yson, JsonError> {
    let node = match value {
        Value::Null => Node::Entity,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => read_number(&number),
        Value::String(text) => Node::String(read_string(text, encode_utf8)?),
        Value::Array(items) => {
            Node::List(items.into_iter().map(|item| read(item, encode_utf8)).collect::<Result<_, _>>()?)
        }
        Value::Object(mut fields) if fields.contains_key("$attributes") || fields.contains_key("$value") => {
            let attributes = fields.remove("$attributes").unwrap_or(Value::Object(serde_json::Map::new()));
            let Value::Object(attributes) = attributes else { return Err(JsonError::Attributes) };
            let inner = read(fields.remove("$value").ok_or(JsonError::Attributes)?, encode_utf8)?;
            return Ok(Yson { attributes: read_fields(attributes, encode_utf8)?, node: inner.node });
        }
        Value::Object(fields) => Node::Map(read_fields(fields, encode_utf8)?.into()),
    };
    Ok(node.into())
}

fn read_fields(fields: serde_json::Map<String, Value>, encode_utf8: bool) -> Result<YsonMap, JsonError> {
    fields
        .into_iter()
        .map(|(key, value)| {
            let name = key.strip_prefix('$').map_or_else(|| key.clone(), str::to_owned);
            Ok((read_string(name, encode_utf8)?, read(value, encode_utf8)?))
        })
        .collect()
}

fn read_number(number: &Number) -> Node {
    if let Some(signed) = number.as_i64() {
        Node::Int64(signed)
    } else if let Some(unsigned) = number.as_u64() {
        Node::Uint64(unsigned)
    } else {
        Node::Double(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn read_string(text: String, encode_utf8: bool) -> Result<Vec<u8>, JsonError> {
    if !encode_utf8 || text.is_ascii() {
        return Ok(text.into_bytes());
    }
    text.chars().map(|letter| u8::try_from(letter).map_err(|_| JsonError::NotBytes)).collect()
}
