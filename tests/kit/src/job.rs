//! A job in a process of its own, with open files of its own.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A running `taskgate-jobs`. Dropping it kills it.
#[derive(Debug)]
pub struct JobProcess {
    process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl JobProcess {
    /// Starts a job of that kind (`http`, `grpc`, `websocket`) and name.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn start(kind: &str, name: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let log = directory.path().join("log");
        let mut command = Command::new(environment::jobs()?);
        command.args([kind, "--name", name]);
        let process = Process::start(command, log.clone())?;
        let address = wait_for(READY, "the job to start", async || {
            let line = fs::read_to_string(&log).ok()?;
            let said: Value = serde_json::from_str(line.lines().next()?).ok()?;
            said["address"].as_str()?.parse().ok()
        });
        let address = address.await.with_context(|| process.last_lines())?;
        Ok(Self { process, address, _directory: directory })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}
