//! A gateway with `envoy-config/xds.yaml`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{ReservedAddress, Sidecar, wait_until};

use crate::support::PATIENCE;
use crate::support::gateway::Gateway;
use crate::support::ingress::Ingress;
use crate::support::service::Service;
use crate::support::setup::Setup;

/// A gateway with `envoy-config/xds.yaml`, and the place where its sidecar tells addresses.
pub(super) struct Site {
    pub(super) gateway: Gateway,
    _xds: ReservedAddress,
}

/// What it is started with.
pub(super) struct Plan {
    setup: Setup,
    xds: ReservedAddress,
}

impl Plan {
    /// These services, pushed at once, whatever their addresses are like, and nothing demoted.
    pub(super) fn new(services: impl IntoIterator<Item = Service>) -> anyhow::Result<Self> {
        let xds = ReservedAddress::new()?;
        let listen = xds.address();
        let setup = Setup::new(services).configure(|config| {
            config["gate"]["demotion_secs"] = 0.into();
            config["xds"] = json!({"listen": listen, "push_interval_ms": 10, "health_checks": {"enabled": false}});
        });
        Ok(Self { setup, xds })
    }

    /// With changes of the sidecar's section.
    pub(super) fn xds(mut self, change: impl FnOnce(&mut Value)) -> Self {
        self.setup = self.setup.configure(|config| change(&mut config["xds"]));
        self
    }

    /// With changes of the sidecar's configuration.
    pub(super) fn configure(mut self, change: impl FnOnce(&mut Value)) -> Self {
        self.setup = self.setup.configure(change);
        self
    }

    pub(super) fn program(mut self, program: Option<PathBuf>) -> Self {
        if let Some(program) = program {
            self.setup = self.setup.program(program);
        }
        self
    }

    /// Starts both, and waits until Envoy has that many addresses of each kind, and every worker the table.
    pub(super) async fn start(self, http1: u64, http2: u64) -> anyhow::Result<Site> {
        let (sidecar, ingress) = self.launch().await?;
        members(&ingress, "taskgate-h1", http1).await?;
        members(&ingress, "taskgate-h2", http2).await?;
        ingress.wait_for_table().await?;
        Ok(Site { gateway: Gateway { sidecar, ingress, config: self.setup.config().clone() }, _xds: self.xds })
    }

    /// Starts both, and waits for nothing.
    pub(super) async fn launch(&self) -> anyhow::Result<(Sidecar, Ingress)> {
        let sidecar = self.setup.start_sidecar().await?;
        let to = |document: &mut Value| lead(document, self.xds.address());
        let ingress = self.setup.start_envoy_from("xds.yaml", sidecar.internal_address(), to).await?;
        Ok((sidecar, ingress))
    }
}

/// Waits until a cluster has that many addresses.
pub(super) async fn members(ingress: &Ingress, cluster: &str, count: u64) -> anyhow::Result<()> {
    let name = format!("cluster.{cluster}.membership_total");
    let what = format!("{cluster} to have {count} addresses");
    wait_until(PATIENCE, &what, async || ingress.envoy.stat(&name).await.is_ok_and(|members| members == count)).await
}

/// Says where addresses come from.
fn lead(document: &mut Value, xds: SocketAddr) -> anyhow::Result<()> {
    let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
    let source = clusters.into_iter().flatten().find(|cluster| cluster["name"] == "taskgate-xds");
    let place = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let address = source.and_then(|source| source.pointer_mut(place)).context("no taskgate-xds")?;
    *address = json!({"address": xds.ip(), "port_value": xds.port()});
    Ok(())
}
