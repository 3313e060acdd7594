//! The sidecar in this process, and the Envoy that it leads.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate::clock::SystemClock;
use taskgate::discovery::inventory::{Entry, Inventory, ServiceKey};
use taskgate::discovery::policy::Policy;
use taskgate::discovery::publisher::Report;
use taskgate::serve::{Running, Setting};
use taskgate_core::naming::ServiceDigest;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_test_kit::{Envoy, StaticConfig, wait_until};
use tempfile::TempDir;

use crate::catalogue::BASE_DOMAIN;
use crate::stage;

const TASK: &str = "server";
const SERVICE: &str = "ui";
/// The provider in whose name services are published.
const PROVIDER: &str = "file";
const FILE: &str = "services.json";
/// How long the start may take.
const START: std::time::Duration = std::time::Duration::from_secs(20);

/// The sidecar.
pub(super) struct Site {
    running: Running,
    job: SocketAddr,
    _directory: TempDir,
}

/// The id of that service.
pub(super) fn id(service: u32) -> String {
    let id = ServiceDigest::of(&operation(service), TASK, SERVICE).suffix(8);
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn operation(service: u32) -> String {
    format!("{service:08x}-bf982394-5103e8-55754a49")
}

impl Site {
    /// One with a service, whose job is at that address.
    pub(super) async fn start(job: SocketAddr) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join(FILE), "{\"services\": []}")?;
        let config = json!({
            "gate": {"base_domains": [BASE_DOMAIN]},
            "internal": {"listen": "127.0.0.1:0"},
            "operations": {"listen": "127.0.0.1:0"},
            "xds": {"listen": "127.0.0.1:0", "health_checks": {"enabled": false}},
            "providers": [{"file": {"name": PROVIDER, "path": FILE}}],
        });
        let settings = taskgate::config::load::read(&config.to_string(), directory.path())?;
        let setting = Setting { clock: Arc::new(SystemClock), config_path: None, logs: None };
        let running = taskgate::serve::start(settings, setting).await?;
        let read = async || running.app.registry.waits_for().is_empty();
        wait_until(START, "the empty file to be read", read).await?;
        let site = Self { running, job, _directory: directory };
        site.publish(&site.entries(0)).await?;
        Ok(site)
    }

    /// An Envoy that this sidecar leads.
    pub(super) async fn envoy(&self) -> anyhow::Result<Envoy> {
        let addresses = &self.running.addresses;
        let mut document = StaticConfig::new(addresses.internal.parse()?)?.document_of("xds.yaml")?;
        let xds: SocketAddr = addresses.xds.as_deref().context("it does not listen")?.parse()?;
        let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
        let source = clusters.into_iter().flatten().find(|cluster| cluster["name"] == "taskgate-xds");
        let place = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
        *source.and_then(|source| source.pointer_mut(place)).context("no taskgate-xds")? = json!(xds.port());
        stage::envoy(&document, 1).await
    }

    /// The service whose job is here, and so many others.
    pub(super) fn entries(&self, services: u32) -> Vec<Arc<Entry>> {
        let others =
            (1..=services).map(|service| entry(service, [elsewhere(service, 1), elsewhere(service, 2)].into()));
        std::iter::once(entry(0, vec![self.job])).chain(others).collect()
    }

    /// Has the registry take the services, as if a provider had published them.
    pub(super) async fn publish(&self, entries: &[Arc<Entry>]) -> anyhow::Result<()> {
        let inventory = Inventory { services: entries.to_vec(), ..Inventory::default() };
        let reports = BTreeMap::from([(Arc::from(PROVIDER), Report::Sees(inventory))]);
        let registry = Arc::clone(&self.running.app.registry);
        tokio::task::spawn_blocking(move || registry.apply(reports)).await.context("the registry broke")
    }
}

/// Moves a service.
pub(super) fn move_to(entries: &mut [Arc<Entry>], service: u32, job: SocketAddr) -> anyhow::Result<()> {
    let place = entries.get_mut(usize::try_from(service)?).context("no such service")?;
    *place = entry(service, vec![job]);
    Ok(())
}

/// An address of a service, where nobody is.
fn elsewhere(service: u32, number: u8) -> SocketAddr {
    let [_, a, b, c] = service.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, a, b, c), 8_000 + u16::from(number)))
}

fn entry(service: u32, addresses: Vec<SocketAddr>) -> Arc<Entry> {
    let key = ServiceKey { operation: operation(service), task: TASK.into(), service: SERVICE.into() };
    Arc::new(Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: addresses.into_iter().map(|address| Endpoint { address, weight: 1 }).collect(),
        policy: Policy { access: AccessLevel::Public, owner: None, grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    })
}
