//! A cluster with people, and a gateway in front of it.

use serde_json::{Value, json};
use taskgate_core::naming::ServiceDigest;
use taskgate_emulators::arvados::{Arvados, Submission};
use taskgate_jobs::JobHandle;

use crate::support::ask::{Answer, Ask};
use crate::support::gateway::Gateway;
use crate::support::service::BASE_DOMAIN;
use crate::support::setup::Setup;

/// The port of every service.
pub(crate) const PORT: u16 = 8080;

/// A cluster with people.
pub(crate) struct Site {
    pub(crate) cluster: Arvados,
    pub(crate) alice: String,
    pub(crate) bob: String,
    pub(crate) alices_token: String,
    pub(crate) bobs_token: String,
}

/// A container that serves something.
pub(crate) struct Workload {
    pub(crate) request: String,
    pub(crate) container: String,
}

impl Site {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let cluster = Arvados::start().await?;
        let (alice, bob) = (cluster.add_user("alice"), cluster.add_user("bob"));
        let (alices_token, bobs_token) = (cluster.add_token(&alice), cluster.add_token(&bob));
        Ok(Self { cluster, alice, bob, alices_token, bobs_token })
    }

    /// A sidecar and an Envoy in front of it; `change` changes the provider's section.
    pub(crate) async fn gateway(&self, change: impl FnOnce(&mut Value)) -> anyhow::Result<Gateway> {
        self.gateway_with(change, |_| {}).await
    }

    /// The same; `change` changes the provider's section, and `more` the rest of the configuration.
    pub(crate) async fn gateway_with(
        &self,
        change: impl FnOnce(&mut Value),
        more: impl FnOnce(&mut Value),
    ) -> anyhow::Result<Gateway> {
        let token = self.cluster.add_token(&self.cluster.system_user());
        let mut provider = json!({
            "api": self.cluster.url(), "token": token, "poll_secs": 1, "addresses": ["127.0.0.0/8"],
        });
        change(&mut provider);
        let setup = Setup::new([]).configure(more).configure(|config| {
            config["providers"] = json!([{ "arvados": provider }]);
            config["verdicts"] = json!({"deadline_ms": 4000, "sources": [{"arvados": {}}]});
        });
        setup.line("verdict_timeout_ms = 4500").start().await
    }

    /// Alice's service, published like that, with these properties.
    pub(crate) fn submission(&self, access: &str, properties: Value) -> Submission {
        let ports = json!({"8080": {"access": access, "label": "web", "initial_path": ""}});
        Submission::new(&self.alice).ports(ports).properties(properties)
    }

    /// The same, running, at a job's address.
    pub(crate) fn at(&self, access: &str, job: &JobHandle) -> Workload {
        let properties = json!({"taskgate.addr": {"8080": job.address().to_string()}});
        let (request, container) = self.cluster.start_service(self.submission(access, properties));
        Workload { request, container }
    }

    /// The same, running, behind the controller.
    pub(crate) fn behind_controller(&self, access: &str, job: &JobHandle) -> Workload {
        let (request, container) = self.cluster.start_service(self.submission(access, json!({})));
        self.cluster.serve(&container, PORT, job.address());
        Workload { request, container }
    }
}

impl Workload {
    /// The host of the service's id.
    pub(crate) fn host(&self) -> String {
        let id = ServiceDigest::of(&self.container, "container", &format!("port_{PORT}")).suffix(8);
        format!("{}.{BASE_DOMAIN}", id.map(|id| id.to_string()).unwrap_or_default())
    }

    /// The hosts as Arvados has them: by the container, and by the request.
    pub(crate) fn names(&self) -> [String; 2] {
        [&self.container, &self.request].map(|name| format!("{name}-{PORT}.{BASE_DOMAIN}"))
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Ask {
        Ask::get(&self.host(), path).token(token)
    }
}

/// Waits until every worker answers so.
pub(crate) async fn becomes(gateway: &Gateway, ask: impl Fn() -> Ask, status: u16) -> anyhow::Result<()> {
    let what = format!("answers with {status}");
    gateway.ingress.answers(&what, ask, |answer: &Answer| answer.status == status).await
}
