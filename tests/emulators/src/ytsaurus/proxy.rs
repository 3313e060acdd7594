//! The HTTP proxy: from a request to a command and back.

mod api;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;

use super::answer::{Answer, Ending};
use super::auth;
use super::commands::proxies::VERSION;
use super::error::{ClusterError, codes};
use super::faults::Fault;
use super::state::State;
use crate::yson::Yson;

/// A call that is under way.
struct Call {
    state: Arc<State>,
    /// How `Calls` names it.
    number: usize,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.state.calls().end();
    }
}

/// Answers a request.
pub(super) async fn answer(state: Arc<State>, head: Parts, body: Incoming) -> Answer {
    let name = name_of(head.uri.path());
    let number = state.calls().begin(&name, &head.method, &head.headers);
    let call = Call { state, number };
    let state = &call.state;
    let mishap = state.faults().take(&name);
    if !mishap.delay.is_zero() {
        // Even a sleep of nothing takes a millisecond.
        tokio::time::sleep(mishap.delay).await;
    }
    let ending = match mishap.fault {
        None | Some(Fault::Delay(_)) => Ending::Whole,
        Some(Fault::Close) => return Answer::nothing(),
        Some(Fault::Hang) => {
            state.stop().cancelled().await;
            return Answer::nothing();
        }
        Some(Fault::Refuse { status, error }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return finished(Answer::error(status, &error), call.number);
        }
        Some(Fault::Unavailable { retry_after_secs }) => {
            let error = ClusterError::new(codes::PROXY_BANNED, "This proxy is banned");
            return finished(Answer::unavailable(&error, retry_after_secs), call.number);
        }
        Some(Fault::LoseAnswer) => Ending::Nothing,
        Some(Fault::Truncate) => Ending::Truncated,
        Some(Fault::Trailers(error)) => Ending::Trailers(error),
    };
    let mut answer = route(state, call.number, &head, body).await;
    answer.ending = ending;
    finished(answer, call.number)
}

/// What to count a request as.
fn name_of(path: &str) -> String {
    match path {
        "/api" | "/api/" | "/api/v4" | "/api/v4/" => "api",
        "/auth/whoami" => "whoami",
        other => other.strip_prefix("/api/v4/").unwrap_or(other.trim_start_matches('/')),
    }
    .to_owned()
}

/// With what every answer has.
fn finished(mut answer: Answer, number: usize) -> Answer {
    let id = format!("{number:x}-1-1-1");
    answer.headers.insert("x-yt-request-id", HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("")));
    answer.headers.insert("x-yt-proxy", HeaderValue::from_static("emulator"));
    answer.headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn route(state: &State, call: usize, head: &Parts, body: Incoming) -> Answer {
    match head.uri.path() {
        "/ping" => Answer::new(StatusCode::OK, HeaderValue::from_static("text/plain"), Vec::new()),
        "/version" => Answer::new(StatusCode::OK, HeaderValue::from_static("text/plain"), VERSION.into()),
        "/hosts" => Answer::json(StatusCode::OK, &Yson::list([state.address().to_string()])),
        "/auth/whoami" => whoami(state, call, head),
        path if path == "/api" || path.starts_with("/api/") => api::answer(state, call, head, body).await,
        _ => Answer::error(StatusCode::NOT_FOUND, &ClusterError::generic("Not found")),
    }
}

fn whoami(state: &State, call: usize, head: &Parts) -> Answer {
    let identity = auth::authenticate(&state.cluster(), &head.method, &head.headers, false);
    match identity {
        Ok(identity) => {
            state.calls().learn(call, |call| call.user = Some(identity.login.clone()));
            Answer::json(StatusCode::OK, &identity.to_yson())
        }
        // This handler has errors in the body alone.
        Err(error) => Answer::json(auth::status_of(&error), &error.to_yson()),
    }
}
