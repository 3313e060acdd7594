//! Talking to the API of tasks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reqwest::header::{AUTHORIZATION, ETAG, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::config::resolve::MAX_SECRET_BYTES;
use crate::file;
use crate::http::{self, HttpError};
use crate::tasks::operations::words;
use crate::tasks::row::TaskId;

/// The largest answer: a task with its arguments and its result.
const MAX_ANSWER: usize = 16 << 20;
/// How long an exchange may take. The longest wait that the API allows fits in.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The most characters of what a server says.
const MAX_WORDS: usize = 2_000;

/// Where tasks are, and who asks.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// where tasks are asked for, as in `https://data.example.test`
    #[arg(long, value_name = "URL", env = "TASKGATE_SERVER")]
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
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    credential: Option<HeaderValue>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) json: Value,
    /// What tells this version of it from others.
    pub(super) tag: Option<HeaderValue>,
}

/// What came of asking for a task.
#[derive(Debug)]
pub(super) enum Tried {
    Answer(Answer),
    /// It was deleted; what the server says.
    Gone(String),
    /// It is as it was.
    Unchanged,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It may be there a moment later.
    #[error("can't reach the server: {0}")]
    Exchange(HttpError),
    /// The server says no.
    #[error("the server answered {status}: {words}")]
    Refused { status: u16, words: String },
    /// It is not what is expected.
    #[error("the answer is not what is expected; is `--server` right?")]
    Unreadable,
}

impl Server {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
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
        Ok(Client { http: http::client(TIMEOUT)?, server, credential: credential.transpose()? })
    }
}

fn secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(file::read_text(path, MAX_SECRET_BYTES)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

impl Client {
    /// Asks for a page of tasks.
    pub(super) async fn tasks(&self, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut url = self.at("/tasks");
        url.query_pairs_mut().extend_pairs(query);
        self.page(url).await
    }

    /// Asks for the page that an answer named.
    pub(super) async fn next(&self, named: &str) -> anyhow::Result<Answer> {
        let mut url = self.at("/tasks");
        // Its path may be one in front of a proxy; the server is the one that was asked.
        url.set_query(named.split_once('?').map(|(_, query)| query));
        self.page(url).await
    }

    /// Asks for a task to be done.
    pub(super) async fn submit(&self, request: &Value, key: Option<&HeaderValue>) -> anyhow::Result<Answer> {
        let mut call = self.http.post(self.at("/tasks")).json(request);
        if let Some(key) = key {
            call = call.header("idempotency-key", key.clone());
        }
        whole(self.ask(call).await?)
    }

    /// Asks about a task.
    pub(super) async fn task(
        &self,
        method: Method,
        id: TaskId,
        below: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Tried, NoAnswer> {
        let call = self.http.request(method, self.at(&format!("/tasks/{id}{below}")));
        self.ask(headers.iter().fold(call, |call, (name, value)| call.header(name, value.clone()))).await
    }

    async fn page(&self, url: Url) -> anyhow::Result<Answer> {
        whole(self.ask(self.http.get(url)).await?)
    }

    async fn ask(&self, call: reqwest::RequestBuilder) -> Result<Tried, NoAnswer> {
        let call = match &self.credential {
            Some(credential) => call.header(AUTHORIZATION, credential.clone()),
            None => call,
        };
        let answer = http::exchange_within(call, MAX_ANSWER).await.map_err(NoAnswer::Exchange)?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(Tried::Unchanged),
            StatusCode::GONE => Ok(Tried::Gone(says(&answer.body))),
            status if status.is_success() => {
                let json = serde_json::from_slice(&answer.body).map_err(|_| NoAnswer::Unreadable)?;
                Ok(Tried::Answer(Answer { json, tag: answer.headers.get(ETAG).cloned() }))
            }
            status => Err(NoAnswer::Refused { status: status.as_u16(), words: says(&answer.body) }),
        }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("{}{path}", self.server.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    }
}

impl NoAnswer {
    /// Whether there may be one a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Exchange(error) => matches!(error, HttpError::Exchange(_)),
            Self::Refused { status, .. } => *status == 429 || (500..600).contains(status),
            Self::Unreadable => false,
        }
    }
}

/// An answer that is neither of something deleted nor of something that did not change.
fn whole(tried: Tried) -> anyhow::Result<Answer> {
    match tried {
        Tried::Answer(answer) => Ok(answer),
        Tried::Gone(words) => bail!("{words}"),
        Tried::Unchanged => Err(NoAnswer::Unreadable.into()),
    }
}

/// What a problem's body says.
fn says(body: &[u8]) -> String {
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
}
