//! Where clients connect.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use taskgate_jobs::grpc::{EchoClient, EchoRequest};
use taskgate_test_kit::{Envoy, wait_until};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::ask::{Answer, Ask, Link};
use super::service::{BASE_DOMAIN, host};
use super::{PATIENCE, soon};

/// How many new connections stand for all workers: enough that each worker gets one of them.
const EVERYWHERE: usize = 24;

/// A running Envoy with the filter.
#[derive(Debug)]
pub(crate) struct Ingress {
    pub(crate) envoy: Envoy,
    pub(crate) address: SocketAddr,
}

/// A WebSocket of a client.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Ingress {
    /// Sends a request over a new connection.
    pub(crate) async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        ask.send(self.address).await
    }

    /// Asks for the first page of a service, with that token.
    pub(crate) async fn visit(&self, task: &str, token: &str) -> anyhow::Result<Answer> {
        self.send(Ask::get(&host(task), "/").token(token)).await
    }

    pub(crate) async fn http1(&self) -> anyhow::Result<Link> {
        Link::http1(self.address).await
    }

    pub(crate) async fn http2(&self) -> anyhow::Result<Link> {
        Link::http2(self.address).await
    }

    pub(crate) async fn grpc(&self, task: &str) -> anyhow::Result<EchoClient> {
        EchoClient::connect(self.address, Some(&host(task))).await
    }

    /// Opens a WebSocket with that request.
    pub(crate) async fn websocket_with(&self, request: Request) -> Result<Socket, tungstenite::Error> {
        let stream = TcpStream::connect(self.address).await?;
        client_async(request, stream).await.map(|(socket, _)| Socket(socket))
    }

    pub(crate) async fn websocket(&self, task: &str, token: &str) -> anyhow::Result<Socket> {
        Ok(soon("a WebSocket", self.websocket_with(handshake(task, Some(token))?)).await??)
    }

    /// Waits until requests over new connections, so many that each worker gets some, all find that it
    /// holds.
    pub(crate) async fn everywhere(&self, what: &str, holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        self.everywhere_within(PATIENCE, what, holds).await
    }

    /// The same where it may take longer.
    pub(crate) async fn everywhere_within(
        &self,
        patience: Duration,
        what: &str,
        mut holds: impl AsyncFnMut() -> bool,
    ) -> anyhow::Result<()> {
        let everywhere = async || {
            for _ in 0..EVERYWHERE {
                if !holds().await {
                    return false;
                }
            }
            true
        };
        wait_until(patience, what, everywhere).await
    }

    /// Waits until every worker answers that request so.
    pub(crate) async fn answers(
        &self,
        what: &str,
        ask: impl Fn() -> Ask,
        holds: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<()> {
        self.everywhere(what, async || self.send(ask()).await.is_ok_and(|answer| holds(&answer))).await
    }

    /// Waits until every worker knows the whole table.
    pub(crate) async fn wait_for_table(&self) -> anyhow::Result<()> {
        let nowhere = format!("00000000.{BASE_DOMAIN}");
        let knows = async || self.send(Ask::get(&nowhere, "/")).await.is_ok_and(|answer| answer.status == 404);
        self.everywhere("every worker to have the table", knows).await
    }

    /// One of the filter's counters, such as `endpoints.failed`.
    pub(crate) async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let stats = self.envoy.stats(&format!("taskgate.{name}$").replace('.', r"\.")).await?;
        Ok(stats.values().sum())
    }
}

impl Socket {
    /// Says something and gives what comes back.
    pub(crate) async fn say(&mut self, text: &str) -> anyhow::Result<String> {
        soon("a WebSocket to take a message", self.0.send(Message::text(text))).await??;
        let answer = soon("a WebSocket's answer", self.0.next()).await?.context("the WebSocket ended")??;
        Ok(answer.into_text()?.to_string())
    }

    /// Says bytes and gives what comes back.
    pub(crate) async fn say_bytes(&mut self, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        soon("a WebSocket to take a message", self.0.send(Message::binary(bytes))).await??;
        let answer = soon("a WebSocket's answer", self.0.next()).await?.context("the WebSocket ended")??;
        Ok(answer.into_data().to_vec())
    }
}

/// The handshake of a WebSocket.
pub(crate) fn handshake(task: &str, token: Option<&str>) -> anyhow::Result<Request> {
    handshake_at(&host(task), token)
}

/// The handshake of a WebSocket of that host.
pub(crate) fn handshake_at(host: &str, token: Option<&str>) -> anyhow::Result<Request> {
    let mut request = format!("ws://{host}/ws").into_client_request()?;
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    Ok(request)
}

/// A message for the gRPC job, with that token.
pub(crate) fn message(text: &str, token: &str) -> anyhow::Result<tonic::Request<EchoRequest>> {
    with_token(EchoRequest::new(text), token)
}

/// A request with that token.
pub(crate) fn with_token<T>(message: T, token: &str) -> anyhow::Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(request)
}
