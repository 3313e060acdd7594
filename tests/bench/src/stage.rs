//! What is started: the servers behind Envoy, and an Envoy with its sidecar for each size of table.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use taskgate_test_kit::{Envoy, EnvoyOptions, Sidecar, SidecarHome, wait_until};
use tempfile::TempDir;

use crate::catalogue::{ACTOR, Catalogue, NO_SERVICE};
use crate::child::Server;
use crate::client::Client;
use crate::envoy_config::{self, Places, listener};
use crate::noop;
use crate::placement::Placement;
use crate::request::{Credential, get};
use crate::sidecar_config;
use crate::upstream;

/// How long a whole table may take to reach every worker.
const LOADED: Duration = Duration::from_secs(60);
/// How many pairs of service and token there are, at the least. The sidecar and the workers remember
/// fewer verdicts.
const PAIRS: usize = 1_000_000;
/// The most tokens.
const MAX_TOKENS: usize = 1_000;
/// So many connections reach every worker, all but surely.
const CONNECTIONS_PER_WORKER: usize = 24;

/// The servers behind Envoy.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) places: Places,
    _upstream: Server,
    pub(crate) authoriser: Server,
    _directory: TempDir,
}

/// A sidecar with a table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) sidecar: Sidecar,
    pub(crate) catalogue: Catalogue,
    pub(crate) services: usize,
    /// How many tokens the sidecar knows.
    pub(crate) tokens: usize,
    /// From the sidecar's start until it was ready.
    pub(crate) ready_after: Duration,
    /// Where its log is.
    _logs: TempDir,
}

/// A table and the Envoy in front of it.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) table: Table,
    pub(crate) envoy: Envoy,
}

/// How many tokens make enough pairs with that many services, beside the one that is shown again and again.
pub(crate) fn tokens(services: usize) -> usize {
    PAIRS.div_ceil(services.max(1)).min(MAX_TOKENS) + 1
}

impl Backends {
    pub(crate) async fn start(endpoints: u8, tokens: usize) -> anyhow::Result<Self> {
        let upstream = Server::start(&["upstream", &endpoints.to_string()]).await?;
        let authoriser = Server::start(&["authoriser", &tokens.to_string()]).await?;
        let directory = tempfile::tempdir()?;
        noop::write(directory.path())?;
        let [authoriser_grpc, authoriser_http] = authoriser.addresses[..] else {
            anyhow::bail!("the authoriser has not two addresses")
        };
        let places = Places {
            modules: directory.path().to_owned(),
            upstream: upstream.addresses.clone(),
            authoriser_grpc,
            authoriser_http,
        };
        Ok(Self { places, _upstream: upstream, authoriser, _directory: directory })
    }
}

impl Table {
    pub(crate) async fn start(services: usize, tokens: usize, backends: &Backends) -> anyhow::Result<Self> {
        Self::configured(services, tokens, backends, &[]).await
    }

    /// The same with these sections in the sidecar's configuration.
    pub(crate) async fn configured(
        services: usize,
        tokens: usize,
        backends: &Backends,
        sections: &[(&str, Value)],
    ) -> anyhow::Result<Self> {
        let catalogue = Catalogue::new(services, &upstream::texts(&backends.places.upstream));
        let home = SidecarHome::new()?;
        // Lines of a log in the directory that the sidecar watches would keep it busy.
        let logs = tempfile::tempdir()?;
        symlink(logs.path().join("log"), home.directory().join("log"))?;
        home.write(sidecar_config::SERVICES, &catalogue.file)?;
        let start = Instant::now();
        let sidecar = home.start(&sidecar_config::document(tokens, sections)).await?;
        Ok(Self { sidecar, catalogue, services, tokens, ready_after: start.elapsed(), _logs: logs })
    }

    /// A session of the favourite service, made by the sidecar.
    pub(crate) async fn session(&self) -> anyhow::Result<String> {
        self.session_of(ACTOR).await
    }

    /// One of that visitor.
    pub(crate) async fn session_of(&self, actor: &str) -> anyhow::Result<String> {
        let favourite = self.catalogue.favourite();
        let body = serde_json::json!({"service": favourite, "actor": actor, "groups": ["ml"], "lifetime_secs": 3600});
        let answer = self.post("/internal/session", &body).await.context("no session")?;
        Ok(answer.get("token").and_then(Value::as_str).context("no token")?.to_owned())
    }

    /// What the sidecar answers on its internal listener.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let address = self.sidecar.internal_address();
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = Client::connect(address).await?;
        let answer = client.exchange(request.as_bytes()).await?;
        let body = client.body(answer);
        anyhow::ensure!(answer.status == 200, "{path}: {}", String::from_utf8_lossy(body));
        Ok(serde_json::from_slice(body)?)
    }

    /// Waits until every worker of an Envoy has the whole table: only then it says that a service does not
    /// exist, and not that it may not know it yet.
    pub(crate) async fn wait_served(&self, envoy: &Envoy, workers: u8) -> anyhow::Result<()> {
        let address = envoy.listener_address(listener::TASKGATE).await?;
        let request = get("/", NO_SERVICE, &Credential::None);
        let connections = if workers == 1 { 1 } else { CONNECTIONS_PER_WORKER * usize::from(workers) };
        wait_until(LOADED, "the table to reach every worker", async || is_unknown(address, &request, connections).await)
            .await
    }
}

impl Gate {
    pub(crate) async fn start(
        table: Table,
        backends: &Backends,
        workers: u8,
        experiments: bool,
        placement: &Placement,
    ) -> anyhow::Result<Self> {
        let config = envoy_config::all(table.sidecar.internal_address(), &backends.places, experiments)?;
        let envoy = envoy(&config, workers).await?;
        placement.place(envoy.id())?;
        table.wait_served(&envoy, workers).await?;
        Ok(Self { table, envoy })
    }

    /// Ends both, in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.envoy.stop().await?;
        self.table.sidecar.stop().await?;
        Ok(())
    }
}

/// Starts an Envoy.
pub(crate) async fn envoy(config: &Value, workers: u8) -> anyhow::Result<Envoy> {
    let options = EnvoyOptions { concurrency: workers.into(), log_level: "warning".to_owned(), ..Default::default() };
    Envoy::start_with(config.to_string(), options).await
}

/// Whether that many connections in a row get 404.
async fn is_unknown(address: SocketAddr, request: &[u8], connections: usize) -> bool {
    for _ in 0..connections {
        let Ok(mut client) = Client::connect(address).await else { return false };
        if !client.exchange(request).await.is_ok_and(|answer| answer.status == 404) {
            return false;
        }
    }
    true
}
