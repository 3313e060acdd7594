//! A running Caddy with `forward-auth/Caddyfile`, the very file that operators copy.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A running Caddy that asks a sidecar. Dropping it kills it.
#[derive(Debug)]
pub struct Caddy {
    address: ReservedAddress,
    server: Process,
    _directory: TempDir,
}

impl Caddy {
    /// Starts one that asks that sidecar, which may want a secret, on a free port, and waits until it is ready.
    ///
    /// # Errors
    /// Caddy is not there or refuses the configuration; the file has no place for a value.
    pub async fn start(sidecar: SocketAddr, secret: Option<&str>) -> anyhow::Result<Self> {
        let program = environment::caddy()?;
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let path = environment::repository().join("forward-auth/Caddyfile");
        let mut config = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let mut values = vec![
            ("\n:8080 {\n", format!("\n:{} {{\n\tbind 127.0.0.1\n", address.address().port())),
            ("127.0.0.1:7013", sidecar.to_string()),
        ];
        if let Some(secret) = secret {
            values.push(("\t\t\theader_up -X-Taskgate-Internal\n", String::new()));
            values
                .push(("# header_up X-Taskgate-Internal \"...\"", format!("header_up X-Taskgate-Internal {secret:?}")));
        }
        for (what, value) in values {
            ensure!(config.contains(what), "Caddyfile has no `{what}`");
            config = config.replace(what, &value);
        }
        let file = directory.path().join("Caddyfile");
        fs::write(&file, config)?;
        let mut command = Command::new(program);
        // What it keeps for itself stays with the test.
        command.env("XDG_DATA_HOME", directory.path()).env("XDG_CONFIG_HOME", directory.path());
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        let mut server = Process::start(command, directory.path().join("log"))?;
        let ready = wait_for(READY, "Caddy to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => TcpStream::connect(address.address()).await.ok().map(|_| Ok(())),
        });
        ready.await?.context("Caddy did not start")?;
        Ok(Self { address, server, _directory: directory })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }
}
