//! A cluster that is played, and what looks at it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use taskgate::arvados::client::Client;
use taskgate::arvados::discovery::{Discovery, Workloads};
use taskgate::arvados::settings::ArvadosSettings;
use taskgate::config::load;
use taskgate::discovery::inventory::{Entry, Inventory};
use taskgate::discovery::settings::ProviderSettings;
use taskgate_emulators::arvados::{Arvados, Submission};
use tokio::time::Instant;

use crate::kit::Sidecar;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster with people, and the operator's token.
pub(crate) struct Stage {
    pub(crate) cluster: Arvados,
    pub(crate) token: String,
    pub(crate) alice: String,
    pub(crate) bob: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let cluster = Arvados::start().await.expect("starts");
        let token = cluster.add_token(&cluster.system_user());
        let (alice, bob) = (cluster.add_user("alice"), cluster.add_user("bob"));
        Self { cluster, token, alice, bob }
    }

    /// The beginning of a configuration with that cluster; `rest` is more of the provider's section.
    pub(crate) fn config(&self, rest: &str) -> String {
        format!(
            "gate: {{base_domains: [tasks.example.test]}}\n\
             internal: {{listen: \"127.0.0.1:0\"}}\n\
             operations: {{listen: \"127.0.0.1:0\"}}\n\
             providers: [{{arvados: {{api: \"{}\", token: \"{}\", poll_secs: 1{rest}}}}}]\n",
            self.cluster.url(),
            self.token
        )
    }

    pub(crate) fn settings(&self, rest: &str) -> Arc<ArvadosSettings> {
        let settings = load::read(&self.config(rest), Path::new("/")).expect("the configuration holds");
        let ours = |provider| match provider {
            ProviderSettings::Arvados(settings) => Some(settings),
            _ => None,
        };
        settings.providers.into_iter().find_map(ours).expect("a provider")
    }

    /// Discovery whose requests may take a second, and rounds two.
    pub(crate) fn discovery(&self, rest: &str) -> Discovery {
        let mut settings = Arc::unwrap_or_clone(self.settings(rest));
        settings.cluster.reach.timeout = Duration::from_secs(1);
        settings.round = Duration::from_secs(2);
        let client = Client::new(settings.cluster.clone()).expect("a client");
        Discovery::new(Arc::new(settings), client, None, Arc::new(Workloads::default()))
    }

    /// Discovery that has the time that it has by default.
    pub(crate) fn patient_discovery(&self, rest: &str) -> Discovery {
        let settings = self.settings(rest);
        let client = Client::new(settings.cluster.clone()).expect("a client");
        Discovery::new(settings, client, None, Arc::new(Workloads::default()))
    }

    /// A service of alice's on port 8080: the request and the container.
    pub(crate) fn service(&self, access: &str, properties: Value) -> (String, String) {
        let ports = json!({"8080": port(access)});
        self.cluster.start_service(Submission::new(&self.alice).ports(ports).properties(properties))
    }

    /// A sidecar with the cluster as its provider and its only source of identities.
    pub(crate) async fn sidecar(&self, rest: &str) -> Sidecar {
        let sources = "verdicts: {deadline_ms: 5000, sources: [{arvados: {timeout_ms: 2500}}]}\n";
        let directory = tempfile::tempdir().expect("a directory");
        let sidecar = Sidecar::start_in(directory, &format!("{}{sources}", self.config(rest))).await;
        sidecar.table().await;
        sidecar
    }
}

/// A published port.
pub(crate) fn port(access: &str) -> Value {
    json!({"access": access, "label": "web", "initial_path": ""})
}

/// Where the one service is of what an inventory has.
pub(crate) fn only(inventory: &Inventory) -> &Entry {
    assert_eq!(inventory.services.len(), 1, "{inventory:?}");
    &inventory.services[0]
}

/// All that is said to be wrong, a line each.
pub(crate) fn reasons(inventory: &Inventory) -> String {
    inventory.problems.iter().map(|problem| format!("{}: {}\n", problem.subject, problem.reason)).collect()
}

/// The id of the service of a container's port, once it is published.
pub(crate) async fn id(sidecar: &Sidecar, container: &str, port: u16) -> String {
    let service = format!("port_{port}");
    let mut found = None;
    eventually("the service is published", async || {
        let services = sidecar.running.app.registry.services();
        found = services
            .iter()
            .find(|one| one.entry.key.operation == container && one.entry.key.service == service)
            .map(|one| one.id.to_string());
        found.is_some()
    })
    .await;
    found.expect("an id")
}

/// Waits until that holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "{what}: did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
