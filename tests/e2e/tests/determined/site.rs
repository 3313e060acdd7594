//! A master with people and tasks, and a gateway in front of it.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_core::naming::ServiceDigest;
use taskgate_emulators::determined::Determined;
use taskgate_test_kit::envoy_config;

use crate::support::ask::{Answer, Ask};
use crate::support::gateway::Gateway;
use crate::support::service::BASE_DOMAIN;
use crate::support::setup::Setup;

/// What people call the master.
pub(super) const MASTER: &str = "determined.example.test";
/// The password of the provider's own user.
pub(super) const PASSWORD: &str = "hunter2-of-determined";

/// A master with people.
pub(super) struct Site {
    pub(super) master: Determined,
    pub(super) alice: String,
    pub(super) bob: String,
}

impl Site {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let master = Determined::start().await?;
        master.add_admin("taskgate", PASSWORD);
        master.add_user("alice", "wonder land");
        master.add_user("bob", "builder");
        let (alice, bob) = (master.session("alice"), master.session("bob"));
        Ok(Self { master, alice, bob })
    }

    /// A sidecar and an Envoy in front of it; `change` changes the provider's section.
    pub(super) async fn gateway(&self, change: impl FnOnce(&mut Value)) -> anyhow::Result<Gateway> {
        self.gateway_with(change, |_| {}).await
    }

    /// The same; `change` changes the provider's section, and `more` the rest of the configuration.
    pub(super) async fn gateway_with(
        &self,
        change: impl FnOnce(&mut Value),
        more: impl FnOnce(&mut Value),
    ) -> anyhow::Result<Gateway> {
        let mut provider = json!({
            "master": self.master.url(), "username": "taskgate", "password": PASSWORD, "poll_secs": 1,
        });
        change(&mut provider);
        let setup = Setup::new([]).line("verdict_timeout_ms = 4500").configure(|config| {
            // The client does not take the name of a host that no DNS knows.
            config["gate"]["path_hosts"] = json!([MASTER, "localhost"]);
            config["gate"]["path_sign_in"] = json!("/det/login?redirect=");
            config["public"] = json!({"listen": "127.0.0.1:0"});
            config["tunnels"] = json!({});
            config["providers"] = json!([{ "determined": provider }]);
            config["verdicts"] = json!({"deadline_ms": 4000, "sources": [{"determined": {}}]});
            more(config);
        });
        let sidecar = setup.start_sidecar().await?;
        let attach = |document: &mut Value| attach(document, self.master.address());
        let ingress = setup.start_envoy_with(sidecar.internal_address(), attach).await?;
        ingress.wait_for_table().await?;
        Ok(Gateway { sidecar, ingress, config: setup.config().clone() })
    }
}

/// Puts `determined.yaml` into a configuration, as it says, with the master at that address.
fn attach(document: &mut Value, master: SocketAddr) -> anyhow::Result<()> {
    let mut part = envoy_config("determined.yaml")?;
    let host = part.pointer_mut("/virtual_hosts/0").context("no virtual host")?;
    host["domains"] = json!([MASTER, "localhost"]);
    let cluster = part.pointer_mut("/clusters/0").context("no cluster")?;
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    *cluster.pointer_mut(endpoint).context("no endpoint")? =
        json!({"address": master.ip().to_string(), "port_value": master.port()});
    let hosts = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts";
    for (pointer, key) in [(hosts, "virtual_hosts"), ("/static_resources/clusters", "clusters")] {
        let list = document.pointer_mut(pointer).and_then(Value::as_array_mut).context(pointer.to_owned())?;
        list.extend(part[key].as_array().cloned().unwrap_or_default());
    }
    Ok(())
}

/// A request to the master's host.
pub(super) fn get(path: &str) -> Ask {
    Ask::get(MASTER, path)
}

/// The host of a service's id.
pub(super) fn host(task: &str, service: &str) -> String {
    let id = ServiceDigest::of(task, "proxy", service).suffix(8);
    format!("{}.{BASE_DOMAIN}", id.map(|id| id.to_string()).unwrap_or_default())
}

/// Waits until every worker answers so.
pub(super) async fn becomes(gateway: &Gateway, ask: impl Fn() -> Ask, status: u16) -> anyhow::Result<()> {
    let what = format!("answers with {status}");
    gateway.ingress.answers(&what, ask, |answer: &Answer| answer.status == status).await
}
