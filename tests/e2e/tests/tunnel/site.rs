//! A gateway with tunnels, jobs that speak TCP, and `taskgate tunnel` as people run it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, bail};
use serde_json::json;
use taskgate_test_kit::environment;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::gateway::Gateway;
use crate::support::ingress::handshake;
use crate::support::service::host;
use crate::support::setup::Setup;
use crate::support::soon;

/// With tunnels.
pub(super) fn with_tunnels(setup: Setup) -> Setup {
    setup.configure(|config| {
        config["public"] = json!({"listen": "127.0.0.1:0"});
        config["tunnels"] = json!({"ping_secs": 1});
    })
}

/// A job whose connections the test takes itself.
pub(super) struct Job {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Job {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The next connection to it.
    pub(super) async fn next(&self) -> anyhow::Result<TcpStream> {
        Ok(soon("a connection to the job", self.listener.accept()).await??.0)
    }
}

/// What a program of ours needs to reach a service through that gateway: an environment, and a token in a file.
pub(super) struct Pass {
    pub(super) token: NamedTempFile,
    ingress: SocketAddr,
}

impl Pass {
    pub(super) fn new(ingress: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let mut file = NamedTempFile::new()?;
        file.write_all(token.as_bytes())?;
        Ok(Self { token: file, ingress })
    }

    /// The variables by which names of services lead to the gateway: in tests there is no DNS that knows them.
    pub(super) fn variables(&self) -> [(&'static str, String); 4] {
        let proxy = format!("http://{}", self.ingress);
        [
            ("http_proxy", proxy),
            ("no_proxy", String::new()),
            ("NO_PROXY", String::new()),
            ("RUST_BACKTRACE", "0".into()),
        ]
    }

    /// `taskgate` with these words, and the token.
    pub(super) fn command(&self, words: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(environment::sidecar()?);
        command.args(words).arg("--token-file").arg(self.path()).envs(self.variables());
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    pub(super) fn path(&self) -> &Path {
        self.token.path()
    }
}

/// `taskgate tunnel`, running.
pub(super) struct Tunnel {
    child: Child,
    pub(super) address: SocketAddr,
    _pass: Pass,
}

impl Tunnel {
    /// A local port that leads to the service of that task.
    pub(super) async fn open(gateway: &Gateway, task: &str, token: &str) -> anyhow::Result<Self> {
        let pass = Pass::new(gateway.ingress.address, token)?;
        let mut child = pass.command(&["tunnel", &url(task), "-p", "0"])?.spawn().context("can't run taskgate")?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let line = soon("the tunnel to listen", lines.next_line()).await??;
        let Some(line) = line else { bail!("it ended: {}", errors(&mut child).await?) };
        let address = line.split(' ').next().unwrap_or_default().parse().with_context(|| line.clone())?;
        Ok(Self { child, address, _pass: pass })
    }

    /// A connection through it.
    pub(super) async fn connect(&self) -> anyhow::Result<TcpStream> {
        Ok(soon("a connection", TcpStream::connect(self.address)).await??)
    }

    /// The next line of what it complains about.
    pub(super) async fn complaint(&mut self) -> anyhow::Result<String> {
        let mut lines = BufReader::new(self.child.stderr.as_mut().context("no standard error")?).lines();
        soon("a complaint", lines.next_line()).await??.context("it ended")
    }
}

async fn errors(child: &mut Child) -> anyhow::Result<String> {
    let mut text = String::new();
    soon("the errors", child.stderr.as_mut().context("no standard error")?.read_to_string(&mut text)).await??;
    Ok(text)
}

/// What became of `taskgate ssh-proxy`, with its standard error.
pub(super) async fn ssh_proxy(gateway: &Gateway, task: &str, token: &str) -> anyhow::Result<(ExitStatus, String)> {
    let pass = Pass::new(gateway.ingress.address, token)?;
    let output = soon("ssh-proxy", pass.command(&["ssh-proxy", &url(task)])?.output()).await??;
    Ok((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Where the service of that task is.
pub(super) fn url(task: &str) -> String {
    format!("http://{}/", host(task))
}

/// A WebSocket as a stock client opens it: of no subprotocol.
pub(super) async fn stock(
    address: SocketAddr,
    task: &str,
    token: Option<&str>,
) -> anyhow::Result<WebSocketStream<TcpStream>> {
    stock_with(address, handshake(task, token)?).await
}

/// The same with that request.
pub(super) async fn stock_with(address: SocketAddr, request: Request) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let stream = soon("a connection", TcpStream::connect(address)).await??;
    Ok(soon("a WebSocket", client_async(request, stream)).await??.0)
}

/// Says that there is no more, and reads all that comes back.
pub(super) async fn finish(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    soon("the end to be taken", stream.shutdown()).await??;
    rest(stream).await
}

/// All that comes until the end.
pub(super) async fn rest(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    soon("all data", stream.read_to_end(&mut bytes)).await??;
    Ok(bytes)
}

/// So many bytes that repeat nothing for long.
pub(super) fn bytes(count: usize) -> Vec<u8> {
    (0_u64..).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(count).collect()
}
