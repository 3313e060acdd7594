//! Signed requests: how they are sent, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::ProgressBar;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::cli::server;
use crate::clock::{Clock as _, SystemClock};
use crate::http;
use crate::secret::SecretText;
use crate::tasks::operations::words;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may move.
const STALLED: Duration = Duration::from_secs(120);
/// The most bytes of an answer that says no.
const MAX_ANSWER: usize = 64 << 10;
/// The most characters of what a store says.
const MAX_WORDS: usize = 500;
/// The shortest part of a URL's query that may be a secret.
const MIN_SECRET: usize = 12;
/// What stores say of a URL that is over.
const OVER: [&str; 5] = [
    "request has expired",
    "expiredtoken",
    "url-expired",
    "signature not valid in the specified time frame",
    "too old",
];

/// A request that the server signed.
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    url: SecretText,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    expires_at: String,
}

/// Why a signed request did not do what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was done before.
    Done,
    /// Another attempt will not go better.
    Final(String),
    /// It may go better in a moment, or when the store wants to be asked again.
    Passing(String, Option<Duration>),
    /// The URL works no more.
    Over(String),
    /// Something is there already.
    Taken(String),
}

impl Failure {
    /// What happened, for people.
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Done => "it was done before".to_owned(),
            Self::Final(words) | Self::Passing(words, _) | Self::Over(words) | Self::Taken(words) => words,
        }
    }
}

/// What sends signed requests. Bodies may take as long as they move.
///
/// # Errors
/// Where there can be none.
pub(super) fn sender() -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("taskgate/", env!("CARGO_PKG_VERSION")))
        // A signature is of one address.
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT);
    builder.build().context("no HTTP client")
}

impl Signed {
    /// The request, with all headers that were signed.
    pub(super) fn request(&self, sender: &reqwest::Client, method: Method) -> Result<RequestBuilder, Failure> {
        let url = http::parse_url(self.url.expose());
        let url = url.map_err(|_| Failure::Final("the server signed an address that is none".to_owned()))?;
        let request = sender.request(method, url);
        Ok(self.headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
    }

    /// The name that the URL's path ends with.
    pub(super) fn name(&self) -> Option<String> {
        let url = http::parse_url(self.url.expose()).ok()?;
        let last = url.path_segments()?.next_back()?.to_owned();
        Some(percent_encoding::percent_decode_str(&last).decode_utf8_lossy().into_owned())
    }

    /// Sends a request of this URL, as long as it moves a bar.
    pub(super) async fn send(&self, request: RequestBuilder, bar: &ProgressBar) -> Result<Response, Failure> {
        let answer = while_moving(bar, request.send()).await?.map_err(|error| unsent(&error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refused(answer, bar).await) }
    }

    async fn refused(&self, mut answer: Response, bar: &ProgressBar) -> Failure {
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER
            && let Ok(Ok(Some(chunk))) = while_moving(bar, answer.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        let is_late = millis(&self.expires_at).is_some_and(|end| SystemClock.now().as_millis() >= end);
        judge(status, &headers, &String::from_utf8_lossy(&body), is_late, self.url.expose())
    }
}

/// A date of RFC 3339, in milliseconds since 1970.
fn millis(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()).ok()
}

/// Waits for something as long as a bar moves meanwhile.
pub(super) async fn while_moving<T>(bar: &ProgressBar, wait: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::pin!(wait);
    loop {
        let before = bar.position();
        tokio::select! {
            outcome = &mut wait => return Ok(outcome),
            () = sleep(STALLED) => {}
        }
        if bar.position() == before {
            return Err(Failure::Passing("nothing moved for too long".to_owned(), None));
        }
    }
}

/// What a request that got no answer means. It never has the address.
pub(super) fn unsent(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::Final("the server signed a request that can't be sent".to_owned());
    }
    Failure::Passing(format!("can't reach the store: {}", http::explain(error)), None)
}

/// What an answer that says no means.
fn judge(status: StatusCode, headers: &HeaderMap, body: &str, is_late: bool, url: &str) -> Failure {
    let words = format!("the store answered {}: {}", status.as_u16(), says(body, url));
    let lower = body.to_lowercase();
    match status.as_u16() {
        400 if lower.contains("<code>requesttimeout</code>") => Failure::Passing(words, None),
        400 | 401 | 403 if is_late || OVER.iter().any(|text| lower.contains(text)) => Failure::Over(words),
        409 if lower.contains("\"name-taken\"") => Failure::Final(words),
        410 if lower.contains("\"upload-done\"") => Failure::Done,
        409 if lower.contains("\"wrong-offset\"") => Failure::Passing(words, None),
        409 | 412 => Failure::Taken(words),
        501 | 505 | 507 => Failure::Final(words),
        408 | 423 | 429 | 500..600 => Failure::Passing(words, server::retry_after(headers)),
        _ => Failure::Final(words),
    }
}

/// What a store says: a problem's detail, or the code and the message of XML. Nothing of the URL's query is in it.
fn says(body: &str, url: &str) -> String {
    let problem: Option<Value> = serde_json::from_str(body).ok();
    let member = |name: &str| problem.as_ref()?.get(name)?.as_str().map(ToOwned::to_owned);
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    };
    let xml = || match (element("Code")?, element("Message")) {
        (code, Some(message)) => Some(format!("{code}: {message}")),
        (code, None) => Some(code),
    };
    let words = member("detail").or_else(|| member("title")).or_else(xml).unwrap_or_default();
    let words = words::line(&words, MAX_WORDS);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut secrets = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    if words.is_empty() || secrets.any(|secret| secret.len() >= MIN_SECRET && words.contains(secret)) {
        return "no details".to_owned();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://s3.example.test/b/k?X-Amz-Signature=0123456789abcdef&X-Amz-Expires=900";

    fn of(status: u16, body: &str, is_late: bool) -> Failure {
        judge(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), body, is_late, URL)
    }

    #[test]
    fn answers_mean_what_stores_mean_by_them() {
        let passing = |status, body| matches!(of(status, body, false), Failure::Passing(..));
        assert!([408, 429, 500, 502, 503, 504].iter().all(|status| passing(*status, "")));
        assert!(passing(400, "<Error><Code>RequestTimeout</Code></Error>"));
        for (status, body) in [
            (403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"),
            (400, "<Error><Code>ExpiredToken</Code></Error>"),
            (400, "Date is too old"),
            (403, "<AuthenticationErrorDetail>Signature not valid in the specified time frame: …"),
            (403, r#"{"code": "url-expired", "detail": "x"}"#),
        ] {
            assert!(matches!(of(status, body, false), Failure::Over(_)), "{body}");
        }
        assert!(matches!(of(403, "<Code>AccessDenied</Code>", false), Failure::Final(_)));
        assert!(matches!(of(403, "<Code>AccessDenied</Code>", true), Failure::Over(_)));
        assert!(matches!(of(412, "", true), Failure::Taken(_)));
        assert!(matches!(of(409, r#"{"code":"name-taken"}"#, false), Failure::Final(_)));
        assert!(passing(409, r#"{"code":"wrong-offset"}"#) && passing(423, ""));
        assert_eq!(of(410, r#"{"code":"upload-done"}"#, false), Failure::Done);
        for status in [301, 400, 404, 413, 501, 507] {
            assert!(matches!(of(status, "", false), Failure::Final(_)), "{status}");
        }
    }

    #[test]
    fn a_store_is_quoted_without_what_is_secret() {
        let words = |body| of(400, body, false).into_words();
        assert_eq!(words(r#"{"detail": "no\u001b[2J way", "title": "x"}"#), "the store answered 400: no [2J way");
        assert_eq!(
            words("<Error><Code>BadDigest</Code><Message>other</Message></Error>"),
            "the store answered 400: BadDigest: other"
        );
        for body in ["", "<html>", r#"{"detail": "0123456789abcdef is wrong"}"#, r#"{"detail": 1}"#] {
            assert_eq!(words(body), "the store answered 400: no details", "{body}");
        }
    }

    #[test]
    fn a_signed_request_does_not_show_its_url() {
        let text = format!(r#"{{"method": "GET", "url": "{URL}", "expires_at": "2026-01-01T00:00:00Z"}}"#);
        let signed: Signed = serde_json::from_str(&text).expect("a request");
        assert!(!format!("{signed:?}").contains("Signature"), "{signed:?}");
        assert_eq!(signed.name().as_deref(), Some("k"));
        assert_eq!(millis(&signed.expires_at), Some(1_767_225_600_000));
    }
}
