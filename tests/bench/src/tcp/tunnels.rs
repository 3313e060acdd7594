//! A job in a tunnel: ours, through Envoy, the filter and the sidecar; and beside it a plain WebSocket proxy, which is
//! how Determined's master does it.
//!
//! Both have the same client, that of `taskgate tunnel`, so what differs is what is between it and the job.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use serde_json::json;
use taskgate::clock::SystemClock;
use taskgate::serve::{Running, Setting};
use taskgate::tunnel::bridge::{self, Counts, Kind, PING_INTERVAL, SUBPROTOCOL};
use taskgate::tunnel::frame::Side;
use taskgate_core::naming::ServiceDigest;
use taskgate_test_kit::{Envoy, ReservedAddress, StaticConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::{accept_async, client_async};
use tokio_util::task::AbortOnDropHandle;

use crate::catalogue::{ACTOR, BASE_DOMAIN, token, token_hash};
use crate::stage;

const OPERATION: &str = "a6e04b98-bf982394-5103e8-55754a49";
const TASK: &str = "tunnel";
const SERVICE: &str = "tcp";
const FILE: &str = "services.json";
/// How much the plain proxy reads at once: what a copy in Go, the master's language, does.
const PIECE: usize = 32 << 10;

/// Both tunnels. They end with it.
pub(super) struct Tunnels {
    /// Where the plain one begins.
    pub(super) plain: SocketAddr,
    /// Where ours begins.
    pub(super) ours: SocketAddr,
    envoy: Envoy,
    _running: Running,
    _directory: TempDir,
    _public: ReservedAddress,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl Tunnels {
    /// Both, to that job.
    pub(super) async fn start(job: SocketAddr) -> anyhow::Result<Self> {
        let (directory, public) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let running = sidecar(job, public.address(), &directory).await?;
        let document = StaticConfig::new(running.addresses.internal.parse()?)?.document()?;
        let envoy = stage::envoy(&document, 1).await?;
        let id = ServiceDigest::of(OPERATION, TASK, SERVICE).suffix(8).context("no id")?;
        let mut request = format!("ws://{id}.{BASE_DOMAIN}/").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, format!("Bearer {}", token(0)).parse()?);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        let (ours, our_client) = client(envoy.listener_address("taskgate").await?, request, true).await?;
        let (proxy, plain_proxy) = proxy(job).await?;
        let (plain, plain_client) = client(proxy, format!("ws://{proxy}/").into_client_request()?, false).await?;
        let tasks = [our_client, plain_proxy, plain_client];
        Ok(Self { plain, ours, envoy, _running: running, _directory: directory, _public: public, _tasks: tasks })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.envoy.stop().await
    }
}

async fn sidecar(job: SocketAddr, public: SocketAddr, directory: &TempDir) -> anyhow::Result<Running> {
    let services = json!({"services": [{
        "operation": OPERATION, "task": TASK, "service": SERVICE, "protocol": "tcp", "access": "can_read",
        "owner": ACTOR, "endpoints": [job.to_string()],
    }]});
    std::fs::write(directory.path().join(FILE), services.to_string())?;
    let tokens = json!([{"sha256": token_hash(&token(0)), "actor": ACTOR}]);
    let site = json!({
        "gate": {"base_domains": [BASE_DOMAIN]},
        "internal": {"listen": "127.0.0.1:0"},
        "operations": {"listen": "127.0.0.1:0"},
        "public": {"listen": public},
        "tunnels": {},
        "providers": [{"file": {"path": FILE}}],
        "verdicts": {"sources": [{"tokens": {"tokens": tokens}}]},
    });
    let settings = taskgate::config::load::read(&site.to_string(), directory.path())?;
    let setting = Setting { clock: Arc::new(SystemClock), config_path: None, logs: None };
    Ok(taskgate::serve::start(settings, setting).await?)
}

/// Whoever connects here is led through that WebSocket.
async fn client(
    to: SocketAddr,
    request: Request,
    is_ours: bool,
) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let kind = Kind { side: Side::Client, is_ours, pings: PING_INTERVAL };
    each(move |mut local| {
        let request = request.clone();
        async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            // Nothing came behind the answer: this job waits to be spoken to.
            let stream = client_async(request, stream).await?.0.into_inner();
            bridge::run(stream, kind, local.split(), &Counts::default(), std::future::pending()).await;
            Ok(())
        }
    })
    .await
}

/// A plain WebSocket proxy in front of the job.
async fn proxy(job: SocketAddr) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    each(move |stream| async move {
        let job = TcpStream::connect(job).await?;
        job.set_nodelay(true)?;
        let (mut sink, mut messages) = accept_async(stream).await?.split();
        let (mut reader, mut writer) = job.into_split();
        let up = async {
            while let Some(Ok(message)) = messages.next().await {
                match message {
                    Message::Binary(data) => writer.write_all(&data).await?,
                    Message::Close(_) => break,
                    _ => {}
                }
            }
            writer.shutdown().await
        };
        let down = async {
            let mut piece = vec![0; PIECE];
            while let Ok(length @ 1..) = reader.read(&mut piece).await {
                let data = piece.get(..length).unwrap_or_default().to_vec();
                if sink.send(Message::binary(data)).await.is_err() {
                    break;
                }
            }
            sink.close().await
        };
        // Whoever goes first, the other one notices.
        let _ = tokio::join!(up, down);
        Ok(())
    })
    .await
}

/// Listens, and does this with each connection.
async fn each<Done>(
    what: impl Fn(TcpStream) -> Done + Send + 'static,
) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)>
where
    Done: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if stream.set_nodelay(true).is_ok() {
                // Whoever was not let in sees the connection end.
                tokio::spawn(what(stream));
            }
        }
    });
    Ok((address, AbortOnDropHandle::new(task)))
}
