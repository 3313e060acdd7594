//! A running Envoy.

mod admin;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;
use admin::Admin;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(20);

/// How Envoy is run.
#[derive(Clone, Debug)]
pub struct EnvoyOptions {
    /// The program; none is the one that [`environment::envoy`] finds.
    pub program: Option<PathBuf>,
    /// How many workers it has.
    pub concurrency: usize,
    /// Its log level; the filter's lines are there from `info` on.
    pub log_level: String,
}

/// A running Envoy. Dropping it kills it.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    /// Its configuration and log.
    _directory: TempDir,
}

/// What Envoy takes of memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyMemory {
    /// What it has in use, filters left out.
    pub allocated: u64,
    /// What the whole process holds of the machine's memory.
    pub resident: u64,
    /// The most that it ever held.
    pub peak: u64,
}

impl Default for EnvoyOptions {
    /// Two workers, as few as show what is not shared between them.
    fn default() -> Self {
        Self { program: None, concurrency: 2, log_level: "info".to_owned() }
    }
}

impl Envoy {
    /// Starts Envoy with that configuration (YAML or JSON) and waits until it is ready. Ports may be 0,
    /// also that of `admin`.
    ///
    /// # Errors
    /// Envoy is not installed, refuses the configuration or does not get ready.
    pub async fn start(config: String) -> anyhow::Result<Self> {
        Self::start_with(config, EnvoyOptions::default()).await
    }

    /// As [`Self::start`], with options.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(config: String, options: EnvoyOptions) -> anyhow::Result<Self> {
        let program = options.program.map_or_else(environment::envoy, Ok)?;
        let directory = tempfile::tempdir()?;
        let config_path = directory.path().join("envoy.yaml");
        let admin_path = directory.path().join("admin");
        fs::write(&config_path, config)?;
        let mut command = Command::new(program);
        command.arg("--config-path").arg(&config_path).arg("--admin-address-path").arg(&admin_path);
        command.args(["--use-dynamic-base-id", "--drain-time-s", "1", "--file-flush-interval-msec", "100"]);
        command.arg("--concurrency").arg(options.concurrency.to_string());
        command.arg("--log-level").arg(options.log_level);
        let mut process = Process::start(command, directory.path().join("log"))?;
        let ready = wait_for(READY, "Envoy to be ready", async || {
            if let Err(error) = process.check_alive() {
                return Some(Err(error));
            }
            let address = fs::read_to_string(&admin_path).ok()?.parse().ok()?;
            let admin = Admin::new(address);
            admin.get("ready").await.ok().map(|_| Ok(admin))
        });
        let ready = ready.await;
        let admin = ready.with_context(|| process.last_lines())?.context("Envoy did not start")?;
        Ok(Self { process, admin, _directory: directory })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its admin listener.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// What the admin listener answers to `GET` of that path, such as `clusters?format=json`.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn admin(&self, path: &str) -> anyhow::Result<String> {
        self.admin.get(path).await
    }

    /// Where that listener listens.
    ///
    /// # Errors
    /// There is no such listener.
    pub async fn listener_address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        self.admin.listener_address(name).await
    }

    /// All counters and gauges whose name matches that regular expression.
    ///
    /// # Errors
    /// No answer.
    pub async fn stats(&self, filter: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        self.admin.stats(filter).await
    }

    /// One counter or gauge; 0 while there is none of that name.
    ///
    /// # Errors
    /// No answer.
    pub async fn stat(&self, name: &str) -> anyhow::Result<u64> {
        let stats = self.stats(&format!("^{}$", name.replace('.', r"\."))).await?;
        Ok(stats.get(name).copied().unwrap_or_default())
    }

    /// What it takes of memory.
    ///
    /// # Errors
    /// No answer.
    pub async fn memory(&self) -> anyhow::Result<EnvoyMemory> {
        let allocated = self.admin.allocated_bytes().await?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let bytes = |name: &str| -> anyhow::Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
            Ok(kibibytes.saturating_mul(1024))
        };
        Ok(EnvoyMemory { allocated, resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    /// Freezes it; it keeps its connections and does nothing.
    ///
    /// # Errors
    /// It has ended.
    pub async fn pause(&mut self) -> anyhow::Result<()> {
        self.process.pause().await
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Asks it to end and waits for that.
    ///
    /// # Errors
    /// It has ended already, or does not end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.terminate(END).await?;
        Ok(())
    }
}
