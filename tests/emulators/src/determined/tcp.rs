//! TCP in a WebSocket, as the master wraps it: it connects before it upgrades, knows binary messages alone, and waits for
//! both directions. It sends no ping and has no limit of idle time.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::cluster::Port;
use super::server::{Body, State, text};

/// How much is read at once.
const CHUNK: usize = 4_096;

/// Answers a request for a port that speaks TCP.
pub(super) async fn answer(state: &Arc<State>, mut request: Request<Incoming>, port: &Port) -> Response<Body> {
    let Ok(stream) = TcpStream::connect(port.upstream).await else {
        return text(StatusCode::BAD_GATEWAY, "error dialing service");
    };
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return text(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let client = hyper::upgrade::on(&mut request);
    let stop = state.stop().clone();
    state.tasks.spawn(async move {
        let Ok(client) = client.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(client), Role::Server, None).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = copy(socket, stream) => {}
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn copy<S>(socket: WebSocketStream<S>, stream: TcpStream)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut sink, mut messages) = socket.split();
    let (mut reader, mut writer) = stream.into_split();
    let up = async {
        while let Some(Ok(message)) = messages.next().await {
            match message {
                Message::Binary(data) if writer.write_all(&data).await.is_ok() => {}
                Message::Ping(_) | Message::Pong(_) => {}
                _ => break,
            }
        }
        // A peer that is gone already needs no end.
        let _ = writer.shutdown().await;
    };
    let down = async {
        let mut chunk = vec![0; CHUNK];
        while let Ok(length @ 1..) = reader.read(&mut chunk).await {
            let data = chunk.get(..length).unwrap_or_default().to_vec();
            if sink.send(Message::binary(data)).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::join!(up, down);
}
