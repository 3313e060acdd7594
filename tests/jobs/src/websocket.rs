//! A WebSocket job: `/ws`, below whatever path, sends every message back with its name in front; any other path is answered
//! like a small HTTP job.

use std::convert::Infallible;
use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::job::{self, JobHandle, JobOptions, Scope};
use crate::reply::{self, Body, text};
use crate::serving::{self, Protocol};

/// Runs the job on that listener.
///
/// # Errors
/// The listener has no address.
pub fn serve(listener: TcpListener, options: JobOptions) -> io::Result<JobHandle> {
    job::start(listener, options, |connection, scope| serving::serve(Protocol::Http1, connection, scope, route))
}

async fn route(scope: Scope, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    scope.counters.count(request.method());
    let wants_upgrade = request.headers().get(header::UPGRADE).is_some_and(|name| name == "websocket");
    Ok(match (request.uri().path(), wants_upgrade) {
        (path, true) if path.ends_with("/ws") => {
            let upgrade = hyper::upgrade::on(&mut request);
            upgraded(&scope, request.headers(), upgrade)
        }
        ("/ws", false) => text(StatusCode::UPGRADE_REQUIRED, "connect with a WebSocket\n".to_owned()),
        ("/headers", _) => reply::value(&reply::header_pairs(request.headers())),
        _ => text(StatusCode::OK, format!("hello from {}\n", scope.name)),
    })
}

fn upgraded(scope: &Scope, headers: &HeaderMap, upgrade: OnUpgrade) -> Response<Body> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let Some(accept) = key.and_then(|key| HeaderValue::from_str(&key).ok()) else {
        return text(StatusCode::BAD_REQUEST, "sec-websocket-key is missing\n".to_owned());
    };
    let session = scope.clone();
    scope.spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // A client that hangs up ends the session, and that is all.
            let _ = echo(&session, upgraded).await;
        }
    });
    let mut response = Response::new(reply::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(offered) = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(first) {
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    }
    response
}

/// The first of the protocols that a client offers.
fn first(offered: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_str(offered.to_str().ok()?.split(',').next()?.trim()).ok()
}

async fn echo(scope: &Scope, upgraded: Upgraded) -> Result<(), Error> {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = scope.stopping() => return socket.close(None).await,
        };
        match message.transpose()? {
            Some(Message::Text(said)) => socket.send(Message::text(format!("{}: {said}", scope.name))).await?,
            Some(Message::Binary(said)) => socket.send(Message::binary(said)).await?,
            Some(Message::Close(_)) | None => return Ok(()),
            Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
        }
    }
}
