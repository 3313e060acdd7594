//! The sidecar in this process, and the Envoy that it has listen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate::clock::SystemClock;
use taskgate::serve::{Running, Setting};
use taskgate_test_kit::{Envoy, environment, envoy_config, wait_for};
use tempfile::TempDir;

use crate::catalogue::BASE_DOMAIN;
use crate::stage;

const FILE: &str = "services.json";
/// Those of the range that the tests do not use.
const FIRST_PORT: u16 = 30_500;
const LAST_PORT: u16 = 32_500;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The sidecar.
pub(super) struct Site {
    running: Running,
    job: SocketAddr,
    directory: TempDir,
    client: reqwest::Client,
}

impl Site {
    /// One with so many services, all with that job.
    pub(super) async fn start(job: SocketAddr, services: u32) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let site = json!({
            "gate": {"base_domains": [BASE_DOMAIN]},
            "internal": {"listen": "127.0.0.1:0"},
            "operations": {"listen": "127.0.0.1:0"},
            "state": {"directory": "state"},
            "xds": {"listen": "127.0.0.1:0", "health_checks": {"enabled": false}},
            "internal_task_gateway": {
                "gateway_ip": "127.0.0.1", "gateway_port_range_start": FIRST_PORT, "gateway_port_range_end": LAST_PORT,
                "source_ranges": ["127.0.0.0/8"],
                "envoy": {"listen": "127.0.0.1", "filter_file": environment::filter()?},
            },
            "providers": [{"file": {"path": FILE}}],
        });
        write(&directory, job, services)?;
        let settings = taskgate::config::load::read(&site.to_string(), directory.path())?;
        let setting = Setting { clock: Arc::new(SystemClock), config_path: None, logs: None };
        let running = taskgate::serve::start(settings, setting).await?;
        Ok(Self { running, job, directory, client: reqwest::Client::new() })
    }

    /// An Envoy that this sidecar leads, with a listener of its own, `bare`, that leads to the job too.
    pub(super) async fn envoy(&self) -> anyhow::Result<Envoy> {
        let addresses = &self.running.addresses;
        let mut document = envoy_config("tcp.yaml")?;
        let mut set = |place: &str, value: Value| {
            let found = document.pointer_mut(place).with_context(|| place.to_owned())?;
            *found = value;
            anyhow::Ok(())
        };
        set("/admin/address/socket_address/port_value", json!(0))?;
        set(
            "/bootstrap_extensions/0/typed_config/config/vm_config/code/local/filename",
            json!(environment::filter()?),
        )?;
        let xds = addresses.xds.as_deref().context("it does not listen")?;
        for (cluster, address) in [(0, addresses.internal.as_str()), (1, xds)] {
            let place = "load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
            let port = address.parse::<SocketAddr>()?.port();
            set(&format!("/static_resources/clusters/{cluster}/{place}"), json!(port))?;
        }
        let job = json!({"endpoint": {"address": {"socket_address": {
            "address": self.job.ip(), "port_value": self.job.port(),
        }}}});
        let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
        clusters.context("no clusters")?.push(json!({
            "name": "bare", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "bare", "endpoints": [{"lb_endpoints": [job]}]},
        }));
        document["static_resources"]["listeners"] = json!([{
            "name": "bare", "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "bare", "cluster": "bare",
            }}]}],
        }]);
        stage::envoy(&document, 1).await
    }

    /// Has so many services, from the first on.
    pub(super) fn publish(&self, services: u32) -> anyhow::Result<()> {
        write(&self.directory, self.job, services)
    }

    /// The address that is told of a service.
    pub(super) async fn address(&self, service: u32) -> anyhow::Result<SocketAddr> {
        let task = task(service);
        let told = wait_for(PATIENCE, "an address", async || {
            let services = self.services().await.ok()?;
            let service = services["services"].as_array()?.iter().find(|service| service["task"] == task)?;
            service["tcp"]["address"].as_str()?.parse().ok()
        });
        told.await
    }

    async fn services(&self) -> anyhow::Result<Value> {
        let url = format!("http://{}/internal/services", self.running.addresses.internal);
        let answer = self.client.get(url).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

fn task(service: u32) -> String {
    format!("t{service}")
}

fn write(directory: &TempDir, job: SocketAddr, services: u32) -> anyhow::Result<()> {
    let service = |number: u32| {
        json!({
            "operation": "a6e04b98-bf982394-5103e8-55754a49", "task": task(number), "service": "tcp",
            "protocol": "tcp", "access": "public", "endpoints": [job.to_string()],
        })
    };
    let text = json!({"services": (0..services).map(service).collect::<Vec<_>>()}).to_string();
    let fresh = directory.path().join("services.new");
    std::fs::write(&fresh, text)?;
    Ok(std::fs::rename(fresh, directory.path().join(FILE))?)
}
