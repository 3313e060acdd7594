//! A sidecar, and an Envoy with `envoy-config/tcp.yaml`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use taskgate_test_kit::{
    Envoy, EnvoyOptions, ReservedAddress, Sidecar, environment, envoy_config, wait_for, wait_until,
};

use super::block::Block;
use super::job::Caller;
use crate::support::PATIENCE;
use crate::support::ask::Ask;
use crate::support::service::{self, Service, id};
use crate::support::setup::Setup;

/// What the filter is told: a verdict may take long on a machine that is busy.
const LINES: &str = "cluster = taskgate-sidecar\nverdict_timeout_ms = 10000";

/// A sidecar, and an Envoy that listens where it says.
pub(super) struct Site {
    pub(super) sidecar: Sidecar,
    pub(super) envoy: Envoy,
    plan: Plan,
}

/// What they are started with.
pub(super) struct Plan {
    setup: Setup,
    xds: ReservedAddress,
    ports: Block,
    program: Option<PathBuf>,
}

impl Plan {
    /// These services, all of them open to this machine, at so many ports.
    pub(super) fn new(services: impl IntoIterator<Item = Service>, ports: u16) -> anyhow::Result<Self> {
        let xds = ReservedAddress::new()?;
        let (listen, filter, ports) = (xds.address(), environment::filter()?, Block::take(ports)?);
        let (start, end) = (ports.first(), ports.last());
        let setup = Setup::new(services).configure(|config| {
            config["state"] = json!({"directory": "state"});
            config["xds"] = json!({"listen": listen, "health_checks": {"enabled": false}});
            config["internal_task_gateway"] = json!({
                "gateway_ip": "127.0.0.1", "gateway_port_range_start": start, "gateway_port_range_end": end,
                // All services here are of one owner.
                "ports_per_owner": 65_535,
                "program_timeout_secs": 20, "port_kept_secs": 0, "port_rest_secs": 5, "close_after_secs": 1,
                "source_ranges": ["127.0.0.0/8"],
                "envoy": {"listen": "127.0.0.1", "filter_file": filter, "verdict_timeout_ms": 10_000},
            });
        });
        Ok(Self { setup, xds, ports, program: None })
    }

    /// With that Envoy.
    pub(super) fn program(mut self, program: Option<PathBuf>) -> Self {
        self.program = program;
        self
    }

    /// With changes of the sidecar's configuration.
    pub(super) fn configure(mut self, change: impl FnOnce(&mut Value)) -> Self {
        self.setup = self.setup.configure(change);
        self
    }

    /// The ports that services get.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.ports.first()..=self.ports.last()
    }

    pub(super) async fn start(self) -> anyhow::Result<Site> {
        let sidecar = self.sidecar().await?;
        let envoy = self.envoy(&sidecar).await?;
        Ok(Site { sidecar, envoy, plan: self })
    }

    pub(super) async fn sidecar(&self) -> anyhow::Result<Sidecar> {
        self.setup.start_sidecar().await
    }

    pub(super) async fn envoy(&self, sidecar: &Sidecar) -> anyhow::Result<Envoy> {
        let mut document = envoy_config("tcp.yaml")?;
        let admin = document.pointer_mut("/admin/address/socket_address/port_value").context("no admin")?;
        *admin = json!(0);
        for (name, address) in [("taskgate-sidecar", sidecar.internal_address()), ("taskgate-xds", self.xds.address())]
        {
            let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
            let cluster = clusters.into_iter().flatten().find(|cluster| cluster["name"] == name);
            let place = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
            let socket = cluster.and_then(|cluster| cluster.pointer_mut(place)).with_context(|| name.to_owned())?;
            *socket = json!({"address": address.ip(), "port_value": address.port()});
        }
        let filter = document.pointer_mut("/bootstrap_extensions/0/typed_config/config").context("no filter")?;
        filter["vm_config"]["code"]["local"]["filename"] = json!(environment::filter()?);
        filter["configuration"]["value"] = json!(LINES);
        let options = EnvoyOptions { program: self.program.clone(), ..EnvoyOptions::default() };
        let envoy = Envoy::start_with(document.to_string(), options).await?;
        // Envoy's main thread, and two workers; each may say so more than once.
        let follows = async || threads(&envoy.log(), "following the table").len() >= 3;
        wait_until(PATIENCE, "every worker to have the table", follows).await?;
        Ok(envoy)
    }
}

impl Site {
    /// Replaces all services.
    pub(super) fn publish(&self, services: &[Service]) -> anyhow::Result<()> {
        self.sidecar.home().write("services.yaml", &service::file(services))
    }

    /// The address that people are told of a service, once they are.
    pub(super) async fn address(&self, task: &str) -> anyhow::Result<SocketAddr> {
        address(&self.sidecar, task).await.with_context(|| format!("{}\n{}", self.sidecar.log(), self.envoy.log()))
    }

    /// Connects to a service, and gives the name of the job that answered. Who reads the table later than the address is
    /// told refuses at first.
    pub(super) async fn call(&self, task: &str) -> anyhow::Result<(Caller, u8)> {
        let address = self.address(task).await?;
        wait_for(PATIENCE, "a connection to be let in", async || Caller::connect(address).await.ok()).await
    }

    /// Waits until Envoy has that many listeners.
    pub(super) async fn listeners(&self, count: u64) -> anyhow::Result<()> {
        let name = "listener_manager.total_listeners_active";
        let has = async || self.envoy.stat(name).await.is_ok_and(|listeners| listeners == count);
        wait_until(PATIENCE, &format!("{count} listeners"), has).await
    }

    /// Has Envoy end and start again.
    pub(super) async fn restart_envoy(self) -> anyhow::Result<Self> {
        self.envoy.stop().await?;
        let envoy = self.plan.envoy(&self.sidecar).await?;
        Ok(Self { envoy, ..self })
    }
}

/// How all services stand.
pub(super) async fn list(sidecar: &Sidecar) -> anyhow::Result<Vec<Value>> {
    let answer = Ask::get("taskgate", "/internal/services").send(sidecar.internal_address()).await?;
    ensure!(answer.is_ok(), "{}", answer.text());
    Ok(answer.json()?["services"].as_array().cloned().unwrap_or_default())
}

/// How a service stands.
pub(super) async fn place(sidecar: &Sidecar, task: &str) -> anyhow::Result<Value> {
    let id = id(task);
    let services = list(sidecar).await?;
    Ok(services.into_iter().find(|service| service["id"] == id).unwrap_or_default()["tcp"].take())
}

pub(super) async fn address(sidecar: &Sidecar, task: &str) -> anyhow::Result<SocketAddr> {
    let announced = wait_for(PATIENCE, "an address", async || {
        let place = place(sidecar, task).await.ok()?;
        place["address"].as_str().and_then(|address| address.parse().ok())
    });
    announced.await
}

/// The threads of Envoy that said that. Its lines begin with `[time][thread]`.
fn threads<'a>(log: &'a str, what: &str) -> BTreeSet<&'a str> {
    log.lines().filter(|line| line.contains(what)).filter_map(|line| line.split(['[', ']']).nth(3)).collect()
}
