//! Responses that more than one job gives.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use serde_json::{Value, json};

/// A response's body, whatever it is made of.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// A response of text.
pub(crate) fn text(status: StatusCode, text: String) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", full(text))
}

/// A response of JSON.
pub(crate) fn value(value: &Value) -> Response<Body> {
    typed(StatusCode::OK, "application/json", full(value.to_string()))
}

/// A response of that media type.
pub(crate) fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

/// All headers in the order in which they came (lines of one name together), each byte of a value one
/// character.
pub(crate) fn header_pairs(headers: &HeaderMap) -> Value {
    let latin1 = |value: &[u8]| value.iter().map(|byte| char::from(*byte)).collect::<String>();
    headers.iter().map(|(name, value)| json!([name.as_str(), latin1(value.as_bytes())])).collect()
}

/// The error of a body that has none.
pub(crate) fn never(never: Infallible) -> hyper::Error {
    match never {}
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(never).boxed_unsync()
}
