//! A running NGINX with `nginx-config/auth_request.conf`, the very file that operators copy.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::nginx::{self, ready};
use crate::process::Process;

/// A running NGINX that asks a sidecar. Dropping it ends it, and its workers.
#[derive(Debug)]
pub struct NginxGate {
    directory: TempDir,
    http1: ReservedAddress,
    http2: ReservedAddress,
    server: Process,
}

impl NginxGate {
    /// Starts one that asks that sidecar, an address or `unix:/path`, and waits until it is ready. `change` gets the
    /// file with all values put in, and may change and add what belongs into `http`.
    ///
    /// # Errors
    /// NGINX is not installed, or refuses the configuration; the file has no place for a value.
    pub async fn start(sidecar: &str, change: impl FnOnce(String) -> String) -> anyhow::Result<Self> {
        let program = environment::nginx()?;
        let directory = tempfile::tempdir()?;
        let (http1, http2) = (ReservedAddress::new()?, ReservedAddress::new()?);
        let at = directory.path();
        nginx::make_folders(at)?;
        fs::write(at.join("taskgate.conf"), change(filled(sidecar, http1.address(), http2.address())?))?;
        // Where root runs it, workers would else be somebody who may not read here.
        let main = format!(
            "user root;\ndaemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log nginx.log info;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{}include taskgate.conf;\n}}\n",
            nginx::FOLDERS
        );
        fs::write(at.join("nginx.conf"), main)?;
        let mut command = Command::new(program);
        command.current_dir(at).arg("-p").arg(at).args(["-c", "nginx.conf", "-e", "nginx.log"]);
        let mut server = Process::start(command, at.join("out"))?;
        ready(&mut server, http1.address()).await?;
        Ok(Self { directory, http1, http2, server })
    }

    /// Where clients of HTTP/1.1 connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.http1.address()
    }

    /// Where clients of HTTP/2 without TLS connect.
    #[must_use]
    pub fn http2_address(&self) -> SocketAddr {
        self.http2.address()
    }

    /// Has it read its configuration again.
    ///
    /// # Errors
    /// It has ended.
    pub fn reload(&mut self) -> anyhow::Result<()> {
        self.server.signal(Signal::HUP)
    }

    /// The process id of the worker that takes new connections; none between two.
    #[must_use]
    pub fn worker(&self) -> Option<u32> {
        let master = self.server.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        // Those that look after memories are no workers.
        let is_worker = |id: &u32| {
            fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|title| title.contains("worker process"))
        };
        children.split_ascii_whitespace().filter_map(|id| id.parse().ok()).filter(is_worker).max()
    }

    /// The audit so far.
    #[must_use]
    pub fn audit(&self) -> String {
        fs::read_to_string(self.directory.path().join("audit.log")).unwrap_or_default()
    }

    /// What it said to operators so far.
    #[must_use]
    pub fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("nginx.log")).unwrap_or_default()
    }

    /// What `nginx -T` prints for it.
    ///
    /// # Errors
    /// The configuration is refused.
    pub fn dump(&self) -> anyhow::Result<String> {
        let at = self.directory.path();
        let mut command = Command::new(environment::nginx()?);
        command.current_dir(at).arg("-p").arg(at).args(["-c", "nginx.conf", "-e", "nginx.log", "-T"]);
        let output = command.output().context("can't run nginx")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for NginxGate {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.end();
    }
}

/// The file with those values.
fn filled(sidecar: &str, http1: SocketAddr, http2: SocketAddr) -> anyhow::Result<String> {
    let path = environment::repository().join("nginx-config/auth_request.conf");
    let mut text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    for (from, to) in [
        ("server 127.0.0.1:7013;", format!("server {sidecar};")),
        ("listen 80;", format!("listen {http1}; listen {http2} http2;")),
        ("/var/log/nginx/taskgate.log", "audit.log".to_owned()),
        ("/var/log/nginx/taskgate.error.log", "nginx.log".to_owned()),
        ("/dev/shm/taskgate", "decisions".to_owned()),
    ] {
        ensure!(text.matches(from).count() == 1, "`{from}` is not there once in {}", path.display());
        text = text.replace(from, &to);
    }
    Ok(text)
}
