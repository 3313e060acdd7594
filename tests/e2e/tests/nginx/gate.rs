//! A sidecar and an NGINX that asks it.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use taskgate_jobs::grpc::EchoClient;
use taskgate_test_kit::{NginxGate, ReservedAddress, Sidecar};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::ask::{Answer, Ask, Link};
use crate::support::service::{Service, host, id};
use crate::support::setup::Setup;
use crate::support::soon;

/// Both, running.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) sidecar: Sidecar,
    pub(super) nginx: NginxGate,
    /// Where the sidecar is asked.
    _asked_at: ReservedAddress,
}

/// What they are started with.
#[derive(Debug)]
pub(super) struct Plan {
    setup: Setup,
    groups: Vec<(&'static str, String, String)>,
    caches: bool,
    through: Option<SocketAddr>,
    beside: Option<&'static str>,
}

impl Plan {
    pub(super) fn new(services: impl IntoIterator<Item = Service>) -> Self {
        Self { setup: Setup::new(services), groups: Vec::new(), caches: false, through: None, beside: None }
    }

    /// With changes of the sidecar's configuration.
    pub(super) fn configure(mut self, change: impl FnOnce(&mut Value)) -> Self {
        self.setup = self.setup.configure(change);
        self
    }

    /// With all that access takes, in plain HTTP.
    pub(super) fn with_access(self) -> Self {
        self.configure(|config| {
            config["public"] = json!({"listen": "127.0.0.1:0"});
            config["access"] = json!({});
            config["sessions"] = json!({"plain_http": true});
            config["gate"]["session_cookie"] = json!("__Host-taskgate");
        })
    }

    /// With a group of NGINX for that task.
    pub(super) fn group(mut self, task: &'static str, name: &str, addresses: &[SocketAddr]) -> Self {
        let servers: String = addresses.iter().map(|address| format!("server {address};\n")).collect();
        self.groups.push((task, name.to_owned(), format!("upstream {name} {{\n{servers}keepalive 8;\n}}\n")));
        self
    }

    /// With decisions that are used again.
    pub(super) fn caching(mut self) -> Self {
        self.caches = true;
        self
    }

    /// With NGINX's questions to the sidecar by way of that address.
    pub(super) fn through(mut self, relay: SocketAddr) -> Self {
        self.through = Some(relay);
        self
    }

    /// With another server before the gate's, the default one of both ports, which says that.
    pub(super) fn beside(mut self, directives: &'static str) -> Self {
        self.beside = Some(directives);
        self
    }

    pub(super) async fn start(self) -> anyhow::Result<Gate> {
        self.start_at(ReservedAddress::new()?).await
    }

    /// The same with a sidecar that is asked at that address.
    pub(super) async fn start_at(self, asked_at: ReservedAddress) -> anyhow::Result<Gate> {
        let groups: Vec<Value> =
            self.groups.iter().map(|(task, name, _)| json!({"service": id(task), "group": name})).collect();
        let section = json!({"listen": asked_at.address(), "groups": groups});
        let setup = self.setup.configure(|config| config["forward_auth"] = section);
        let sidecar = setup.start_sidecar().await?;
        let blocks: String = self.groups.into_iter().map(|(_, _, block)| block).collect();
        let asked = self.through.unwrap_or(asked_at.address()).to_string();
        let (caches, beside, public) = (self.caches, self.beside, sidecar.home().public_address());
        let nginx = NginxGate::start(&asked, move |text| {
            let text = if caches { text.replace("# CACHE ", "") } else { text };
            let listen =
                text.lines().find(|line| line.trim_start().starts_with("listen ")).unwrap_or_default().to_owned();
            let other = beside.map(|says| format!("server {{\n{listen}\n{says}\nreturn 404;\n}}\n"));
            let text = other.unwrap_or_default() + &text;
            text.replace("# GROUPS\n", &blocks).replace("h2 127.0.0.1:7012", &format!("h2 {public}"))
        });
        Ok(Gate { sidecar, nginx: nginx.await?, _asked_at: asked_at })
    }
}

impl Gate {
    /// Sends a request over a new connection.
    pub(super) async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        ask.send(self.nginx.address()).await
    }

    /// A connection of each protocol.
    pub(super) async fn links(&self) -> anyhow::Result<[Link; 2]> {
        Ok([Link::http1(self.nginx.address()).await?, Link::http2(self.nginx.http2_address()).await?])
    }

    pub(super) async fn grpc(&self, task: &str) -> anyhow::Result<EchoClient> {
        EchoClient::connect(self.nginx.http2_address(), Some(&host(task))).await
    }

    /// Opens a WebSocket with that request.
    pub(super) async fn websocket(&self, request: Request) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let stream = TcpStream::connect(self.nginx.address()).await?;
        client_async(request, stream).await.map(|(socket, _)| socket)
    }

    /// What the sidecar answers on its internal listener.
    pub(super) async fn operate(&self, path: &str, wanted: &Value) -> anyhow::Result<Value> {
        let ask = Ask::post("taskgate", path, wanted.to_string()).header("content-type", "application/json");
        let answer = ask.send(self.sidecar.internal_address()).await?;
        ensure!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
        answer.json()
    }
}

/// Says something and gives what comes back.
pub(super) async fn say(socket: &mut WebSocketStream<TcpStream>, text: &str) -> anyhow::Result<String> {
    soon("a WebSocket to take a message", socket.send(Message::text(text))).await??;
    let answer = soon("a WebSocket's answer", socket.next()).await?.context("the WebSocket ended")??;
    Ok(answer.into_text()?.to_string())
}
