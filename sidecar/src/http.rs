//! Asking other HTTP services, bounded in time and size.

pub mod reach;

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode};
use thiserror::Error;
use url::Url;

use crate::telemetry::trace;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no answer. It never quotes the request.
#[derive(Debug, Error)]
pub enum HttpError {
    /// No client could be made.
    #[error("no HTTP client: {0}")]
    Client(reqwest::Error),
    /// The exchange failed.
    #[error("{0}")]
    Exchange(String),
    /// The answer is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// Text that is no address of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no http:// or https:// address without a user name")]
pub struct InvalidUrl;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads the address of a service.
///
/// # Errors
/// [`InvalidUrl`].
pub fn parse_url(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text).map_err(|_| InvalidUrl)?;
    let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if plain && anonymous { Ok(url) } else { Err(InvalidUrl) }
}

/// A client whose exchanges take at most `timeout`. It follows no redirect: what it carries is for
/// the configured service alone.
///
/// # Errors
/// [`HttpError::Client`].
pub fn client(timeout: Duration) -> Result<Client, HttpError> {
    builder(timeout).build().map_err(HttpError::Client)
}

/// The same for connections that become something else than HTTP, which only HTTP/1.1 allows.
///
/// # Errors
/// [`HttpError::Client`].
pub fn upgradable(timeout: Duration) -> Result<Client, HttpError> {
    builder(timeout).http1_only().build().map_err(HttpError::Client)
}

fn builder(timeout: Duration) -> ClientBuilder {
    plain(timeout).timeout(timeout)
}

/// What every client has. It does not bound how long an exchange takes, but for its first part.
fn plain(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("taskgate/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// [`HttpError`].
pub async fn exchange(request: RequestBuilder) -> Result<Answer, HttpError> {
    exchange_within(request, MAX_ANSWER).await
}

/// The same, with an answer of at most `limit` bytes.
///
/// # Errors
/// [`HttpError`].
pub async fn exchange_within(request: RequestBuilder, limit: usize) -> Result<Answer, HttpError> {
    let mut response = trace::send(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(HttpError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

fn failed(error: &reqwest::Error) -> HttpError {
    HttpError::Exchange(explain(error))
}

/// An error's own words and those of its innermost cause; never the address, which may have secrets.
#[must_use]
pub fn explain(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "can't connect"
    } else {
        "the exchange failed"
    };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        assert!(parse_url("https://idp.example.test/keys?x=1").is_ok());
        for text in
            ["", "idp.example.test", "ftp://a/", "file:///etc/passwd", "http://", "https://a:b@c/", "https://a@c/"]
        {
            assert_eq!(parse_url(text), Err(InvalidUrl), "{text}");
        }
    }
}
