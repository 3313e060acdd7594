//! What a gateway is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use taskgate_emulators::ytsaurus::Ytsaurus;
use taskgate_test_kit::{Envoy, EnvoyOptions, Sidecar, SidecarHome, StaticConfig, environment};

use super::cluster::ROBOT;
use super::gateway::Gateway;
use super::ingress::Ingress;
use super::service::{self, ALICE, BASE_DOMAIN, BOB, MALLORY, Service};

/// A key of 32 bytes, in base64, different for each letter.
pub(crate) fn key(letter: char) -> String {
    format!("{}=", String::from(letter).repeat(42) + "A")
}

/// How long the filter waits for a verdict, `verdict_timeout_ms`: a machine may be busy for a moment. It is below the
/// limit of the last route of `static.yaml`.
const VERDICT_TIMEOUT_MS: u32 = 4_500;
/// How long the sidecar may take for one, `verdicts.deadline_ms`.
const VERDICT_DEADLINE_MS: u32 = 4_000;

/// What a gateway is started with: the services, and where it differs from the defaults.
#[derive(Debug)]
pub(crate) struct Setup {
    services: Vec<Service>,
    config: Value,
    filter: Option<PathBuf>,
    lines: Vec<String>,
    options: EnvoyOptions,
}

impl Setup {
    /// With these services, and more time for verdicts than by default.
    pub(crate) fn new(services: impl IntoIterator<Item = Service>) -> Self {
        Self {
            services: services.into_iter().collect(),
            config: json!({
                "gate": {"base_domains": [BASE_DOMAIN], "session_cookie": "taskgate"},
                "providers": [{"file": {"path": "services.yaml"}}],
                "keys": [{"id": "k1", "secret": key('B')}],
                "verdicts": {"deadline_ms": VERDICT_DEADLINE_MS, "sources": [{"tokens": {"tokens": [
                    token(ALICE, "alice"), token(BOB, "bob"), token(MALLORY, "mallory"),
                ]}}]},
            }),
            filter: None,
            lines: vec![format!("verdict_timeout_ms = {VERDICT_TIMEOUT_MS}")],
            options: EnvoyOptions::default(),
        }
    }

    /// With the time for verdicts that is in force by default.
    pub(crate) fn default_deadlines(mut self) -> Self {
        self.lines.retain(|line| key_of(line) != "verdict_timeout_ms");
        if let Some(verdicts) = self.config["verdicts"].as_object_mut() {
            verdicts.remove("deadline_ms");
        }
        self
    }

    /// In front of a YTsaurus cluster, set up as `docs/ytsaurus.md` says, but that it looks every second.
    pub(crate) fn cluster(cluster: &Ytsaurus) -> Self {
        let provider = json!({
            "proxy": cluster.url(), "token": ROBOT, "operations_secs": 1, "jobs_secs": 1, "table": {},
        });
        let setup = Self::new([]).configure(|config| {
            config["providers"] = json!([{ "ytsaurus": provider }]);
            config["verdicts"] = json!({"deadline_ms": 2000, "sources": [{"ytsaurus": {}}]});
            config["state"] = json!({"directory": "state"});
        });
        setup.line("verdict_timeout_ms = 2500")
    }

    /// With changes of the cluster's section.
    pub(crate) fn provider(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config["providers"][0]["ytsaurus"]);
        self
    }

    /// With changes of the sidecar's configuration.
    pub(crate) fn configure(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    /// Where all that one worker knows is known: what it learns of one request counts for the next.
    pub(crate) fn one_worker(mut self) -> Self {
        self.options.concurrency = 1;
        self
    }

    /// With the filter that dies on `x-fault: trap`.
    pub(crate) fn mortal(mut self) -> anyhow::Result<Self> {
        self.filter = Some(environment::fault_filter()?);
        Ok(self)
    }

    /// With a line of the filter's configuration, in place of one with the same key.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.retain(|other| key_of(other) != key_of(line));
        self.lines.push(line.to_owned());
        self
    }

    /// With another Envoy.
    pub(crate) fn program(mut self, program: PathBuf) -> Self {
        self.options.program = Some(program);
        self
    }

    /// With a platform at that address that is asked for verdicts, and all the time it likes to take.
    pub(crate) fn platform(mut self, address: SocketAddr) -> Self {
        let url = format!("http://{address}/whoami");
        self.config["verdicts"]["deadline_ms"] = json!(30_000);
        self.config["verdicts"]["sources"] = json!([{"callout": {"url": url, "mode": "whoami", "timeout_ms": 29_000}}]);
        self.line("verdict_timeout_ms = 40000")
    }

    /// The sidecar's configuration.
    pub(crate) fn config(&self) -> &Value {
        &self.config
    }

    /// Starts sidecar and Envoy and waits until every worker has the table.
    pub(crate) async fn start(self) -> anyhow::Result<Gateway> {
        let sidecar = self.start_sidecar().await?;
        let ingress = self.start_envoy(sidecar.internal_address()).await?;
        ingress.wait_for_table().await?;
        Ok(Gateway { sidecar, ingress, config: self.config })
    }

    pub(crate) async fn start_sidecar(&self) -> anyhow::Result<Sidecar> {
        self.home()?.start(&self.config.to_string()).await
    }

    /// Where a sidecar will run.
    pub(crate) fn home(&self) -> anyhow::Result<SidecarHome> {
        let home = SidecarHome::new()?;
        home.write("services.yaml", &service::file(&self.services))?;
        Ok(home)
    }

    /// Starts Envoy for a sidecar at that address.
    pub(crate) async fn start_envoy(&self, sidecar: SocketAddr) -> anyhow::Result<Ingress> {
        self.start_envoy_with(sidecar, |_| Ok(())).await
    }

    /// The same with changes of `static.yaml`.
    pub(crate) async fn start_envoy_with(
        &self,
        sidecar: SocketAddr,
        change: impl FnOnce(&mut Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Ingress> {
        self.start_envoy_from("static.yaml", sidecar, change).await
    }

    /// The same of another file of `envoy-config`.
    pub(crate) async fn start_envoy_from(
        &self,
        file: &str,
        sidecar: SocketAddr,
        change: impl FnOnce(&mut Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Ingress> {
        let mut config = StaticConfig::new(sidecar)?;
        config.filter_lines.clone_from(&self.lines);
        if let Some(filter) = &self.filter {
            config.filter.clone_from(filter);
        }
        let mut document = config.document_of(file)?;
        change(&mut document)?;
        let envoy = Envoy::start_with(document.to_string(), self.options.clone()).await?;
        let address = envoy.listener_address("taskgate").await?;
        Ok(Ingress { envoy, address })
    }
}

/// What a line of the filter's configuration sets.
fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

/// A token's entry in the configuration.
pub(crate) fn token(token: &str, actor: &str) -> Value {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"sha256": hash, "actor": actor, "groups": ["ml"], "email": format!("{actor}@example.test")})
}
