//! A running NGINX with a configuration of the caller's, or with [the gate's](NginxGate).

mod gate;

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

pub use gate::NginxGate;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// Where it puts what is under way; all in [`make_folders`]'s.
const FOLDERS: &str = "client_body_temp_path body;\nproxy_temp_path body;\nfastcgi_temp_path body;\n\
                       uwsgi_temp_path body;\nscgi_temp_path body;\n";

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
        make_folders(at)?;
        let config = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log nginx.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\naccess_log off;\nsendfile on;\n{FOLDERS}server {{\nlisten {};\n{server}\n}}\n}}\n",
            address.address()
        );
        fs::write(at.join("nginx.conf"), config)?;
        let mut command = Command::new(program);
        command.current_dir(at).arg("-p").arg(at).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        let mut process = Process::start(command, at.join("out"))?;
        ready(&mut process, address.address()).await?;
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

/// Makes the folders that a configuration needs.
fn make_folders(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory.join("body")).context("can't make a folder for nginx")
}

/// Waits until clients can connect there.
async fn ready(process: &mut Process, address: SocketAddr) -> anyhow::Result<()> {
    let ready = wait_for(READY, "nginx to be ready", async || match process.check_alive() {
        Err(error) => Some(Err(error)),
        Ok(()) => TcpStream::connect(address).await.ok().map(|_| Ok(())),
    });
    ready.await?.context("nginx did not start")
}
