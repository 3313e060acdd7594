//! YTsaurus, played in the test's own process, with the people that the tests know.

use std::net::SocketAddr;

use anyhow::Context as _;
use taskgate_core::naming::ServiceDigest;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Job, Operation, Ytsaurus};
use taskgate_jobs::JobHandle;

use super::ask::Ask;
use super::service::{ALICE, BASE_DOMAIN, BOB, MALLORY};

/// The token of the sidecar's robot.
pub(crate) const ROBOT: &str = "robot-token";
/// The value of Alice's cookie.
pub(crate) const ALICE_COOKIE: &str = "alices-cookie-value";
/// The port of nodes themselves.
pub(crate) const NODE_PORT: u16 = 9012;

/// A service of an operation, as visitors name it.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) operation: Guid,
    pub(crate) task: String,
    pub(crate) service: String,
}

/// A cluster with a robot, Alice, Bob and Mallory, and the directory for the tables.
pub(crate) async fn start() -> anyhow::Result<Ytsaurus> {
    let cluster = Ytsaurus::start().await?;
    for (login, token) in [("robot-taskgate", ROBOT), ("alice", ALICE), ("bob", BOB), ("mallory", MALLORY)] {
        cluster.add_user(login, token);
    }
    cluster.add_cookie("alice", ALICE_COOKIE);
    cluster.set("//sys/task_proxies", yson("{}")?).map_err(|error| anyhow::anyhow!(error.message))?;
    Ok(cluster)
}

/// Alice's operation with these annotations, which Bob may read, and nobody else.
pub(crate) fn operation(annotations: &str) -> anyhow::Result<Operation> {
    let acl = yson("[{action=allow; subjects=[bob]; permissions=[read]}]")?;
    Ok(Operation::new("alice").acl(acl).annotations(yson(annotations)?))
}

/// The annotation that publishes every port.
pub(crate) const EVERY_PORT: &str = "{task_proxy={enabled=%true}}";

/// The annotation with that `tasks_info`.
pub(crate) fn tasks_info(tasks: &str) -> String {
    format!("{{task_proxy={{enabled=%true; tasks_info={tasks}}}}}")
}

/// A job of the cluster that is that one here: on a node of its address, at its port.
pub(crate) fn job(task: &str, job: &JobHandle) -> Job {
    job_at(task, job.address())
}

/// A job of the cluster that is at that address.
pub(crate) fn job_at(task: &str, address: SocketAddr) -> Job {
    Job::new(task).address(&format!("{}:{NODE_PORT}", address.ip())).ports([address.port()])
}

pub(crate) fn yson(text: &str) -> anyhow::Result<Yson> {
    Yson::parse(text.as_bytes()).with_context(|| text.to_owned())
}

// === impl Name ===

impl Name {
    pub(crate) fn new(operation: Guid, task: &str, service: &str) -> Self {
        Self { operation, task: task.to_owned(), service: service.to_owned() }
    }

    /// Its id with 8 digits.
    pub(crate) fn id(&self) -> String {
        self.id_of(8)
    }

    /// Its id with so many digits.
    pub(crate) fn id_of(&self, digits: usize) -> String {
        let id = ServiceDigest::of(&self.operation.to_string(), &self.task, &self.service).suffix(digits);
        id.map(|id| id.to_string()).unwrap_or_default()
    }

    /// Its host name with that id.
    pub(crate) fn host(&self) -> String {
        host(&self.id())
    }

    /// A request for that path, with that token.
    pub(crate) fn get(&self, path: &str, token: &str) -> Ask {
        Ask::get(&self.host(), path).token(token)
    }

    /// The headers that name it by the operation's id.
    pub(crate) fn triple(&self) -> [(&'static str, String); 3] {
        [
            ("x-yt-taskproxy-operation-id", self.operation.to_string()),
            ("x-yt-taskproxy-task-name", self.task.clone()),
            ("x-yt-taskproxy-service", self.service.clone()),
        ]
    }
}

/// The host name with that label.
pub(crate) fn host(label: &str) -> String {
    format!("{label}.{BASE_DOMAIN}")
}

/// The host name that names no service itself.
pub(crate) fn gateway_host() -> String {
    host("task-proxy")
}
