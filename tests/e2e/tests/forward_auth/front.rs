//! A sidecar and an ingress that asks it.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use taskgate_jobs::grpc::EchoClient;
use taskgate_test_kit::{Caddy, Envoy, Haproxy, ReservedAddress, Sidecar, environment};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::ask::{Answer, Ask, Link};
use crate::support::service::{Service, host};
use crate::support::setup::Setup;

/// Which ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EnvoyGrpc,
    EnvoyHttp,
    Haproxy,
    Caddy,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::EnvoyHttp, Self::Haproxy, Self::Caddy, Self::EnvoyGrpc];

    /// Whether it can take a credential out of a query.
    pub(super) const fn changes_queries(self) -> bool {
        matches!(self, Self::EnvoyGrpc | Self::Haproxy)
    }

    /// Whether a request with a body moves on to another job.
    pub(super) const fn moves_bodies(self) -> bool {
        !matches!(self, Self::Caddy)
    }
}

#[derive(Debug)]
enum Running {
    Envoy(Envoy, SocketAddr),
    Haproxy(Haproxy),
    Caddy(Caddy),
}

/// Both, running.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) kind: Kind,
    pub(super) sidecar: Sidecar,
    running: Running,
    _asked_at: ReservedAddress,
}

impl Front {
    pub(super) async fn start(kind: Kind, services: &[Service]) -> anyhow::Result<Self> {
        Self::start_with(kind, services, |_| {}).await
    }

    /// The same with changes of the sidecar's configuration.
    pub(super) async fn start_with(
        kind: Kind,
        services: &[Service],
        change: impl FnOnce(&mut Value),
    ) -> anyhow::Result<Self> {
        let asked_at = ReservedAddress::new()?;
        let setup = Setup::new(services.iter().cloned());
        let setup = setup.configure(|config| config["forward_auth"] = json!({"listen": asked_at.address()}));
        let sidecar = setup.configure(change).start_sidecar().await?;
        let running = Running::start(kind, asked_at.address(), None).await?;
        Ok(Self { kind, sidecar, running, _asked_at: asked_at })
    }

    /// One that offers WebSockets over HTTP/2: Envoy does so where an operator says it, HAProxy by itself, Caddy not.
    pub(super) async fn start_connecting(
        kind: Kind,
        services: &[Service],
        change: impl FnOnce(&mut Value),
    ) -> anyhow::Result<Self> {
        let asked_at = ReservedAddress::new()?;
        let setup = Setup::new(services.iter().cloned());
        let setup = setup.configure(|config| config["forward_auth"] = json!({"listen": asked_at.address()}));
        let sidecar = setup.configure(change).start_sidecar().await?;
        let running = match kind {
            Kind::EnvoyGrpc | Kind::EnvoyHttp => {
                let config = ext_authz(kind, asked_at.address(), None)?;
                let codec = "codec_type: AUTO\n";
                ensure!(config.matches(codec).count() == 1, "ext_authz.yaml does not have `{codec}` once");
                let allowed = format!("{codec}          http2_protocol_options: {{allow_connect: true}}\n");
                Running::envoy(config.replace(codec, &allowed)).await?
            }
            Kind::Haproxy | Kind::Caddy => Running::start(kind, asked_at.address(), None).await?,
        };
        Ok(Self { kind, sidecar, running, _asked_at: asked_at })
    }

    /// One whose sidecar wants a secret, which the ingress says or does not know.
    pub(super) async fn start_secret(kind: Kind, services: &[Service], is_known: bool) -> anyhow::Result<Self> {
        let (asked_at, secret) = (ReservedAddress::new()?, "0123456789abcdef0123456789abcdef");
        let setup = Setup::new(services.iter().cloned());
        let setup = setup.configure(|config| {
            config["forward_auth"] = json!({"listen": asked_at.address(), "secret": secret});
        });
        let sidecar = setup.start_sidecar().await?;
        let running = Running::start(kind, asked_at.address(), is_known.then_some(secret)).await?;
        Ok(Self { kind, sidecar, running, _asked_at: asked_at })
    }

    /// One whose questions something else answers.
    pub(super) async fn asking(kind: Kind, services: &[Service], other: SocketAddr) -> anyhow::Result<Self> {
        let asked_at = ReservedAddress::new()?;
        let sidecar = Setup::new(services.iter().cloned()).start_sidecar().await?;
        Ok(Self { kind, sidecar, running: Running::start(kind, other, None).await?, _asked_at: asked_at })
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.running {
            Running::Envoy(_, address) => *address,
            Running::Haproxy(haproxy) => haproxy.address(),
            Running::Caddy(caddy) => caddy.address(),
        }
    }

    /// Everything that ingress and sidecar logged so far.
    pub(super) fn logs(&self) -> String {
        let ingress = match &self.running {
            Running::Envoy(envoy, _) => envoy.log(),
            Running::Haproxy(haproxy) => haproxy.log(),
            Running::Caddy(caddy) => caddy.log(),
        };
        ingress + &self.sidecar.log()
    }

    /// Sends a request over a new connection.
    pub(super) async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        ask.send(self.address()).await.with_context(|| format!("{:?}", self.kind))
    }

    /// A connection of each protocol.
    pub(super) async fn links(&self) -> anyhow::Result<[Link; 2]> {
        Ok([Link::http1(self.address()).await?, Link::http2(self.address()).await?])
    }

    pub(super) async fn grpc(&self, task: &str) -> anyhow::Result<EchoClient> {
        EchoClient::connect(self.address(), Some(&host(task))).await
    }

    pub(super) async fn websocket(&self, request: Request) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        let stream = TcpStream::connect(self.address()).await?;
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

impl Running {
    async fn start(kind: Kind, asked: SocketAddr, secret: Option<&str>) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::Haproxy => Self::Haproxy(Haproxy::start(asked, secret).await?),
            Kind::Caddy => Self::Caddy(Caddy::start(asked, secret).await?),
            Kind::EnvoyGrpc | Kind::EnvoyHttp => Self::envoy(ext_authz(kind, asked, secret)?).await?,
        })
    }

    async fn envoy(config: String) -> anyhow::Result<Self> {
        let envoy = Envoy::start(config).await?;
        let address = envoy.listener_address("taskgate").await?;
        Ok(Self::Envoy(envoy, address))
    }
}

/// `envoy-config/ext_authz.yaml` with the values of a test.
fn ext_authz(kind: Kind, asked: SocketAddr, secret: Option<&str>) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(environment::repository().join("envoy-config/ext_authz.yaml"))?;
    let free = "socket_address: {address: 127.0.0.1, port_value: 0}";
    let sidecar = format!("socket_address: {{address: {}, port_value: {}}}", asked.ip(), asked.port());
    let mut values = vec![
        ("socket_address: {address: 127.0.0.1, port_value: 9901}", free.to_owned()),
        ("socket_address: {address: 0.0.0.0, port_value: 8080}", free.to_owned()),
        ("socket_address: {address: 127.0.0.1, port_value: 7013}", sidecar),
    ];
    if kind == Kind::EnvoyHttp {
        let on = |name: &str| format!("                {name}: {{\"@type\": type.googleapis.com/envoy.config.route");
        values.push((
            "                taskgate: {\"@type\": type.googleapis.com/envoy.config.route",
            on("taskgate.http"),
        ));
    }
    let metadata = |value: &str| format!("initial_metadata: [{{key: x-taskgate-internal, value: \"{value}\"}}]");
    let added = |value: &str| format!("  headers_to_add: [{{key: x-taskgate-internal, value: \"{value}\"}}]");
    let [no_metadata, none_added] = [metadata("..."), added("...")].map(|line| format!("# {line}"));
    if let Some(secret) = secret {
        values.push((&no_metadata, metadata(secret)));
        values.push(("# authorization_request:", "authorization_request:".to_owned()));
        values.push((&none_added, added(secret)));
    }
    values.into_iter().try_fold(text, |text, (what, value)| {
        ensure!(text.matches(what).count() == 1, "ext_authz.yaml does not have `{what}` once");
        Ok(text.replace(what, &value))
    })
}
