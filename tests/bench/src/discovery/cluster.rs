//! The cluster: the emulator in a process of its own, which tells what it was asked and moves a job.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_emulators::ytsaurus::{Guid, Job, Ytsaurus};

use crate::child::{self, Server};
use crate::discovery::population::{self, MOVED_TASK, NODE_PORT, Size, moved_operation};

/// What the process is asked for: how often each command was called.
const CALLS: &str = "calls";

/// The cluster's process.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Server,
}

/// How often each command was called. Parts of a batch count as `execute_batch/get`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls(BTreeMap<String, u64>);

impl Cluster {
    /// Starts a cluster that is so much smaller than the whole.
    pub(crate) async fn start(divisor: usize) -> anyhow::Result<Self> {
        Ok(Self { server: Server::start(&["cluster", &divisor.to_string()]).await? })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses.first().copied().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.server.id().context("the cluster has ended")
    }

    /// How often each command was called so far.
    pub(crate) async fn calls(&mut self) -> anyhow::Result<Calls> {
        Ok(Calls(serde_json::from_str(&self.server.ask(CALLS).await?)?))
    }

    /// The job that moves is now another one, which listens there.
    pub(crate) async fn move_job(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let question = json!({"ip": address.ip(), "port": address.port()});
        self.server.ask(&question.to_string()).await.map(drop)
    }
}

impl Calls {
    /// How often a command was called.
    pub(crate) fn of(&self, command: &str) -> u64 {
        self.0.get(command).copied().unwrap_or_default()
    }

    /// What came after `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let since = self.0.iter().map(|(command, count)| (command.clone(), count - earlier.of(command)));
        Self(since.filter(|(_, count)| *count > 0).collect())
    }
}

/// The process itself.
pub(crate) async fn run(divisor: usize) -> anyhow::Result<()> {
    let cluster = Ytsaurus::start().await?;
    population::fill(&cluster, Size::whole().part(divisor))?;
    let mut moved: Option<Guid> = None;
    child::answer(&[cluster.address()], |question| {
        if question == CALLS {
            return Ok(json!(cluster.calls()).to_string());
        }
        let job = moving_job(question)?;
        if let Some(before) = moved.take() {
            cluster.finish_job(before, "aborted");
        }
        moved = Some(cluster.add_job(moved_operation()?, job));
        Ok("moved".to_owned())
    })
    .await
}

fn moving_job(question: &str) -> anyhow::Result<Job> {
    let question: Value = serde_json::from_str(question)?;
    let ip: IpAddr = question.get("ip").and_then(Value::as_str).context("no address")?.parse()?;
    let port = question.get("port").and_then(Value::as_u64).context("no port")?;
    let node = SocketAddr::new(ip, NODE_PORT).to_string();
    Ok(Job::new(MOVED_TASK).address(&node).ports([u16::try_from(port)?]).cookie(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_came_later() {
        let calls = |get: u64, list: u64| Calls([("get".to_owned(), get), ("list".to_owned(), list)].into());
        let since = calls(5, 7).since(&calls(2, 7));
        assert_eq!((since.of("get"), since.of("list"), since.0.len()), (3, 0, 1));
    }
}
