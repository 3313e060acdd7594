//! Answers of HTTP: how errors look, how values are sent, how answers go wrong.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::error::ClusterError;
use crate::yson::{JsonOptions, Yson};

/// The body of an answer.
pub(super) type Body = Full<Bytes>;

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) ending: Ending,
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    Whole,
    /// In the middle of the body.
    Truncated,
    /// In the middle of the body, in good order, with an error in the trailers.
    Trailers(ClusterError),
    /// Before it begins.
    Nothing,
}

// === impl Answer ===

impl Answer {
    /// An answer without headers of its own.
    pub(super) fn new(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type);
        Self { status, headers, body, ending: Ending::Whole }
    }

    /// A value as JSON with default options, which is what everything but commands answers with.
    pub(super) fn json(status: StatusCode, value: &Yson) -> Self {
        let body = value.to_json(&JsonOptions::default()).unwrap_or_default();
        Self::new(status, HeaderValue::from_static("application/json"), body)
    }

    /// An error, in the body and in headers.
    pub(super) fn error(status: StatusCode, error: &ClusterError) -> Self {
        let mut answer = Self::json(status, &error.to_yson());
        for (name, value) in error_headers(error) {
            answer.headers.insert(name, value);
        }
        answer
    }

    /// 503, with when to come back.
    pub(super) fn unavailable(error: &ClusterError, retry_after_secs: u64) -> Self {
        let mut answer = Self::error(StatusCode::SERVICE_UNAVAILABLE, error);
        answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_secs));
        answer
    }

    /// Nothing: the connection closes.
    pub(super) fn nothing() -> Self {
        let mut answer = Self::new(StatusCode::OK, HeaderValue::from_static(""), Vec::new());
        answer.ending = Ending::Nothing;
        answer
    }

    /// As hyper sends it, whole.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// Byte by byte, as hyper would not send it: half of the body, and then nothing, or trailers, which hyper
    /// sends only to those that ask for them and YTsaurus to all.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} OK\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            line(&mut out, name.as_str(), value.as_bytes());
        }
        line(&mut out, "connection", b"close");
        let half = self.body.get(..self.body.len() / 2).unwrap_or_default();
        let Ending::Trailers(error) = self.ending else {
            line(&mut out, "content-length", self.body.len().to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(half);
            return out;
        };
        line(&mut out, "transfer-encoding", b"chunked");
        line(&mut out, "trailer", b"X-YT-Error, X-YT-Response-Code, X-YT-Response-Message");
        out.extend_from_slice(b"\r\n");
        if !half.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", half.len()).as_bytes());
            out.extend_from_slice(half);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in error_headers(&error) {
            line(&mut out, name.as_str(), value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// An error as headers have it, or trailers.
fn error_headers(error: &ClusterError) -> [(HeaderName, HeaderValue); 3] {
    let json = error.to_yson().to_json(&JsonOptions::default()).unwrap_or_default();
    let message: String = error.message.chars().flat_map(char::escape_default).collect();
    // What can't be in a header is not in it; the body has it.
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static(""));
    [
        (HeaderName::from_static("x-yt-error"), value(&json)),
        (HeaderName::from_static("x-yt-response-code"), HeaderValue::from(error.code)),
        (HeaderName::from_static("x-yt-response-message"), value(message.as_bytes())),
    ]
}
