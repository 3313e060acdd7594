//! Connections: accepted, served, cut.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::error::ApiError;
use super::state::{Call, Fault, State};
use super::{api, controller, parameters};

/// The body of an answer.
pub(super) type Body = Full<Bytes>;

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection ends on demand")
    }
}

impl std::error::Error for NoAnswer {}

/// Accepts connections until the emulator ends.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let tasks = TaskTracker::new();
    let mut reachable = state.reachable().subscribe();
    loop {
        let stream = tokio::select! {
            () = state.stop().cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        if *reachable.borrow_and_update() {
            // A peer that is gone already shows when the connection is read.
            let _ = stream.set_nodelay(true);
            tasks.spawn(connection(stream, Arc::clone(&state)));
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let mut reachable = state.reachable().subscribe();
    let stop = state.stop().clone();
    let route = service_fn(|request| Box::pin(route(Arc::clone(&state), request)));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), route).with_upgrades();
    tokio::select! {
        () = stop.cancelled() => {}
        _ = reachable.wait_for(|is_reachable| !is_reachable) => {}
        // Clients that hang up are everyday life of a server.
        _ = serving => {}
    }
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let path = request.uri().path().to_owned();
    match state.take_fault(&path) {
        None => {}
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Close) => return Err(NoAnswer),
        Some(Fault::Garbage) => return Ok(Response::new(Full::new(Bytes::from_static(b"<html>")))),
        Some(Fault::Hang) => {
            state.stop().cancelled().await;
            return Err(NoAnswer);
        }
        Some(Fault::Refuse(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(error(&state, &ApiError::new(status, "#<Fault: on demand>")));
        }
    }
    let target = controller::target(&state.cluster(), request.headers());
    if let Some(target) = target {
        return Ok(controller::answer(state, target, request).await);
    }
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Err(NoAnswer) };
    let body = body.to_bytes();
    let read = parameters::read(&head, &body);
    let (method, parameters) = match read {
        Ok(read) => read,
        Err(refused) => return Ok(error(&state, &refused)),
    };
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    state.remember(Call {
        method: method.clone(),
        host: host.to_owned(),
        path,
        parameters: Value::Object(parameters.fields().clone()).to_string(),
        headers: head.headers.clone(),
    });
    Ok(match api::answer(&state, &method, &head, &parameters) {
        Ok(value) => json(StatusCode::OK, &value),
        Err(refused) => error(&state, &refused),
    })
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn error(state: &State, refused: &ApiError) -> Response<Body> {
    json(refused.status, &refused.body(state.number()))
}
