//! The cluster's API: one call, with its attempts, and listings page by page.
//!
//! A listing ends with an empty page and never with a short one: the cluster shortens pages as it likes. What
//! may go right a moment later is repeated, with growing random waits, until the caller's deadline; where a
//! visitor waits, only an exchange that failed is repeated, once.

pub mod error;
pub mod listing;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::arvados::client::error::CallError;
use crate::arvados::settings::ClusterSettings;
use crate::arvados::token::Token;
use crate::http::HttpError;
use crate::retry;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 64 << 20;
/// Queries that are longer go into the body: servers have bounds on the way.
const MAX_QUERY: usize = 1_500;
/// The longest pause that a cluster can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// How long a call may take with all its attempts, in time-outs of one.
const MAX_TIMEOUTS: u32 = 2;

/// A cluster that can be asked.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keeps connections.
    http: reqwest::Client,
    /// Keeps none: what fails on a kept connection is repeated on a new one.
    fresh: reqwest::Client,
    settings: Arc<ClusterSettings>,
}

/// What is asked of the cluster. All calls read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Below `/arvados/v1/`.
    path: String,
    parameters: Vec<(&'static str, String)>,
    /// The most bytes of an answer.
    most: usize,
}

impl Call {
    /// A call of that path, as in `users/current`.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), parameters: Vec::new(), most: MAX_ANSWER }
    }

    /// With a parameter as JSON.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &serde_json::Value) -> Self {
        self.parameters.push((name, value.to_string()));
        self
    }

    /// With an answer of so many bytes at most.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.most = bytes.min(MAX_ANSWER);
        self
    }

    /// With a parameter as it is.
    #[must_use]
    pub fn with_text(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.push((name, value.to_owned()));
        self
    }
}

impl Client {
    /// A client for a cluster.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: ClusterSettings) -> Result<Self, HttpError> {
        let http = settings.reach.client().build().map_err(HttpError::Client)?;
        let fresh = settings.reach.client().pool_max_idle_per_host(0).build().map_err(HttpError::Client)?;
        Ok(Self { http, fresh, settings: Arc::new(settings) })
    }

    /// The operator's own token.
    #[must_use]
    pub fn own_token(&self) -> &Token {
        &self.settings.token
    }

    /// A call's answer, as that token's holder. What passes is waited for until `deadline`.
    ///
    /// # Errors
    /// [`CallError`]: that of the last attempt.
    pub async fn call<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call,
        deadline: Instant,
    ) -> Result<T, CallError> {
        // However patient the caller: someone waits for news of the failure, too.
        let deadline = deadline.min(Instant::now() + self.settings.reach.timeout * MAX_TIMEOUTS);
        let mut attempt = 0;
        loop {
            let error = match self.attempt(token, call, attempt > 0, deadline).await {
                Ok(body) => return read(&body),
                Err(error) => error,
            };
            attempt += 1;
            let asked = match &error {
                CallError::Unavailable { retry_after: Some(asked), .. } => *asked,
                _ => Duration::ZERO,
            };
            let wait = retry::wait(attempt).max(asked);
            let is_in_time = Instant::now().checked_add(wait).is_some_and(|next| next < deadline);
            if !error.is_passing() || !is_in_time {
                return Err(error);
            }
            tracing::debug!(path = call.path, attempt, %error, "the cluster is asked again");
            tokio::time::sleep(wait).await;
        }
    }

    /// A call's answer for somebody who waits: a visitor's question must not become many of the cluster's. Where
    /// the exchange fails it is repeated once, at once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call,
        deadline: Instant,
    ) -> Result<T, CallError> {
        let body = match self.attempt(token, call, false, deadline).await {
            Err(CallError::Exchange(_)) if Instant::now() < deadline => {
                self.attempt(token, call, true, deadline).await?
            }
            result => result?,
        };
        read(&body)
    }

    async fn attempt(&self, token: &Token, call: &Call, again: bool, deadline: Instant) -> Result<Vec<u8>, CallError> {
        let timeout = self.settings.reach.timeout.min(deadline.saturating_duration_since(Instant::now()));
        let http = if again { &self.fresh } else { &self.http };
        let authorization = token.header().ok_or(CallError::Credential)?;
        let request = self.request(http, call)?.header(AUTHORIZATION, authorization);
        match tokio::time::timeout(timeout, exchange(request, token, call.most)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::TimedOut(timeout)),
        }
    }

    fn request(&self, http: &reqwest::Client, call: &Call) -> Result<RequestBuilder, CallError> {
        let url = self.url(&call.path)?;
        let query = form(&call.parameters);
        Ok(if query.len() > MAX_QUERY {
            let request = http.post(url).header("x-http-method-override", "GET");
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(query)
        } else {
            let mut url = url;
            url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
            http.get(url)
        })
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        let mut url = self.settings.api.clone();
        // Names in paths are those of records, which have nothing in them that a path could mean.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
        if !path.bytes().all(is_plain) {
            return Err(CallError::NotFound);
        }
        url.set_path(&format!("/arvados/v1/{path}"));
        Ok(url)
    }
}

fn form(parameters: &[(&'static str, String)]) -> String {
    let mut out = String::new();
    for (name, value) in parameters {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
                // Writing to a string does not fail.
                _ => drop(write!(out, "%{byte:02X}")),
            }
        }
    }
    out
}

async fn exchange(request: RequestBuilder, token: &Token, most: usize) -> Result<Vec<u8>, CallError> {
    let failed = |error: &reqwest::Error| CallError::Exchange(crate::http::explain(error));
    let mut response = crate::telemetry::trace::send(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    let retry_after = retry_after.map(|secs| Duration::from_secs(secs).min(MAX_RETRY_AFTER));
    Err(CallError::of_status(status.as_u16(), retry_after, &body, token.secret()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body)
        .map_err(|error| CallError::Unreadable(if error.is_data() { "other values than expected" } else { "no JSON" }))
}
