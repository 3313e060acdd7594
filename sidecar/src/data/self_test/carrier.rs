//! What brings signed requests to a store, as clients would.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Uri};
use reqwest::Client;
use tower::ServiceExt as _;

use crate::data::store::SignedRequest;
use crate::http::{self as outside, Answer, HttpError};

/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;

/// Brings signed requests to a store.
#[async_trait]
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Sends a request as it was signed, with these bytes.
    ///
    /// # Errors
    /// Why there is no answer, without anything of the URL.
    async fn carry(&self, method: Method, request: &SignedRequest, body: Bytes) -> Result<Answer, String>;
}

/// The network.
#[derive(Clone, Debug)]
pub struct Network(Client);

/// Routes in this process, whatever host the URL is for: the local store's, which clients reach through a proxy that
/// may not be up yet.
#[derive(Clone, Debug)]
pub struct InProcess(pub Router);

impl Network {
    /// The network.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new() -> Result<Self, HttpError> {
        outside::client(TIMEOUT).map(Self)
    }
}

#[async_trait]
impl Carrier for Network {
    async fn carry(&self, method: Method, request: &SignedRequest, body: Bytes) -> Result<Answer, String> {
        let mut sent = self.0.request(method.clone(), request.url.expose());
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if method == Method::PUT {
            sent = sent.body(body);
        }
        outside::exchange_within(sent, MAX_ANSWER).await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Carrier for InProcess {
    async fn carry(&self, method: Method, request: &SignedRequest, body: Bytes) -> Result<Answer, String> {
        let uri: Uri = request.url.expose().parse().map_err(|_| "the URL is none".to_owned())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut sent = Request::builder().method(method).uri(path).header("content-length", body.len());
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let sent = sent.body(Body::from(body)).map_err(|error| error.to_string())?;
        let Ok(answer) = self.0.clone().oneshot(sent).await;
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, MAX_ANSWER).await.map_err(|error| error.to_string())?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_vec() })
    }
}
