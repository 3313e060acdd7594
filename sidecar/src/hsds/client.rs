//! One request to an HSDS server, with its attempts.
//!
//! A [`Hsds`] is shared by all who ask one server: it bounds how many requests are on their way at one
//! time, for the server refuses what is too much for it. A [`Session`] asks with one user's credential.
//! What may go right a moment later is repeated, with growing random waits, until the caller's patience
//! ends. Redirects are not followed.

pub mod error;
pub mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::hsds::client::error::HsdsError;
use crate::hsds::client::settings::HsdsSettings;
use crate::hsds::domain::DomainName;
use crate::hsds::json;
use crate::http::HttpError;
use crate::retry;
use crate::secret::SecretText;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: less than the server keeps it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a call is repeated whose answer is the server's own failure: it may be this very request
/// that it can't do.
const MAX_FAILURES: u32 = 4;
/// The type of values as they lie in memory.
const BINARY: &str = "application/octet-stream";

/// A server that can be asked.
#[derive(Clone)]
pub struct Hsds {
    shared: Arc<Shared>,
}

/// A server that is asked with one user's credential.
#[derive(Clone)]
pub struct Session {
    hsds: Hsds,
    credential: Option<HeaderValue>,
    patience: Duration,
}

struct Shared {
    http: reqwest::Client,
    settings: HsdsSettings,
    in_flight: Semaphore,
}

/// What is asked.
pub(crate) struct Call {
    method: Method,
    url: Url,
    body: Body,
    is_binary: bool,
    is_repeatable: bool,
    timeout: Duration,
    limit: usize,
}

#[derive(Clone)]
enum Body {
    Binary(Bytes),
    Json(Bytes),
    None,
}

/// What is answered where it is a success.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) bytes: Bytes,
    /// When, by the server's clock, in seconds of UNIX time; none where it does not say.
    pub(crate) date: Option<u64>,
}

// === impl Hsds ===

impl Hsds {
    /// A client for a server.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: HsdsSettings) -> Result<Self, HttpError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("taskgate/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(HttpError::Client)?;
        let in_flight = Semaphore::new(settings.max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { shared: Arc::new(Shared { http, settings, in_flight }) })
    }

    /// Asks with a credential: the value of the `Authorization` header.
    ///
    /// # Errors
    /// [`HsdsError::Unauthorised`] if it can't be such a value.
    pub fn with(&self, credential: &SecretText) -> Result<Session, HsdsError> {
        let mut value = HeaderValue::from_str(credential.expose()).map_err(|_| HsdsError::Unauthorised)?;
        value.set_sensitive(true);
        Ok(Session { credential: Some(value), ..self.anonymous() })
    }

    /// Asks as nobody.
    #[must_use]
    pub fn anonymous(&self) -> Session {
        Session { hsds: self.clone(), credential: None, patience: self.shared.settings.patience }
    }

    /// The server's address.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.shared.settings.endpoint
    }
}

impl fmt::Debug for Hsds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hsds").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

// === impl Session ===

impl Session {
    /// The same, but with another patience: how long a call may take with all its attempts and waits.
    #[must_use]
    pub fn patient(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The server, without the credential.
    #[must_use]
    pub fn server(&self) -> &Hsds {
        &self.hsds
    }

    pub(crate) fn settings(&self) -> &HsdsSettings {
        &self.hsds.shared.settings
    }

    /// A request to a domain's part of the API.
    pub(crate) fn call(&self, method: Method, path: &[&str], domain: &DomainName) -> Call {
        let mut call = self.server_call(method, path);
        call.url.query_pairs_mut().append_pair("domain", &domain.path);
        if let Some(bucket) = &domain.bucket {
            call.url.query_pairs_mut().append_pair("bucket", bucket);
        }
        call
    }

    /// A request to the server's part of the API.
    pub(crate) fn server_call(&self, method: Method, path: &[&str]) -> Call {
        let settings = self.settings();
        let mut url = settings.endpoint.clone();
        // The address of a server can always have a path: it was read as one of `http`.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
            if path.is_empty() {
                segments.push("");
            }
        }
        let (timeout, limit) = (settings.timeout, settings.max_answer);
        Call { method, url, body: Body::None, is_binary: false, is_repeatable: true, timeout, limit }
    }

    /// Asks, and gives the value that is answered.
    pub(crate) async fn json(&self, call: Call) -> Result<Value, HsdsError> {
        self.dated_json(call).await.map(|(value, _)| value)
    }

    /// The same, with when that was by the server's clock, in seconds of UNIX time, where it says so.
    pub(crate) async fn dated_json(&self, call: Call) -> Result<(Value, Option<u64>), HsdsError> {
        let answer = self.ask(call).await?;
        Ok((json::read(&answer.bytes).map_err(HsdsError::malformed)?, answer.date))
    }

    /// Asks until there is an answer, or none that would be another the next time.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, HsdsError> {
        let deadline = Instant::now() + self.patience;
        let (mut attempt, mut failures) = (0, 0);
        loop {
            let error = match self.attempt(&call, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            let wait = retry::wait(attempt);
            let is_in_time = Instant::now().checked_add(wait).is_some_and(|next| next < deadline);
            if !is_worth(&call, &error, &mut failures) || !is_in_time {
                return Err(error);
            }
            tracing::debug!(attempt, %error, "the HSDS server is asked again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, call: &Call, deadline: Instant) -> Result<Answer, HsdsError> {
        let shared = &self.hsds.shared;
        let late = || HsdsError::Exchange("no answer in time".to_owned());
        let permit = tokio::time::timeout_at(deadline, shared.in_flight.acquire()).await.map_err(|_| late())?;
        // It is never closed.
        let _permit = permit.map_err(|_| late())?;
        let mut request = shared.http.request(call.method.clone(), call.url.clone());
        if let Some(credential) = &self.credential {
            request = request.header(AUTHORIZATION, credential.clone());
        }
        request = match &call.body {
            Body::Binary(bytes) => request.header(CONTENT_TYPE, BINARY).body(bytes.clone()),
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes.clone()),
            Body::None => request,
        };
        if call.is_binary {
            request = request.header(ACCEPT, BINARY);
        }
        let end = deadline.min(Instant::now() + call.timeout);
        tokio::time::timeout_at(end, exchange(request, call.limit)).await.map_err(|_| late())?
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credential = self.credential.as_ref().map(|_| "****");
        formatter.debug_struct("Session").field("credential", &credential).finish_non_exhaustive()
    }
}

// === impl Call ===

impl Call {
    pub(crate) fn query(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.url.query_pairs_mut().append_pair(key, &value.to_string());
        self
    }

    /// With a flag, where it is set.
    pub(crate) fn flag(self, key: &str, is_set: bool) -> Self {
        if is_set { self.query(key, 1) } else { self }
    }

    pub(crate) fn body(self, body: &impl Serialize) -> Self {
        Self { body: Body::Json(json::write(body).into()), ..self }
    }

    /// With values as they lie in memory.
    pub(crate) fn binary_body(self, body: Bytes) -> Self {
        Self { body: Body::Binary(body), ..self }
    }

    /// Answered with values as they lie in memory.
    pub(crate) fn binary(self, limit: usize) -> Self {
        Self { is_binary: true, limit, ..self }
    }

    /// Not repeated when it may have been carried out.
    pub(crate) fn once(self) -> Self {
        Self { is_repeatable: false, ..self }
    }

    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

/// Whether a call is repeated after an attempt; those that ended with the server's own failure are counted.
fn is_worth(call: &Call, error: &HsdsError, failures: &mut u32) -> bool {
    match error {
        HsdsError::Exchange(_) => call.is_repeatable,
        HsdsError::Unavailable { status: 503 | 429 } => true,
        HsdsError::Unavailable { status: 502 | 504 } => call.is_repeatable,
        HsdsError::Unavailable { .. } => {
            *failures += 1;
            call.is_repeatable && *failures < MAX_FAILURES
        }
        _ => false,
    }
}

/// What time it is for whom answers, in seconds of UNIX time.
fn date(headers: &HeaderMap) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Sends a request and reads the whole answer.
async fn exchange(request: reqwest::RequestBuilder, limit: usize) -> Result<Answer, HsdsError> {
    let failed = |error: &reqwest::Error| HsdsError::Exchange(crate::http::explain(error));
    let mut response = crate::telemetry::trace::send(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    let length = response.content_length();
    let date = date(response.headers());
    if status.is_success() && length.is_some_and(|length| usize::try_from(length).map_or(true, |bytes| bytes > limit)) {
        return Err(HsdsError::TooLarge);
    }
    let known = length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(known.min(limit));
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(HsdsError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    // The server drops the connection where a page of values can't be had after the head was sent.
    if length.is_some_and(|length| usize::try_from(length) != Ok(bytes.len())) {
        return Err(HsdsError::Exchange("the answer ended early".to_owned()));
    }
    if status.is_success() {
        Ok(Answer { status, bytes: bytes.into(), date })
    } else {
        Err(HsdsError::of(status, &bytes))
    }
}
