//! A log that an HTTP service sends, under an address that an operator allowed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::data::error::DataError;
use crate::data::logs::settings::LogSettings;
use crate::data::logs::{PIECE, Piece, Source};
use crate::http::{InvalidUrl, explain, parse_url};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the service may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent connection is looked after.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What an address may start with.
///
/// Invariant: its path ends with `/`, and it has no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPrefix(Url);

impl HttpPrefix {
    /// Reads a prefix; its last part counts whole.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let mut url = parse_url(text)?;
        if url.query().is_some() || url.fragment().is_some() || has_hidden_slash(&url) {
            return Err(InvalidUrl);
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// Whether an address is under it.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        self.0.origin() == url.origin() && url.path().starts_with(self.0.path()) && !has_hidden_slash(url)
    }
}

/// Whether a service that decodes the path first would see more slashes in it, and so perhaps another path.
fn has_hidden_slash(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    ["%2f", "%5c", "%00", "%25"].iter().any(|hidden| path.contains(hidden))
}

/// A client for logs. There is no limit to how long a log takes, and no redirect is followed.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("taskgate/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .build()
}

/// What a service sends.
#[derive(Debug)]
pub(super) struct HttpLog {
    response: Response,
    waiting: Bytes,
}

impl HttpLog {
    /// Asks a service for a log.
    pub(super) async fn open(settings: &LogSettings, client: &Client, address: &str) -> Result<Self, DataError> {
        let url = parse_url(address).map_err(|error| DataError::Internal(format!("the log's address {error}")))?;
        if !settings.prefixes.iter().any(|prefix| prefix.covers(&url)) {
            return Err(DataError::Internal("the log's address is under none that `data.logs.http` allows".into()));
        }
        let request = client.get(url).header(ACCEPT, HeaderValue::from_static("text/plain")).send();
        let response = tokio::time::timeout(ANSWER_TIMEOUT, request)
            .await
            .map_err(|_| DataError::Unavailable("the service of logs does not answer".into()))?
            .map_err(|error| failed(&error))?;
        match response.status() {
            status if status.is_success() => Ok(Self { response, waiting: Bytes::new() }),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(DataError::NotFound("log not found at its service".into())),
            status => Err(DataError::Unavailable(format!("the service of logs answered {}", status.as_u16()))),
        }
    }
}

#[async_trait]
impl Source for HttpLog {
    async fn next(&mut self) -> Result<Option<Piece>, DataError> {
        while self.waiting.is_empty() {
            match self.response.chunk().await.map_err(|error| failed(&error))? {
                Some(bytes) => self.waiting = bytes,
                None => return Ok(None),
            }
        }
        Ok(Some(Piece::Bytes(self.waiting.split_to(PIECE.min(self.waiting.len())))))
    }
}

fn failed(error: &reqwest::Error) -> DataError {
    DataError::Unavailable(format!("the service of logs: {}", explain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash_and_cannot_be_left() {
        let prefix = HttpPrefix::parse("http://logs.example.test:8080/runs").expect("a prefix");
        let covers = |text: &str| prefix.covers(&Url::parse(text).expect("an address"));
        assert!(covers("http://logs.example.test:8080/runs/a/b?attempt=1"));
        assert!(covers("http://logs.example.test:8080/runs/x y"));
        for outside in [
            "http://logs.example.test:8080/runs",
            "http://logs.example.test:8080/runs-of-others/a",
            "http://logs.example.test:8080/runs/../secret",
            "http://logs.example.test:8080/runs/%2e%2e/secret",
            "http://logs.example.test:8080/runs/..%2fsecret",
            "http://logs.example.test:8080/runs/a%5c..%5cb",
            "http://logs.example.test:8080/runs/%252e%252e%252fb",
            "https://logs.example.test:8080/runs/a",
            "http://logs.example.test/runs/a",
            "http://logs.example.test.evil:8080/runs/a",
        ] {
            assert!(!covers(outside), "{outside}");
        }
        for text in ["ftp://a/", "http://user@a/", "http://a/?x", "http://a/#x", "/runs", "http://a/b%2fc"] {
            assert_eq!(HttpPrefix::parse(text), Err(InvalidUrl), "{text}");
        }
    }
}
