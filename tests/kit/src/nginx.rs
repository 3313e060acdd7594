//! A running NGINX with a configuration of the caller's.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A running NGINX, with one process that works. Dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    directory: TempDir,
    address: ReservedAddress,
    _server: Process,
}

impl Nginx {
    /// Starts one that listens on a free port, with these lines in its `server` block, and waits until it is ready.
    /// Relative paths in them are below [`Self::directory`].
    ///
    /// # Errors
    /// It is not installed, refuses the lines or does not get ready.
    pub async fn start(server: &str) -> anyhow::Result<Self> {
        let program = environment::nginx()?;
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let at = directory.path();
        fs::create_dir_all(at.join("body"))?;
        let config = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log nginx.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\naccess_log off;\nsendfile on;\nclient_body_temp_path body;\nproxy_temp_path body;\n\
             fastcgi_temp_path body;\nuwsgi_temp_path body;\nscgi_temp_path body;\n\
             server {{\nlisten {};\n{server}\n}}\n}}\n",
            address.address()
        );
        fs::write(at.join("nginx.conf"), config)?;
        let mut command = Command::new(program);
        command.current_dir(at).arg("-p").arg(at).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        let mut process = Process::start(command, at.join("out"))?;
        let ready = wait_for(READY, "nginx to be ready", async || match process.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => TcpStream::connect(address.address()).await.ok().map(|_| Ok(())),
        });
        ready.await?.context("nginx did not start")?;
        Ok(Self { directory, address, _server: process })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// What relative paths are below.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
