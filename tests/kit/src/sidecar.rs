//! A running sidecar, and the place where it lives.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(30);

/// Where a sidecar lives: a directory for its files, and its addresses. They stay the same when it
/// is restarted, and are known before it runs.
#[derive(Debug)]
pub struct SidecarHome {
    directory: TempDir,
    /// What the program is started by: the words before its own.
    launcher: Vec<OsString>,
    internal: ReservedAddress,
    operations: ReservedAddress,
    public: ReservedAddress,
    client: reqwest::Client,
}

/// A running sidecar. Dropping it kills it.
#[derive(Debug)]
pub struct Sidecar {
    home: SidecarHome,
    process: Process,
}

// === impl SidecarHome ===

impl SidecarHome {
    /// A new home, with no files in it.
    ///
    /// # Errors
    /// No port is free, or there is no place for files.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
            launcher: Vec::new(),
            internal: ReservedAddress::new()?,
            operations: ReservedAddress::new()?,
            public: ReservedAddress::new()?,
            client: reqwest::Client::new(),
        })
    }

    /// Has another program start the sidecar in its own place, as `env` or `unshare` do: these words come first.
    #[must_use]
    pub fn launched_by<Word: Into<OsString>>(mut self, words: impl IntoIterator<Item = Word>) -> Self {
        self.launcher = words.into_iter().map(Into::into).collect();
        self
    }

    /// The directory of the configuration file; paths in it may be relative to this.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The filter's listener.
    #[must_use]
    pub fn internal_address(&self) -> SocketAddr {
        self.internal.address()
    }

    /// The listener for health checks and metrics.
    #[must_use]
    pub fn operations_address(&self) -> SocketAddr {
        self.operations.address()
    }

    /// The listener of clients of tasks, where the configuration has one.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Writes a file of that name, such as `services.yaml`; who reads it sees the old or the new one.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let fresh = self.directory().join(format!("{name}.new"));
        fs::write(&fresh, text).with_context(|| format!("can't write {name}"))?;
        fs::rename(fresh, self.directory().join(name)).with_context(|| format!("can't write {name}"))
    }

    /// Writes the configuration file: that YAML, with this home's addresses in it.
    ///
    /// # Errors
    /// It is no YAML, or can't be written.
    pub fn configure(&self, config: &str) -> anyhow::Result<()> {
        let mut document: Value = serde_saphyr::from_str(config).context("the sidecar's configuration")?;
        if document.is_null() {
            document = json!({});
        }
        let sections = document.as_object_mut().context("the sidecar's configuration has no sections")?;
        for (section, address) in [("internal", self.internal_address()), ("operations", self.operations_address())] {
            let section = sections.entry(section).or_insert_with(|| json!({}));
            let section = section.as_object_mut().context("a section is no map")?;
            section.insert("listen".to_owned(), json!(address));
        }
        if let Some(public) = sections.get_mut("public").and_then(Value::as_object_mut) {
            public.insert("listen".to_owned(), json!(self.public_address()));
        }
        self.write("taskgate.yaml", &document.to_string())
    }

    /// Starts a sidecar here with that configuration and waits until it is ready.
    ///
    /// # Errors
    /// It is not built, refuses the configuration or does not get ready.
    pub async fn start(self, config: &str) -> anyhow::Result<Sidecar> {
        let mut sidecar = self.launch(config)?;
        sidecar.wait_ready().await?;
        Ok(sidecar)
    }

    /// Starts a sidecar here and waits for nothing.
    ///
    /// # Errors
    /// It is not built.
    pub fn launch(self, config: &str) -> anyhow::Result<Sidecar> {
        self.configure(config)?;
        let process = self.run()?;
        Ok(Sidecar { home: self, process })
    }

    fn run(&self) -> anyhow::Result<Process> {
        let words = self.launcher.iter().cloned().chain([environment::sidecar()?.into_os_string()]);
        let words: Vec<OsString> = words.collect();
        let (program, rest) = words.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(rest).arg("serve").arg("--config").arg(self.directory().join("taskgate.yaml"));
        Process::start(command, self.directory().join("log"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{}/{path}", self.operations_address());
        let answer = self.client.get(url).timeout(Duration::from_secs(5)).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }
}

// === impl Sidecar ===

impl Sidecar {
    /// Starts a sidecar in a new home with that configuration and waits until it is ready. Its
    /// `internal.listen` and `operations.listen` are set for it.
    ///
    /// # Errors
    /// As [`SidecarHome::start`].
    pub async fn start(config: &str) -> anyhow::Result<Self> {
        SidecarHome::new()?.start(config).await
    }

    /// Where it lives.
    #[must_use]
    pub fn home(&self) -> &SidecarHome {
        &self.home
    }

    /// The filter's listener.
    #[must_use]
    pub fn internal_address(&self) -> SocketAddr {
        self.home.internal_address()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything it logged so far, since before its restarts.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What `/metrics` says.
    ///
    /// # Errors
    /// No answer.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        self.home.get("metrics").await
    }

    /// Waits until `/readyz` says that it is ready.
    ///
    /// # Errors
    /// It ended, or does not get ready.
    pub async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let (home, process) = (&self.home, &mut self.process);
        let ready = wait_for(READY, "the sidecar to be ready", async || match process.check_alive() {
            Ok(()) => home.get("readyz").await.ok().map(|_| Ok(())),
            Err(error) => Some(Err(error)),
        });
        let ready = ready.await;
        ready.with_context(|| self.process.last_lines())?.context("the sidecar did not start")
    }

    /// Kills it, as the system would; it stays down until [`Self::restart`].
    ///
    /// # Errors
    /// It can't be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Freezes it; it accepts connections and answers nothing.
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

    /// Kills it if it runs, and starts it again with the same files and addresses.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process = self.home.run()?;
        self.wait_ready().await
    }

    /// Has it read its configuration again.
    ///
    /// # Errors
    /// It has ended.
    pub fn reload(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::HUP)
    }

    /// Asks it to end and waits for that; the home can be used again.
    ///
    /// # Errors
    /// It has ended already, or does not end.
    pub async fn stop(mut self) -> anyhow::Result<SidecarHome> {
        self.process.terminate(END).await?;
        Ok(self.home)
    }
}
