//! How soon a WebSocket ends whose session was ended.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::catalogue::BASE_DOMAIN;
use crate::envoy_config::listener;
use crate::stage::Gate;

/// How long one may take to end.
const LONGEST: Duration = Duration::from_secs(60);
/// How much later in the filter's second each revocation comes than the one before.
const STEP: Duration = Duration::from_millis(370);
/// The largest head of an answer.
const MAX_HEAD: usize = 64 << 10;

/// A WebSocket that is open.
struct Socket(TcpStream);

/// Opens WebSockets and ends each one's session: how long it took from asking for that until the WebSocket was closed.
/// Another visitor's stays open all the while.
pub(super) async fn measure(gate: &Gate, times: u32) -> anyhow::Result<Vec<Duration>> {
    let address = gate.envoy.listener_address(listener::TASKGATE).await?;
    let service = gate.table.catalogue.favourite();
    let mut bystander = Socket::open(address, service, &gate.table.session_of("bystander").await?).await?;
    let mut ended = Vec::new();
    for number in 0..times {
        let actor = format!("leaver-{number}");
        let session = gate.table.session_of(&actor).await?;
        let socket = Socket::open(address, service, &session).await?;
        tokio::time::sleep(STEP).await;
        let start = Instant::now();
        gate.table.post("/internal/sessions/end", &json!({"actor": actor})).await?;
        socket.wait_closed().await.with_context(|| format!("revocation {number}"))?;
        ended.push(start.elapsed());
        ensure!(bystander.is_open(), "another visitor's WebSocket ended too");
    }
    Ok(ended)
}

impl Socket {
    async fn open(address: SocketAddr, service: &str, session: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await.context("can't connect")?;
        let request = format!(
            "GET /socket HTTP/1.1\r\nhost: {service}.{BASE_DOMAIN}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             cookie: __Host-taskgate={session}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.context("can't send")?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(head.len() < MAX_HEAD, "the answer's head is too long");
            ensure!(stream.read_buf(&mut head).await? > 0, "the connection was closed instead of an answer");
        }
        ensure!(head.starts_with(b"HTTP/1.1 101 "), "no WebSocket: {}", String::from_utf8_lossy(&head));
        Ok(Self(stream))
    }

    /// Whether nothing has been heard of its end.
    fn is_open(&mut self) -> bool {
        let unheard = self.0.try_read(&mut [0; 64]);
        unheard.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Waits until the other side closes it.
    async fn wait_closed(mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 64];
        let closed = async {
            // A reset is an end too.
            while self.0.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        timeout(LONGEST, closed).await.context("the WebSocket is still open")
    }
}
