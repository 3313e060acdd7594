//! Whose words a reply through the controller is: the job's, or those of the cluster.
//!
//! The cluster's have addresses of servers inside it, so they are not shown; the job's always are. Two speak for the
//! cluster. The controller refuses in JSON, with a list of texts, and without the line of `Vary` that a reply from a
//! container has unless the job wrote its own. What stands beside a container fails in plain text, with that line.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use serde::Deserialize;

use crate::arvados::relay::headers::is_marked;

/// As far as an error's text is looked at.
const ENOUGH: usize = 64 << 10;
/// How a list of texts begins, where it is longer.
const BEGINNING: &[u8] = br#"{"errors":[""#;

/// Whose words a reply is.
#[derive(Debug)]
pub enum Authorship {
    /// The cluster's: its status is all that counts.
    Cluster(StatusCode),
    /// The job's.
    Job(Response<Body>),
}

/// What the controller says.
#[derive(Deserialize)]
struct Refusal {
    errors: Vec<String>,
}

impl Authorship {
    /// Whose words that reply is.
    pub async fn of(reply: Response<Body>) -> Self {
        let (status, headers) = (reply.status(), reply.headers());
        let is_error = status.is_client_error() || status.is_server_error();
        if !is_error || !has(headers, &header::X_CONTENT_TYPE_OPTIONS, "nosniff") {
            return Self::Job(reply);
        }
        if is_marked(headers) {
            let is_failure = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE);
            let is_cluster = is_failure && has(headers, &header::CONTENT_TYPE, "text/plain");
            return if is_cluster { Self::Cluster(status) } else { Self::Job(reply) };
        }
        if !has(headers, &header::CONTENT_TYPE, "application/json") {
            return Self::Job(reply);
        }
        let (head, mut body) = reply.into_parts();
        let (mut start, mut is_whole) = (BytesMut::new(), false);
        while start.len() < ENOUGH && !is_whole {
            match body.frame().await {
                Some(Ok(frame)) => start.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                // An error's text that broke off: nobody misses it.
                Some(Err(_)) => return Self::Cluster(status),
                None => is_whole = true,
            }
        }
        let is_cluster = if is_whole { is_refusal(&start) } else { start.starts_with(BEGINNING) };
        if is_cluster {
            return Self::Cluster(status);
        }
        Self::Job(Response::from_parts(head, joined(start.freeze(), body)))
    }
}

fn is_refusal(text: &[u8]) -> bool {
    serde_json::from_slice::<Refusal>(text).is_ok_and(|refusal| !refusal.errors.is_empty())
}

/// Whether a header says that, whatever else it says after `;`.
fn has(headers: &HeaderMap, name: &HeaderName, expected: &str) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
}

/// A body of which the start was read.
fn joined(start: Bytes, rest: Body) -> Body {
    let start = stream::once(async move { Ok::<_, axum::Error>(start) });
    Body::from_stream(start.chain(rest.into_data_stream()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json");
    const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
    const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");
    const MARK: (&str, &str) = ("vary", "X-Webdav-Prefix");
    const OWN: (&str, &str) = ("vary", "accept");

    /// What of a reply is shown.
    async fn shown(status: u16, lines: &[(&str, &str)], text: String) -> Option<Vec<u8>> {
        let mut reply = Response::builder().status(status);
        for (name, value) in lines {
            reply = reply.header(*name, *value);
        }
        match Authorship::of(reply.body(Body::from(text)).expect("a reply")).await {
            Authorship::Cluster(seen) => {
                assert_eq!(seen, status);
                None
            }
            Authorship::Job(reply) => Some(reply.into_body().collect().await.expect("a body").to_bytes().to_vec()),
        }
    }

    #[tokio::test]
    async fn the_clusters_words_are_known_by_their_shape() {
        let list = r#"{"errors":["//railsapi.internal/: 401"]}"#;
        let long = format!(r#"{{"errors":["{}"]}}"#, "x".repeat(2 * ENOUGH));
        let with_token = r#"{"error_token":"1+a","errors":["x"]}"#;
        for (status, lines, text) in [
            (500, &[JSON, NOSNIFF][..], list),
            (403, &[JSON, NOSNIFF], list),
            (404, &[JSON, NOSNIFF], with_token),
            (500, &[JSON, NOSNIFF], &long),
            (502, &[TEXT, NOSNIFF, MARK], "Get \"http://172.17.0.2:9/\""),
            (503, &[TEXT, NOSNIFF, MARK], "container has no IP address"),
        ] {
            assert_eq!(shown(status, lines, text.into()).await, None, "{status} {lines:?}");
        }
    }

    #[tokio::test]
    async fn all_else_is_the_jobs_and_is_whole() {
        let list = r#"{"errors":["mine"]}"#;
        let objects = r#"{"errors":[{"title":"mine"}]}"#;
        let long = "x".repeat(3 * ENOUGH);
        for (status, lines, text) in [
            (200, &[JSON, NOSNIFF][..], list),
            (400, &[JSON, OWN], list),
            (400, &[JSON, NOSNIFF, MARK], list),
            (400, &[JSON, NOSNIFF, OWN], objects),
            (400, &[JSON, NOSNIFF, OWN], r#"{"errors":[]}"#),
            (500, &[JSON, NOSNIFF, OWN], &long),
            (500, &[TEXT, NOSNIFF, MARK], "mine"),
            (502, &[TEXT, NOSNIFF, OWN], "mine"),
            (503, &[TEXT, MARK], "mine"),
        ] {
            assert_eq!(shown(status, lines, text.into()).await.as_deref(), Some(text.as_bytes()), "{status} {lines:?}");
        }
    }
}
