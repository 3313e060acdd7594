//! The cluster's HTTP API (version 4): one call, with its attempts.
//!
//! Every structured answer is asked for in a form of JSON that no user's data can break (see
//! [`SAFE_FORMAT`]). What may go right a moment later is repeated, with growing random waits, until
//! the caller's deadline; what may not is returned at once. Where someone waits for the answer, only an
//! exchange that failed is repeated, once. A write carries an id, so that the cluster carries out a
//! repeated one once.

pub mod credential;
pub mod error;
pub mod guid;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::http::HttpError;
use crate::random::NoRandomness;
use crate::retry;
use crate::telemetry::metrics::{CommandLabels, Metrics, RequestLabels};
use crate::ytsaurus::client::credential::Credential;
use crate::ytsaurus::client::error::{CallError, YtError, code};
use crate::ytsaurus::client::settings::ClusterSettings;
use crate::ytsaurus::text;

/// The JSON of structured answers. Strings are bytes as characters, which never fails; NaN and
/// infinity are strings; attributes, with which a user changes the shape of a value, are left out.
pub const SAFE_FORMAT: &str =
    r#"{"$value":"json","$attributes":{"attributes_mode":"never","stringify_nan_and_infinity":true}}"#;
/// The most bytes of an answer. A page of a thousand operations has a few megabytes.
pub const MAX_ANSWER: usize = 64 << 20;
/// The most bytes that are reserved for an answer before it comes.
const MAX_RESERVED: usize = 64 << 10;
/// Parameters that are longer go into the body: headers have bounds on the way.
const MAX_HEADER: usize = 4 << 10;
/// After which failed attempt of a call that is said in the log.
const REPORTED_ATTEMPT: u32 = 3;
/// The longest pause that a cluster can ask for: longer than any caller waits. A proxy writes the number.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// How long a call may take with all its attempts, in time-outs of one.
const MAX_TIMEOUTS: u32 = 2;

/// A cluster that can be asked.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keeps connections.
    http: reqwest::Client,
    /// Keeps none. A kept connection may have been closed by a load balancer just now; what fails on one
    /// is repeated on a new one.
    fresh: reqwest::Client,
    settings: Arc<ClusterSettings>,
    metrics: Arc<Metrics>,
}

/// What is asked of the cluster.
#[derive(Clone, Debug)]
pub struct Call {
    /// The command.
    pub command: &'static str,
    /// How it travels.
    pub kind: Kind,
    /// Its parameters, strings as they are.
    pub parameters: Value,
}

/// How a command travels.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something, and no more if repeated.
    Write,
    /// It sends rows; where it is asked for twice, the second replaces the first.
    Upload(Bytes),
    /// It reads rows, in this format.
    Download(&'static str),
}

/// Parameters with what tells a repeated write from another one.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    parameters: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<bool>,
}

impl Client {
    /// A client for a cluster.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: ClusterSettings, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let http = settings.reach.client().build().map_err(HttpError::Client)?;
        let fresh = settings.reach.client().pool_max_idle_per_host(0).build().map_err(HttpError::Client)?;
        Ok(Self { http, fresh, settings: Arc::new(settings), metrics })
    }

    /// How long one request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.settings.reach.timeout
    }

    /// A call's answer. What passes is waited for until `deadline`, or until one call has taken twice the time
    /// that a request may take.
    ///
    /// # Errors
    /// [`CallError`]: that of the last attempt.
    pub async fn call(&self, call: &Call, deadline: Instant) -> Result<Bytes, CallError> {
        self.call_at(&self.settings.proxy, call, deadline).await
    }

    /// As [`Self::call`], at another proxy of the cluster.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_at(&self, proxy: &Url, call: &Call, deadline: Instant) -> Result<Bytes, CallError> {
        let mutation = match call.kind {
            Kind::Write => Some(guid::random().map_err(|NoRandomness| no_randomness())?),
            Kind::Download(_) | Kind::Read | Kind::Upload(_) => None,
        };
        // However patient the caller: someone waits for news of the failure, too.
        let deadline = deadline.min(Instant::now() + self.settings.reach.timeout * MAX_TIMEOUTS);
        let mut attempt = 0;
        loop {
            let request = self.request(proxy, call, mutation.as_deref(), attempt > 0)?;
            let error = match self.attempt(call.command, request, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            let asked = match &error {
                CallError::Unavailable { retry_after: Some(asked), .. } => *asked,
                _ => Duration::ZERO,
            };
            let wait = retry::wait(attempt).max(asked);
            // A wait beyond the deadline has no attempt after it.
            let is_in_time = Instant::now().checked_add(wait).is_some_and(|next| next < deadline);
            if !error.is_passing() || is_heavy_refused(&error) || !is_in_time {
                return Err(error);
            }
            if attempt == REPORTED_ATTEMPT {
                tracing::warn!(command = call.command, %error, "the cluster does not answer; it is asked again");
            } else {
                tracing::debug!(command = call.command, attempt, %error, "the cluster is asked again");
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The answer of a call that reads, for someone who waits: a visitor's question must not become many of the
    /// cluster's. Where the exchange fails it is repeated once, at once; whatever the cluster says is the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ask(&self, call: &Call, deadline: Instant) -> Result<Bytes, CallError> {
        let request = |again| self.request(&self.settings.proxy, call, None, again);
        self.attempt_twice(call.command, request, deadline).await
    }

    /// Whose a credential is: the body of `/auth/whoami`. Of the headers that tell who asks, the
    /// request has the credential's alone. It is repeated as in [`Self::ask`]. Nothing that the cluster writes
    /// about a credential is in the error: only numbers.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn whoami(&self, credential: Option<&Credential>, deadline: Instant) -> Result<Bytes, CallError> {
        let request = |again| {
            let request = self.http(again).get(at(&self.settings.proxy, "/auth/whoami"));
            Ok(match credential.map(Credential::header) {
                Some((name, value)) => request.header(name, value),
                None => request,
            })
        };
        let result = self.attempt_twice("whoami", request, deadline).await;
        result.map_err(|error| if credential.is_some() { error.without_text() } else { error })
    }

    /// An error of the cluster's that quotes the robot's token, without it.
    pub(crate) fn without_token(&self, error: CallError) -> CallError {
        match &self.settings.token {
            Some(token) => error.without(token.expose()),
            None => error,
        }
    }

    /// The proxies that take rows, as the cluster lists them.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn heavy_proxies(&self, deadline: Instant) -> Result<Vec<Url>, CallError> {
        let body = self.attempt("hosts", self.http.get(at(&self.settings.proxy, "/hosts")), deadline).await?;
        let hosts: Vec<String> = serde_json::from_slice(&body).map_err(|error| CallError::unreadable(&error))?;
        let scheme = self.settings.proxy.scheme();
        let urls = hosts.iter().filter_map(|host| crate::http::parse_url(&format!("{scheme}://{host}")).ok());
        Ok(urls.collect())
    }

    fn request(
        &self,
        proxy: &Url,
        call: &Call,
        mutation: Option<&str>,
        again: bool,
    ) -> Result<reqwest::RequestBuilder, CallError> {
        let sent = Sent { parameters: &call.parameters, mutation_id: mutation, retry: mutation.map(|_| again) };
        let mut written = Vec::new();
        text::append(&mut written, &sent);
        let method = match call.kind {
            Kind::Upload(_) => Method::PUT,
            Kind::Write => Method::POST,
            Kind::Read if written.len() > MAX_HEADER => Method::POST,
            Kind::Download(_) | Kind::Read => Method::GET,
        };
        let is_body = method == Method::POST;
        let mut request = self
            .http(again)
            .request(method, at(proxy, &format!("/api/v4/{}", call.command)))
            .header("X-YT-Header-Format", "json")
            .header("X-YT-Correlation-Id", guid::random().map_err(|NoRandomness| no_randomness())?)
            .header("Accept-Encoding", "identity");
        if let Some(token) = &self.settings.token {
            let mut value = HeaderValue::from_str(&format!("OAuth {}", token.expose()))
                .map_err(|_| CallError::Exchange("the token has characters that no header may have".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match &call.kind {
            Kind::Upload(rows) => request.header("X-YT-Input-Format", "\"json\"").body(rows.clone()),
            Kind::Download(format) => request.header("X-YT-Output-Format", *format),
            Kind::Read | Kind::Write => request.header("X-YT-Output-Format", SAFE_FORMAT),
        };
        Ok(if is_body {
            request.header("Content-Type", "application/json").body(written)
        } else {
            request.header("X-YT-Parameters", written)
        })
    }

    /// What carries a request, the first or a repeated one.
    const fn http(&self, again: bool) -> &reqwest::Client {
        if again { &self.fresh } else { &self.http }
    }

    /// One attempt, and another where the exchange fails.
    async fn attempt_twice(
        &self,
        command: &'static str,
        request: impl Fn(bool) -> Result<reqwest::RequestBuilder, CallError>,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        match self.attempt(command, request(false)?, deadline).await {
            Err(CallError::Exchange(_)) if Instant::now() < deadline => {
                self.attempt(command, request(true)?, deadline).await
            }
            result => result,
        }
    }

    async fn attempt(
        &self,
        command: &'static str,
        request: reqwest::RequestBuilder,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        let started = Instant::now();
        let left = deadline.saturating_duration_since(started);
        let timeout = self.settings.reach.timeout.min(left);
        let result = match tokio::time::timeout(timeout, exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::TimedOut(timeout)),
        };
        let result = result.map_err(|error| self.without_token(error));
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) if error.is_passing() => "unavailable",
            Err(_) => "error",
        };
        self.metrics.ytsaurus_requests.get_or_create(&RequestLabels { command, outcome }).inc();
        let seconds = self.metrics.ytsaurus_request_seconds.get_or_create(&CommandLabels { command });
        let took = started.elapsed().as_secs_f64();
        seconds.observe(took);
        self.metrics.task_proxy.asked(command, (outcome != "ok").then_some(outcome), took);
        result
    }
}

/// Whether a proxy that only controls was asked to carry rows.
pub(crate) fn is_heavy_refused(error: &CallError) -> bool {
    match error {
        CallError::Unavailable { status: 307, .. } => true,
        CallError::Unavailable { error, .. } => error.says("Control proxy may not serve heavy requests"),
        _ => false,
    }
}

fn at(proxy: &Url, path: &str) -> Url {
    let mut url = proxy.clone();
    url.set_path(path);
    url
}

fn no_randomness() -> CallError {
    CallError::Exchange(NoRandomness.to_string())
}

/// Sends a request and reads the whole answer, with the error that may come after it.
async fn exchange(request: reqwest::RequestBuilder) -> Result<Bytes, CallError> {
    let failed = |error: &reqwest::Error| CallError::Exchange(crate::http::explain(error));
    let response = crate::telemetry::trace::send(request).await.map_err(|error| failed(&error))?;
    let response: http::Response<reqwest::Body> = response.into();
    let (head, mut body) = response.into_parts();
    // What the proxy says of the length is worth a little memory, not all that it says.
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut bytes = Vec::with_capacity(length.unwrap_or_default().min(MAX_RESERVED));
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        match frame.into_data() {
            Ok(data) if bytes.len().saturating_add(data.len()) > MAX_ANSWER => {
                return Err(CallError::TooLarge(MAX_ANSWER));
            }
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    let said = [&head.headers, &trailers].into_iter().filter_map(said).find(|error| error.code != 0);
    match (head.status, said) {
        (status, None) if status.is_success() => Ok(bytes.into()),
        (status, said) => Err(refusal(status, &head.headers, said, &bytes)),
    }
}

/// The error in a header or a trailer; one that can't be read is an error all the same.
fn said(headers: &HeaderMap) -> Option<YtError> {
    let read = headers.get("x-yt-error").map(|value| serde_json::from_slice::<YtError>(value.as_bytes()));
    let number = || headers.get("x-yt-response-code")?.to_str().ok()?.parse::<i64>().ok();
    match (read, number()) {
        (Some(Ok(error)), _) => Some(error),
        (None, None | Some(0)) => None,
        (Some(Err(_)), None | Some(0)) => Some(YtError::new(code::GENERIC, "an error that can't be read")),
        (_, Some(number)) => Some(YtError::new(number, "an error without a text")),
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, said: Option<YtError>, body: &[u8]) -> CallError {
    let error = said
        .or_else(|| serde_json::from_slice(body).ok())
        .unwrap_or_else(|| YtError::new(0, format!("answered {}", status.as_u16())));
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = retry_after.map(|secs| Duration::from_secs(secs).min(MAX_RETRY_AFTER));
    match status {
        // The credential is judged by the status alone: on other ways 900 is the cluster's own trouble.
        StatusCode::UNAUTHORIZED => CallError::Credential(error),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::TEMPORARY_REDIRECT => {
            CallError::Unavailable { status: status.as_u16(), error, retry_after }
        }
        status if status.is_server_error() => CallError::Unavailable { status: status.as_u16(), error, retry_after },
        _ if error.has(code::AUTHENTICATION) && !error.has(code::AUTHORIZATION) => CallError::Credential(error),
        _ => CallError::Refused(error),
    }
}
