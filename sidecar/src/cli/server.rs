//! Talking to a server's API: tasks, or data.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{Clock as _, SystemClock};
use crate::config::resolve::MAX_SECRET_BYTES;
use crate::file;
use crate::http::{self, Answer, HttpError};
use crate::tasks::operations::words;

/// The largest answer: a task with its arguments and its result.
const MAX_ANSWER: usize = 16 << 20;
/// How long an exchange may take. The longest wait that the API of tasks allows fits in.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The most characters of what a server says.
const MAX_WORDS: usize = 2_000;

/// Where the server is, and who asks.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// where the API is, as in `https://data.example.test`
    #[arg(long, visible_alias = "endpoint", value_name = "URL", env = "TASKGATE_SERVER")]
    server: String,
    /// who you are there
    #[arg(long, value_name = "NAME", env = "TASKGATE_USER", requires = "password_file")]
    user: Option<String>,
    /// a file with your password
    #[arg(long, value_name = "FILE", env = "TASKGATE_PASSWORD_FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// a file with your token
    #[arg(long, value_name = "FILE", env = "TASKGATE_TOKEN_FILE", conflicts_with_all = ["user", "password_file"])]
    token_file: Option<PathBuf>,
}

/// A server that can be asked.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    credential: Option<HeaderValue>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It may be there a moment later.
    #[error("can't reach the server: {0}")]
    Exchange(HttpError),
    /// The server says no.
    #[error("the server answered {status}: {words}")]
    Refused {
        status: u16,
        words: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// It is not what is expected.
    #[error("the answer is not what is expected; is `--server` right?")]
    Unreadable,
}

impl Server {
    /// A server that takes tokens.
    pub(super) fn at(server: String, token_file: Option<PathBuf>) -> Self {
        Self { server, user: None, password_file: None, token_file }
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        self.client_of(http::client(TIMEOUT)?)
    }

    /// The same with another HTTP client.
    pub(super) fn client_of(&self, http: reqwest::Client) -> anyhow::Result<Client> {
        let server = http::parse_url(&self.server).with_context(|| format!("`--server {}`", self.server))?;
        let credential = match (&self.user, &self.password_file, &self.token_file) {
            (Some(user), Some(path), _) => {
                if user.contains(':') {
                    bail!("`--user`: a name with a colon can't be sent");
                }
                let pair = Zeroizing::new(format!("{user}:{}", *secret(path)?));
                Some(Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))))
            }
            (_, _, Some(path)) => Some(Zeroizing::new(format!("Bearer {}", *secret(path)?))),
            _ => None,
        };
        let credential = credential.map(|text| {
            let mut value = HeaderValue::from_str(&text).context("the token has characters that can't be sent")?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        });
        Ok(Client { http, server, credential: credential.transpose()? })
    }
}

fn secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(file::read_text(path, MAX_SECRET_BYTES)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

impl Client {
    /// A request to that path, with the credential.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(method, self.at(path))
    }

    /// A request to an address of [`Self::at`], with the credential.
    pub(super) fn request_to(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.credential {
            Some(credential) => request.header(AUTHORIZATION, credential.clone()),
            None => request,
        }
    }

    /// Where a path of the API is.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("{}{path}", self.server.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    }
}

/// Sends a request; what is answered, whatever its status.
pub(super) async fn answer(request: RequestBuilder) -> Result<Answer, NoAnswer> {
    http::exchange_within(request, MAX_ANSWER).await.map_err(NoAnswer::Exchange)
}

/// Sends a request and reads the JSON of an answer that says yes.
pub(super) async fn json<T: serde::de::DeserializeOwned>(request: RequestBuilder) -> Result<T, NoAnswer> {
    let answer = answer(request).await?;
    if !answer.status.is_success() {
        return Err(NoAnswer::refused(&answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| NoAnswer::Unreadable)
}

impl NoAnswer {
    /// An answer that says no.
    pub(super) fn refused(answer: &Answer) -> Self {
        Self::Refused {
            status: answer.status.as_u16(),
            words: says(&answer.body),
            retry_after: retry_after(&answer.headers),
        }
    }

    /// Whether there may be one a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Exchange(error) => matches!(error, HttpError::Exchange(_)),
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..600),
            Self::Unreadable => false,
        }
    }

    /// When the server wants to be asked again, where it says so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Exchange(_) | Self::Unreadable => None,
        }
    }

    /// The status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Exchange(_) | Self::Unreadable => None,
        }
    }
}

/// When a server wants to be asked again: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_millis(SystemClock.now().as_millis())))
}

/// What a problem's body says.
pub(super) fn says(body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<Value>(body) else { return "no details".to_owned() };
    let member = |name: &str| problem.get(name).and_then(Value::as_str).map(|text| words::line(text, MAX_WORDS));
    let words = member("detail").or_else(|| member("title")).unwrap_or_else(|| "no details".to_owned());
    match member("taskid") {
        Some(id) => format!("{words} ({id})"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_problem_says_is_one_line() {
        assert_eq!(says(br#"{"title":"Gone","detail":"it\nwas","taskid":"1"}"#), "it was (1)");
        assert_eq!(says(br#"{"title":"Gone"}"#), "Gone");
        assert_eq!(says(b"<html>"), "no details");
    }

    #[test]
    fn a_server_may_be_below_a_path() {
        let client = |server: &str| Client {
            http: http::client(TIMEOUT).expect("a client"),
            server: server.parse().expect("a URL"),
            credential: None,
        };
        assert_eq!(client("http://x").at("/tasks").as_str(), "http://x/tasks");
        assert_eq!(client("http://x/hsds/?a#b").at("/tasks").as_str(), "http://x/hsds/tasks");
    }

    #[test]
    fn a_server_says_when_to_come_again() {
        let of = |text: &str| retry_after(&[(RETRY_AFTER, text.parse().expect("a value"))].into_iter().collect());
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(of("Fri, 31 Dec 9999 23:59:59 GMT").is_some_and(|wait| wait > Duration::from_secs(1 << 30)));
        assert_eq!((of("soon"), of("-1")), (None, None));
    }
}
