//! A job: a server in a process of its own, that can die like one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running job. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Job {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Job {
    /// Starts `taskgate-jobs KIND --name NAME` on a free port.
    pub(crate) async fn start(program: &Path, kind: &str, name: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args([kind, "--name", name]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("can't start {}", program.display()))?;
        let output = process.stdout.take().context("the job has no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("the job says nothing")?;
        let said: serde_json::Value = serde_json::from_str(&line).context("the job does not say its address")?;
        let address = said.get("address").and_then(|address| address.as_str()).context("the job has no address")?;
        Ok(Self { process, address: address.parse()? })
    }

    /// Kills it, as a node that goes away would.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("can't kill the job")
    }
}
