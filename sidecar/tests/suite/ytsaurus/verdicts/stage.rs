//! A cluster with an operation, and a sidecar that publishes its service.

use std::time::Duration;

use taskgate_core::config::GateConfig;
use taskgate_core::credential::{CredentialNames, Shown, platform};
use taskgate_core::request::Request;
use taskgate_core::verdict::Credential;
use taskgate_emulators::ytsaurus::{Guid, Job, Operation, Ytsaurus};
use tokio::time::Instant;

use crate::kit::{SERVICES, Sidecar, bearer, outcome};
use crate::ytsaurus::support::{cluster, config, yson};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);
/// The value of alice's cookie.
pub(crate) const ALICES_COOKIE: &str = "cookie-of-alice";

/// A cluster in which alice runs an operation that bob and the group `ml` may read, and mallory may not.
pub(crate) struct Stage {
    pub(crate) cluster: Ytsaurus,
    pub(crate) sidecar: Sidecar,
    pub(crate) operation: Guid,
    /// The id of the operation's service.
    pub(crate) id: String,
}

/// A cluster with alice, bob, carol and mallory, and alice's operation.
pub(crate) async fn with_operation() -> (Ytsaurus, Guid) {
    let cluster = cluster().await;
    for name in ["alice", "bob", "carol", "mallory"] {
        cluster.add_user(name, &format!("token-of-{name}"));
    }
    cluster.add_cookie("alice", ALICES_COOKIE);
    cluster.add_group("ml", &["carol"]);
    let acl = yson("[{action=allow; subjects=[bob; ml]; permissions=[read]}]");
    let operation = Operation::new("alice").annotations(yson("{task_proxy={enabled=%true}}")).acl(acl);
    let operation = cluster.add_operation(operation);
    cluster.add_job(operation, Job::new("web").address("10.0.0.1:9012").ports([27001]));
    (cluster, operation)
}

/// What a client shows in that header.
pub(crate) fn shown(header: &str, value: &str) -> Credential {
    let gate = GateConfig::for_domain("tasks.example.test");
    let names = CredentialNames {
        session_cookie: gate.session_cookie,
        origin_cookie: String::new(),
        platform_cookies: gate.platform_cookies,
        query_parameters: Vec::new(),
        first_parameters: Vec::new(),
    };
    let request = Request::read([(header.as_bytes(), value.as_bytes())]);
    let credential = match platform(&request, &names, true) {
        Ok(Shown::Credential(credential, _)) => Some(credential),
        _ => None,
    };
    credential.expect("a credential")
}

/// Waits until that holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "{what}: did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Stage {
    /// A cluster that is known to ask for credentials; `provider` is more of the provider's section.
    pub(crate) async fn start(provider: &str) -> Self {
        let (cluster, operation) = with_operation().await;
        let config = format!("{}{}", config(&cluster.url(), provider), sources(""));
        Self::settled(cluster, operation, &config).await
    }

    /// The same, beside the services of a file.
    pub(crate) async fn with_file() -> Self {
        let (cluster, operation) = with_operation().await;
        let config = format!("{}{}", config(&cluster.url(), ""), sources(""));
        let config = config.replace("providers: [", "providers: [{file: {path: services.yaml}}, ");
        Self::settled(cluster, operation, &config).await
    }

    /// A sidecar with that configuration, which knows that the cluster asks for credentials.
    pub(crate) async fn settled(cluster: Ytsaurus, operation: Guid, config: &str) -> Self {
        let stage = Self::start_with(cluster, operation, config).await;
        eventually("the cluster is asked whether it asks", async || stage.cluster.count("whoami") > 0).await;
        // This one waits for the answer.
        assert_eq!(stage.outcome(bearer("of-nobody")).await, "CredentialRejected");
        stage.cluster.reset_calls();
        stage
    }

    /// A sidecar with that configuration.
    pub(crate) async fn start_with(cluster: Ytsaurus, operation: Guid, config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
        let sidecar = Sidecar::start_in(directory, config).await;
        sidecar.table().await;
        let (_, services) = sidecar.get(sidecar.internal("/internal/services")).await;
        let services: serde_json::Value = serde_json::from_str(&services).expect("JSON");
        let services = services["services"].as_array().expect("a list");
        let own = services.iter().find(|service| service["operation"] == operation.to_string().as_str());
        let id = own.expect("the service")["id"].as_str().expect("an id").to_owned();
        Self { cluster, sidecar, operation, id }
    }

    pub(crate) async fn outcome(&self, credential: Credential) -> String {
        outcome(&self.sidecar.verdict(&self.id, credential).await)
    }

    /// How often the cluster was asked whose a credential is, and who may read the operation.
    pub(crate) fn calls(&self) -> (u64, u64) {
        (self.cluster.count("whoami"), self.cluster.count("check_operation_permission"))
    }
}

/// The section with the cluster as the only source, and more time than a busy machine takes; `rest` is
/// more of the source's.
pub(crate) fn sources(rest: &str) -> String {
    format!("verdicts: {{deadline_ms: 5000, sources: [{{ytsaurus: {{timeout_ms: 2500{rest}}}}}]}}\n")
}
