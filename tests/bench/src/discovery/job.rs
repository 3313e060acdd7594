//! The job that moves: a server in a process of its own, at each of the places where it is.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Job {
    _process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it answers.
    pub(crate) answer: String,
}

impl Job {
    /// Starts `taskgate-jobs http`, built beside this program, on that address.
    pub(crate) async fn start(name: &str, listen: &str) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("taskgate-jobs");
        ensure!(program.exists(), "{} is not there; `make bench-discovery` builds it", program.display());
        let mut command = Command::new(program);
        command.args(["http", "--name", name, "--listen", listen]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("can't start a job")?;
        let output = process.stdout.take().context("the job has no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("the job says nothing")?;
        let said: Value = serde_json::from_str(&line)?;
        let address = said.get("address").and_then(Value::as_str).context("the job has no address")?.parse()?;
        Ok(Self { _process: process, address, answer: format!("hello from {name}\n") })
    }
}
