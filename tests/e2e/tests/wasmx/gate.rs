//! A sidecar and an NGINX with the filter.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{ReservedAddress, Sidecar, environment, wait_until};
use tempfile::TempDir;

use crate::support::ask::{Answer, Ask, Link};
use crate::support::service::{BASE_DOMAIN, Service};
use crate::support::setup::Setup;
use crate::support::{PATIENCE, soon};

/// Both, running.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) sidecar: Sidecar,
    directory: TempDir,
    http1: ReservedAddress,
    http2: ReservedAddress,
    server: Child,
}

/// The NGINX to run on.
pub(super) fn program() -> Option<PathBuf> {
    std::env::var_os("TASKGATE_WASMX_NGINX").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Starts both and waits until the filter has the table. None where there is no such NGINX: the test is
/// skipped then.
pub(super) async fn start(services: impl IntoIterator<Item = Service>) -> anyhow::Result<Option<Gate>> {
    let Some(program) = program() else { return Ok(None) };
    let sidecar = Setup::new(services).start_sidecar().await?;
    let directory = tempfile::tempdir()?;
    let (http1, http2) = (ReservedAddress::new()?, ReservedAddress::new()?);
    let at = directory.path();
    fs::create_dir(at.join("body"))?;
    let config = filled(sidecar.internal_address(), http1.address(), http2.address())?;
    fs::write(at.join("nginx.conf"), config)?;
    let out = fs::File::create(at.join("out"))?;
    let mut command = Command::new(program);
    command.current_dir(at).arg("-p").arg(at).args(["-c", "nginx.conf", "-e", "nginx.log"]);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let server = command.spawn().context("can't start nginx")?;
    let mut gate = Gate { sidecar, directory, http1, http2, server };
    gate.wait_for_table().await?;
    Ok(Some(gate))
}

impl Gate {
    /// Where clients of HTTP/1.1 connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.http1.address()
    }

    /// Where clients of HTTP/2 without TLS connect.
    pub(super) fn http2_address(&self) -> SocketAddr {
        self.http2.address()
    }

    pub(super) async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        ask.send(self.address()).await
    }

    /// A connection of each protocol.
    pub(super) async fn links(&self) -> anyhow::Result<[Link; 2]> {
        Ok([Link::http1(self.address()).await?, Link::http2(self.http2_address()).await?])
    }

    /// The audit so far.
    pub(super) fn audit(&self) -> String {
        fs::read_to_string(self.directory.path().join("audit.log")).unwrap_or_default()
    }

    /// No worker has died: the one process that there is runs, and a request is answered.
    pub(super) async fn assert_alive(&mut self) -> anyhow::Result<()> {
        let log = || fs::read_to_string(self.directory.path().join("nginx.log")).unwrap_or_default();
        ensure!(self.server.try_wait()?.is_none(), "nginx died:\n{}", log());
        let nowhere = Ask::get(&format!("00000000.{BASE_DOMAIN}"), "/");
        let answer = self.send(nowhere).await?;
        ensure!(answer.status == 404 || answer.status == 503, "{}: {}", answer.status, answer.text());
        Ok(())
    }

    async fn wait_for_table(&mut self) -> anyhow::Result<()> {
        let nowhere = format!("00000000.{BASE_DOMAIN}");
        let address = self.address();
        let knows = async || {
            let answer = Ask::get(&nowhere, "/").send(address).await;
            answer.is_ok_and(|answer| answer.status == 404)
        };
        let waited = wait_until(PATIENCE, "the filter to have the table", knows).await;
        let log = || fs::read_to_string(self.directory.path().join("nginx.log")).unwrap_or_default();
        waited.with_context(log)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `nginx-config/wasmx.conf` with a test's values, in one process.
fn filled(sidecar: SocketAddr, http1: SocketAddr, http2: SocketAddr) -> anyhow::Result<String> {
    let path = environment::repository().join("nginx-config/wasmx.conf");
    let mut text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    let filter = std::env::var_os("TASKGATE_WASMX_FILTER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let filter = filter.unwrap_or_else(|| environment::repository().join("target/wasm/taskgate_filter_wasmx.wasm"));
    ensure!(filter.exists(), "not found: {}; run `make wasmx-filter`", filter.display());
    let folders = "client_body_temp_path body; proxy_temp_path body; fastcgi_temp_path body; \
                   uwsgi_temp_path body; scgi_temp_path body;";
    for (from, to) in [
        ("user www-data;", "daemon off; master_process off;".to_owned()),
        ("pid /run/nginx.pid;", "pid nginx.pid;".to_owned()),
        ("/var/log/nginx/error.log warn", "nginx.log info".to_owned()),
        ("/usr/lib/taskgate/taskgate_filter_wasmx.wasm", filter.display().to_string()),
        ("http {\n", format!("http {{\n{folders}\n")),
        ("listen 80;", format!("listen {http1}; listen {http2} http2;")),
        ("/var/log/nginx/taskgate.log", "audit.log".to_owned()),
        ("/var/log/nginx/taskgate.error.log crit", "nginx.log info".to_owned()),
        ("address = 127.0.0.1:7010", format!("address = {sidecar}")),
    ] {
        ensure!(text.matches(from).count() == 1, "`{from}` is not once in wasmx.conf");
        text = text.replace(from, &to);
    }
    Ok(text)
}

/// Many requests at once, each over a connection of its own that stays: what came back.
pub(super) async fn at_once(
    address: SocketAddr,
    connections: usize,
    rounds: usize,
    ask: impl Fn(usize, usize) -> Ask,
) -> anyhow::Result<Vec<u16>> {
    let mut statuses = Vec::new();
    let mut links = Vec::new();
    for _ in 0..connections {
        links.push(Link::http1(address).await?);
    }
    for round in 0..rounds {
        let sent = links.iter_mut().enumerate().map(|(nth, link)| link.send(ask(round, nth)));
        for answer in soon("many answers", futures_util::future::join_all(sent)).await? {
            statuses.push(answer?.status);
        }
    }
    Ok(statuses)
}
