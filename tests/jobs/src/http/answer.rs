//! The answers of the HTTP job.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::job::Scope;
use crate::reply::{self, Body, header_pairs, never, text, typed};

/// How many bytes `/stream` sends at a time.
const CHUNK: usize = 64 * 1024;

/// The request as it arrived.
pub(super) fn description(scope: &Scope, request: &Request<Incoming>) -> Response<Body> {
    reply::value(&json!({
        "name": &*scope.name,
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "version": if request.version() == Version::HTTP_2 { "2" } else { "1.1" },
        "headers": header_pairs(request.headers()),
    }))
}

pub(super) fn count(scope: &Scope) -> Response<Body> {
    let [connections, requests, posts] = scope.counters.totals();
    reply::value(&json!({"connections": connections, "requests": requests, "posts": posts}))
}

pub(super) fn echo(request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body.boxed_unsync());
    if let Some(content_type) = parts.headers.get(http::header::CONTENT_TYPE) {
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type.clone());
    }
    response
}

pub(super) async fn digest(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let mut body = request.into_body();
    let mut digest = Sha256::new();
    let mut length = 0_u64;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            digest.update(data);
            length = length.saturating_add(data.len() as u64);
        }
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(reply::value(&json!({"sha256": hex, "length": length})))
}

pub(super) async fn slow(scope: &Scope, wait_ms: u64) -> Response<Body> {
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    text(StatusCode::OK, format!("hello from {}\n", scope.name))
}

pub(super) fn events(scope: &Scope, events: u64, every_ms: u64) -> Response<Body> {
    let name = scope.name.to_string();
    let frames = stream::unfold((0, name), move |(number, name)| async move {
        if number >= events {
            return None;
        }
        if number > 0 {
            tokio::time::sleep(Duration::from_millis(every_ms)).await;
        }
        let event = Bytes::from(format!("id: {number}\ndata: event {number} from {name}\n\n"));
        Some((Ok(Frame::data(event)), (number.saturating_add(1), name)))
    });
    let body = StreamBody::new(frames).map_err(never).boxed_unsync();
    typed(StatusCode::OK, "text/event-stream", body)
}

pub(super) fn bytes(length: u64) -> Response<Body> {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let frames = stream::unfold((length, chunk), |(left, chunk)| async move {
        let size = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let next = left.saturating_sub(size as u64);
        (size > 0).then(|| (Ok(Frame::data(chunk.slice(..size))), (next, chunk)))
    });
    let body = StreamBody::new(frames).map_err(never).boxed_unsync();
    let mut response = typed(StatusCode::OK, "application/octet-stream", body);
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    response
}
