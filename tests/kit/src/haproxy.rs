//! A running HAProxy with `forward-auth/haproxy.cfg`, the very file that operators copy.

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

/// A running HAProxy that asks a sidecar. Dropping it kills it.
#[derive(Debug)]
pub struct Haproxy {
    address: ReservedAddress,
    server: Process,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts one that asks that sidecar, which may want a secret, on a free port, and waits until it is ready.
    ///
    /// # Errors
    /// HAProxy is not there or refuses the configuration; the file has no place for a value.
    pub async fn start(sidecar: SocketAddr, secret: Option<&str>) -> anyhow::Result<Self> {
        let root = environment::haproxy()?;
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let script = directory.path().join("taskgate.lua");
        let mut values = vec![
            ("/etc/haproxy/taskgate.lua".to_owned(), script.display().to_string()),
            ("bind :8080".to_owned(), format!("bind {}", address.address())),
            ("server sidecar 127.0.0.1:7013".to_owned(), format!("server sidecar {sidecar}")),
            // Such names are known on the whole machine.
            ("abns@taskgate-ask".to_owned(), format!("abns@taskgate-ask-{}", address.address().port())),
        ];
        if let Some(secret) = secret {
            let line = |value: &str| format!("http-request set-header x-taskgate-internal \"{value}\"");
            values.push((format!("# {}", line("...")), line(secret)));
        }
        let [config, lua] = ["haproxy.cfg", "taskgate.lua"].map(|name| {
            let path = environment::repository().join("forward-auth").join(name);
            fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
        });
        let (mut config, mut lua) = (config?, lua?);
        for (what, value) in values {
            ensure!(config.contains(&what), "haproxy.cfg has no `{what}`");
            config = config.replace(&what, &value);
            lua = lua.replace(&what, &value);
        }
        fs::write(&script, lua)?;
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, config)?;
        let mut command = Command::new(root.join("usr/sbin/haproxy"));
        let libraries = ["x86_64", "aarch64"].map(|name| root.join(format!("usr/lib/{name}-linux-gnu")));
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries)?).arg("-db").arg("-f").arg(&file);
        let mut server = Process::start(command, directory.path().join("log"))?;
        let ready = wait_for(READY, "HAProxy to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => TcpStream::connect(address.address()).await.ok().map(|_| Ok(())),
        });
        ready.await?.context("HAProxy did not start")?;
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
