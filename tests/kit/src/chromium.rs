//! A running Chromium without a window, to be told what to do by the DevTools protocol.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A browser with a profile of its own. Hosts that end in `.test` are this machine for it, and it believes every
/// certificate. Dropping it kills it.
#[derive(Debug)]
pub struct Chromium {
    devtools: String,
    process: Process,
    _profile: TempDir,
}

impl Chromium {
    /// Starts one and waits until it can be told what to do.
    ///
    /// # Errors
    /// `make chromium` has not run, or it does not get ready.
    pub async fn start() -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(environment::chromium()?);
        command.args([
            "--headless=new",
            // Tests run as root in containers, where Chromium's own sandbox can't.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--no-default-browser-check",
            "--no-proxy-server",
            "--ignore-certificate-errors",
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process = Process::start(command, profile.path().join("log"))?;
        let port_file = profile.path().join("DevToolsActivePort");
        let ready = wait_for(READY, "Chromium to be ready", async || {
            if let Err(error) = process.check_alive() {
                return Some(Err(error));
            }
            // The port and the path, each in a line of its own.
            let text = fs::read_to_string(&port_file).ok()?;
            let (port, path) = text.trim_end().split_once('\n')?;
            Some(Ok(format!("ws://127.0.0.1:{port}{path}")))
        });
        let ready = ready.await;
        let devtools = ready.with_context(|| process.last_lines())?.context("Chromium did not start")?;
        Ok(Self { devtools, process, _profile: profile })
    }

    /// Where it is told what to do: a WebSocket.
    #[must_use]
    pub fn devtools(&self) -> &str {
        &self.devtools
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}
