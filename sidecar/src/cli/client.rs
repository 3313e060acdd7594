//! Talking to the internal listener of a running sidecar.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::api::guard::SECRET_HEADER;
use crate::config::load::load;
use crate::config::resolve::MAX_SECRET_BYTES;
use crate::file;
use crate::lifecycle::address::Listen;
use crate::secret::SecretText;
use crate::serve::Addresses;

/// The largest answer: a list of all services.
const MAX_ANSWER: usize = 512 << 20;
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The sidecar's configuration where nothing else is said, as for `taskgate serve`.
const CONFIG: &str = "taskgate.yaml";

/// Where the sidecar is.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// the sidecar's configuration file: says where it listens, and with which secret; by default `taskgate.yaml`,
    /// where there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// where the sidecar listens: `ip:port` or `unix:/path`
    #[arg(long, value_name = "ADDRESS")]
    internal: Option<String>,
    /// the file that `taskgate serve --addresses-file` wrote
    #[arg(long, value_name = "FILE", conflicts_with = "internal")]
    addresses_file: Option<PathBuf>,
    /// a file with the sidecar's `internal.secret`
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// A sidecar that can be asked.
struct Client {
    listen: Listen,
    secret: Option<SecretText>,
}

impl Target {
    /// Whether anything says where the sidecar is.
    pub(super) const fn is_given(&self) -> bool {
        self.config.is_some() || self.internal.is_some() || self.addresses_file.is_some() || self.secret_file.is_some()
    }

    /// The configuration file to go by.
    fn configuration(&self) -> Option<&Path> {
        let is_elsewhere = self.internal.is_some() || self.addresses_file.is_some();
        let default = || Some(Path::new(CONFIG)).filter(|path| !is_elsewhere && path.exists());
        self.config.as_deref().or_else(default)
    }

    /// Asks the sidecar and reads its JSON answer.
    pub(super) fn ask<T: DeserializeOwned>(&self, method: &Method, path: &str, body: Vec<u8>) -> anyhow::Result<T> {
        let client = self.client()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
        let exchange = async { tokio::time::timeout(TIMEOUT, client.exchange(method, path, body)).await };
        let answer = runtime
            .block_on(exchange)
            .with_context(|| format!("the sidecar at {} did not answer in time", client.listen))??;
        serde_json::from_slice(&answer).context("the answer is not what is expected; are both of the same release?")
    }

    fn client(&self) -> anyhow::Result<Client> {
        let settings = self.configuration().map(load).transpose()?;
        let listen = match (&self.internal, &self.addresses_file, &settings) {
            (Some(text), ..) => Listen::parse(text, "0").with_context(|| format!("`--internal {text}`"))?,
            (None, Some(path), _) => {
                let text = file::read_text(path, 64 << 10)?;
                let addresses: Addresses = serde_json::from_str(&text).context("the addresses file can't be read")?;
                Listen::parse(&addresses.internal, "0").context("the addresses file can't be read")?
            }
            (None, None, Some(settings)) => settings.internal.clone(),
            (None, None, None) => bail!(
                "there is no `{CONFIG}` here: say where the sidecar is, by `--config`, `--internal` or \
                 `--addresses-file`"
            ),
        };
        if matches!(&listen, Listen::Tcp(address) if address.port() == 0) {
            bail!("the sidecar picked a port of its own: say which with `--internal` or `--addresses-file`");
        }
        let configured = settings.and_then(|settings| settings.internal_secret);
        let given = self.secret_file.as_deref().map(|path| file::read_text(path, MAX_SECRET_BYTES)).transpose()?;
        let given = given.map(|text| SecretText::from(text.trim_end_matches(['\r', '\n']).to_owned()));
        let secret = given.or(configured);
        Ok(Client { listen, secret })
    }
}

impl Client {
    async fn exchange(&self, method: &Method, path: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
        let unreachable = || format!("can't reach the sidecar at {}; does it run?", self.listen);
        let stream: Box<dyn Stream> = match &self.listen {
            Listen::Tcp(address) => Box::new(TcpStream::connect(address).await.with_context(unreachable)?),
            Listen::Unix { path, .. } => Box::new(UnixStream::connect(path).await.with_context(unreachable)?),
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.with_context(unreachable)?;
        let mut request = Request::builder().method(method).uri(path).header("host", "taskgate");
        if let Some(secret) = &self.secret {
            request = request.header(SECRET_HEADER, secret.expose());
        }
        let request = request.body(Full::new(Bytes::from(body))).context("the request can't be made")?;
        let exchange = async {
            let response = sender.send_request(request).await.with_context(unreachable)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer did not arrive whole: {error}"))?.to_bytes();
            if !status.is_success() {
                bail!("the sidecar answered {}: {}", status.as_u16(), detail(&body));
            }
            Ok(body)
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end first, with the whole answer there already.
            _ = connection => exchange.await,
        }
    }
}

/// What a problem's body says.
fn detail(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")).and_then(serde_json::Value::as_str);
    detail.unwrap_or("no details").to_owned()
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
