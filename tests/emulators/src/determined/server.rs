//! Connections: accepted, served, cut; and what the server and the tests share.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::Cluster;
use super::{api, proxy};

/// How many requests are remembered.
const REMEMBERED: usize = 4_096;

/// The body of an answer.
pub(super) type Body = Full<Bytes>;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path as it came, with the query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
}

/// The master, and what is known about its use.
pub(super) struct State {
    address: SocketAddr,
    cluster: Mutex<Cluster>,
    calls: Mutex<VecDeque<Call>>,
    broken: Mutex<BTreeMap<String, StatusCode>>,
    stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

// === impl State ===

impl State {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cluster: Mutex::default(),
            calls: Mutex::default(),
            broken: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        lock(&self.cluster)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, VecDeque<Call>> {
        lock(&self.calls)
    }

    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    pub(super) fn break_paths(&self, path: &str, status: Option<StatusCode>) {
        let mut broken = lock(&self.broken);
        match status {
            Some(status) => drop(broken.insert(path.to_owned(), status)),
            None => drop(broken.remove(path)),
        }
    }

    fn fault(&self, path: &str) -> Option<StatusCode> {
        lock(&self.broken).iter().find(|(start, _)| path.starts_with(start.as_str())).map(|(_, status)| *status)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed with the lock held must not hide behind another failure.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections until the emulator ends.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let stream = tokio::select! {
            () = state.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        // A peer that is gone already shows when the connection is read.
        let _ = stream.set_nodelay(true);
        state.tasks.spawn(connection(stream, Arc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let stop = state.stop.clone();
    let route = service_fn(|request| Box::pin(route(Arc::clone(&state), request)));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), route).with_upgrades();
    tokio::select! {
        () = stop.cancelled() => {}
        // Clients that hang up are everyday life of a server.
        _ = serving => {}
    }
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let call = Call { method: request.method().clone(), path: path.clone(), headers: request.headers().clone() };
    {
        let mut calls = state.calls();
        if calls.len() == REMEMBERED {
            calls.pop_front();
        }
        calls.push_back(call);
    }
    if let Some(status) = state.fault(&path) {
        return Ok(text(status, "on demand"));
    }
    if path.starts_with("/proxy/") {
        return Ok(proxy::answer(state, request).await);
    }
    let (head, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(text(StatusCode::BAD_REQUEST, "no body")),
    };
    Ok(api::answer(&mut state.cluster(), &head, &body))
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error of the API.
pub(super) fn error(status: StatusCode, code: u8, message: &str) -> Response<Body> {
    json(status, &json!({"error": {"code": code, "reason": "", "error": message}}))
}

/// An answer in words.
pub(super) fn text(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(message.to_owned())));
    *response.status_mut() = status;
    response
}
