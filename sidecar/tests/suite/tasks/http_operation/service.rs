//! A service that answers as a test has it, in turn, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use taskgate::tasks::operation::Operation;
use tokio::sync::Notify;

use crate::kit::serve;
use crate::tasks::attempt::operation;

/// A service.
pub(super) struct Service {
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<Asked>>,
    news: Notify,
}

/// What a service was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// What a service answers.
pub(super) enum Reply {
    Plain(u16, Vec<(&'static str, String)>, Body),
    /// As soon as a test says so.
    Held(Arc<Notify>, Box<Reply>),
    Never,
}

pub(super) fn reply(status: u16, body: &Value) -> Reply {
    Reply::Plain(status, Vec::new(), Body::from(body.to_string()))
}

/// 202 with where to ask.
pub(super) fn taken(place: &str) -> Reply {
    Reply::Plain(202, vec![("location", place.to_owned())], Body::empty())
}

impl Service {
    /// One that gives these answers. The last question stays without one.
    pub(super) async fn start(answers: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Arc::new(Shared { answers: Mutex::new(answers.into_iter().collect()), ..Shared::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        Self { url: serve(router).await, shared }
    }

    /// An operation that this service does.
    pub(super) fn operation(&self, more: &Value) -> Arc<dyn Operation> {
        let mut http = json!({"url": format!("{}/work/begin?x=1", self.url), "timeout_secs": 1});
        for (key, value) in more.as_object().into_iter().flatten() {
            http[key.as_str()] = value.clone();
        }
        operation(&json!({"name": "foreign", "summary": "Is elsewhere.", "http": http}))
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("a lock").clone()
    }

    /// The lines of what it was asked.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Waits until it was asked so often.
    pub(super) async fn wait(&self, times: usize) {
        loop {
            let news = self.shared.news.notified();
            if self.asked().len() >= times {
                return;
            }
            news.await;
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.asked.lock().expect("a lock").push(Asked { line: format!("{method} {uri}"), headers, body });
    shared.news.notify_waiters();
    let mut reply = shared.answers.lock().expect("a lock").pop_front().unwrap_or(Reply::Never);
    loop {
        match reply {
            Reply::Plain(status, headers, body) => {
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().expect("a value"));
                }
                return response;
            }
            Reply::Held(until, then) => {
                until.notified().await;
                reply = *then;
            }
            Reply::Never => std::future::pending().await,
        }
    }
}
