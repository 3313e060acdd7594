//! The way to a service: what its address is, and a WebSocket to it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{Method, StatusCode, Upgraded};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::Url;

use crate::cli::server::{self, Client, NoAnswer, Server};
use crate::http::{self, Answer, HttpError};
use crate::random;
use crate::tunnel::bridge::{Kind, PING_INTERVAL, SUBPROTOCOL};
use crate::tunnel::frame::Side;

/// How long it may take until a tunnel is open: verdict, connecting to jobs.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a refusal.
const MAX_REFUSAL: usize = 64 << 10;
/// What paths of workloads begin with, on hosts where names of services are in paths.
const PROXY: &str = "proxy";

/// Which service, and who asks.
#[derive(Debug, Args)]
pub(in crate::cli) struct Service {
    /// the service: its address as in `https://ae5cf6f5.tasks.example.test`, its host name alone, or, with `--at`, its
    /// id or another name of it
    service: String,
    /// where people sign in, as in `https://access.tasks.example.test`: knows the addresses of services by their names
    #[arg(long, value_name = "URL", env = "TASKGATE_ACCESS")]
    at: Option<String>,
    /// a file with your token
    #[arg(long, value_name = "FILE", env = "TASKGATE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// The way to a service.
#[derive(Clone)]
pub(in crate::cli) struct Way {
    client: Client,
    url: Url,
}

#[derive(Debug, Deserialize)]
struct Found {
    url: Option<String>,
}

impl Service {
    /// The way to it.
    pub(in crate::cli) async fn way(&self) -> anyhow::Result<Way> {
        let address = match (self.service.contains("://"), self.service.contains('.')) {
            (true, _) => self.service.clone(),
            (false, true) => format!("https://{}", self.service),
            (false, false) => self.look_up().await?,
        };
        let url = http::parse_url(&address).with_context(|| format!("`{address}`"))?;
        let server = Server::at(address, self.token_file.clone());
        Ok(Way { client: server.client_of(http::upgradable(TIMEOUT)?)?, url })
    }

    /// The address of a service that is called by its name.
    async fn look_up(&self) -> anyhow::Result<String> {
        let Some(at) = &self.at else {
            bail!(
                "`{}` is no address: write one as in `https://…`, or say with `--at` who knows its name",
                self.service
            )
        };
        let client = Server::at(at.clone(), self.token_file.clone()).client()?;
        let label = utf8_percent_encode(&self.service, NON_ALPHANUMERIC);
        let found: Found = server::json(client.request(Method::GET, &format!("/v1/services/{label}"))).await?;
        found.url.with_context(|| format!("{at} knows `{}`, and no address of it", self.service))
    }
}

impl Way {
    /// The way to another port of the workload.
    pub(super) fn to_port(&self, port: Option<u16>) -> anyhow::Result<Self> {
        let Some(port) = port else { return Ok(self.clone()) };
        let mut segments = self.url.path().split('/').skip(1);
        let (Some(PROXY), Some(task)) = (segments.next(), segments.next().filter(|task| !task.is_empty())) else {
            bail!(
                "`-p LOCAL:{port}`: each port of this workload is a service of its own, so name that one, and LOCAL alone"
            )
        };
        let task = task.split(':').next().unwrap_or_default();
        let mut url = self.url.clone();
        url.set_path(&format!("/{PROXY}/{task}:{port}/"));
        Ok(Self { url, ..self.clone() })
    }

    /// What it leads to, for people.
    pub(super) fn name(&self) -> &str {
        self.url.as_str()
    }

    /// Opens a tunnel.
    pub(in crate::cli) async fn open(&self) -> anyhow::Result<(Upgraded, Kind)> {
        let key = STANDARD.encode(random::bytes::<16>()?);
        let request = self.client.request_to(Method::GET, self.url.clone()).header(CONNECTION, "upgrade");
        let request = request.header(UPGRADE, "websocket").header(SEC_WEBSOCKET_VERSION, "13");
        let request = request.header(SEC_WEBSOCKET_KEY, &key).header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        let failed = |error: &reqwest::Error| NoAnswer::Exchange(HttpError::Exchange(http::explain(error)));
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
                if body.len() + chunk.len() > MAX_REFUSAL {
                    break;
                }
                body.extend_from_slice(&chunk);
            }
            if status.is_success() {
                bail!("the server answered {}: it speaks HTTP there, and opens no tunnel", status.as_u16());
            }
            return Err(NoAnswer::refused(&Answer { status, headers, body }).into());
        }
        let headers = response.headers();
        if text(headers, SEC_WEBSOCKET_ACCEPT.as_str()) != Some(&derive_accept_key(key.as_bytes())) {
            bail!("the server's answer is no WebSocket's");
        }
        let is_ours = text(headers, SEC_WEBSOCKET_PROTOCOL.as_str()) == Some(SUBPROTOCOL);
        let socket = response.upgrade().await.map_err(|error| failed(&error))?;
        Ok((socket, Kind { side: Side::Client, is_ours, pings: PING_INTERVAL }))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn way(service: &str) -> anyhow::Result<Way> {
        Service { service: service.to_owned(), at: None, token_file: None }.way().await
    }

    #[tokio::test]
    async fn a_service_is_an_address_or_a_host() {
        assert_eq!(way("http://127.0.0.1:8080/x").await.expect("an address").name(), "http://127.0.0.1:8080/x");
        assert_eq!(way("a.tasks.example.test").await.expect("a host").name(), "https://a.tasks.example.test/");
        for text in ["ae5cf6f5", "ftp://a.b", "https://user@a.b", "https://user:secret@a.b"] {
            assert!(way(text).await.is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn ports_are_of_workloads_in_paths() {
        for (address, url) in [
            ("https://gw.test/proxy/abc", "https://gw.test/proxy/abc:8265/"),
            ("https://gw.test/proxy/abc:1/", "https://gw.test/proxy/abc:8265/"),
        ] {
            assert_eq!(way(address).await.and_then(|way| way.to_port(Some(8265))).expect("a port").name(), url);
        }
        for address in ["https://gw.test/", "https://gw.test/proxy/", "https://gw.test/other/abc"] {
            assert!(way(address).await.expect("an address").to_port(Some(1)).is_err(), "{address}");
        }
    }
}
