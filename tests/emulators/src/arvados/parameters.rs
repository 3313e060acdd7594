//! Parameters of a request: query, form, and JSON body.

use http::request::Parts;
use http::{Method, header};
use serde_json::{Map, Value};

use super::error::ApiError;

/// What a request asks with.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Map<String, Value>);

/// The method that is meant, which long requests say in a header, and all parameters.
///
/// # Errors
/// The body is not what it says.
pub(super) fn read(head: &Parts, body: &[u8]) -> Result<(Method, Parameters), ApiError> {
    let mut fields = Map::new();
    form(head.uri.query().unwrap_or_default(), &mut fields);
    let content = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content.starts_with("application/x-www-form-urlencoded") {
        form(&String::from_utf8_lossy(body), &mut fields);
    } else if !body.is_empty() {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(object)) => fields.extend(object),
            _ => return Err(ApiError::invalid("the body is no JSON object")),
        }
    }
    let overridden = head.headers.get("x-http-method-override");
    let method = match overridden.and_then(|value| Method::from_bytes(value.as_bytes()).ok()) {
        Some(method) if head.method == Method::POST => method,
        _ => head.method.clone(),
    };
    Ok((method, Parameters(fields)))
}

// === impl Parameters ===

impl Parameters {
    /// A parameter. What came as text may be JSON, as in a query.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, ApiError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map(Some)
                .map_err(|_| ApiError::invalid(format!("parameter {name} is no JSON: {text}"))),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.json(name)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(ApiError::invalid(format!("parameter {name} is no list"))),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let text = |item: Value| match item {
            Value::String(text) => Ok(text),
            _ => Err(ApiError::invalid(format!("parameter {name} has something other than texts"))),
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, ApiError> {
        match self.json(name)? {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(ApiError::invalid(format!("parameter {name} is no number"))),
            },
        }
    }

    /// A text as it came.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// All of them.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn form(text: &str, fields: &mut Map<String, Value>) {
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.insert(decode(name), Value::String(decode(value)));
    }
}

/// What `%41+b` says.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (other, _) => {
                bytes.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
