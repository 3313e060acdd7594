//! What is measured: a sidecar with a local store, and nginx.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{Nginx, Sidecar, SidecarHome};

const TOKEN: &str = "token-of-the-bench";
const ORIGIN: &str = "http://data.example.test";

/// What nginx needs to take files and to give them.
const NGINX: &str = "client_max_body_size 0;\nlocation / { root files; dav_methods PUT; create_full_put_path on; }\n";

/// What is measured.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) store: LocalSidecar,
    pub(super) durable: LocalSidecar,
    pub(super) nginx: Nginx,
}

/// A sidecar with a local store.
#[derive(Debug)]
pub(super) struct LocalSidecar {
    sidecar: Sidecar,
    client: reqwest::Client,
}

impl Stage {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let nginx = Nginx::start(NGINX).await?;
        Ok(Self { store: LocalSidecar::start(false).await?, durable: LocalSidecar::start(true).await?, nginx })
    }
}

impl LocalSidecar {
    /// Starts one; `durable`: an upload waits for the disk.
    pub(super) async fn start(durable: bool) -> anyhow::Result<Self> {
        let home = SidecarHome::new()?;
        home.write("services.yaml", "services: []\n")?;
        home.write("catalog.yaml", "projects: [{name: p, writers: {everyone: true}, readers: {everyone: true}}]\n")?;
        let digest = taskgate::digest::Digest::of(TOKEN.as_bytes());
        let config = format!(
            "gate: {{base_domains: [tasks.example.test]}}\npublic: {{}}\nlogs: {{level: warn}}\n\
             providers: [{{file: {{path: services.yaml}}}}]\n\
             verdicts: {{sources: [{{tokens: {{tokens: [{{sha256: {digest}, actor: bench}}]}}}}]}}\n\
             data:\n  stores: {{main: {{local: {{folder: objects, public_url: \"{ORIGIN}\", durable: {durable}, \
             keep_free: 0}}}}}}\n  catalog: [{{file: {{path: catalog.yaml}}}}]\n  upload: {{maxSize: 1Ti}}\n"
        );
        let sidecar = home.start(&config).await?;
        Ok(Self { sidecar, client: reqwest::Client::builder().no_proxy().build()? })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.sidecar.home().public_address()
    }

    pub(super) fn id(&self) -> u32 {
        self.sidecar.id()
    }

    /// Where its objects are.
    pub(super) fn folder(&self) -> PathBuf {
        self.sidecar.home().directory().join("objects")
    }

    /// Where a file of that name can be put: path and query.
    pub(super) async fn place(&self, name: &str) -> anyhow::Result<(String, String)> {
        let ask = json!({"project": "p", "domain": "d", "filename": name, "filename_root": "bench"});
        let answer = self.ask("uploads", &ask).await?;
        Ok((path(&answer["url"])?, answer["native_url"].as_str().context("no address")?.to_owned()))
    }

    /// Where the file at that address can be got: path and query.
    pub(super) async fn link(&self, uri: &str) -> anyhow::Result<String> {
        let answer = self.ask("downloads", &json!({"uri": uri})).await?;
        path(&answer["requests"][0]["url"])
    }

    async fn ask(&self, what: &str, ask: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}/v1/data/{what}", self.address());
        let answer = self.client.post(url).bearer_auth(TOKEN).json(ask).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Sends a message to a method of Flyte's data proxy.
    pub(super) async fn call(&self, method: &str, message: Vec<u8>) -> anyhow::Result<()> {
        let url = format!("http://{}/flyteidl2.dataproxy.DataProxyService/{method}", self.address());
        let request = self.client.post(url).bearer_auth(TOKEN).header("content-type", "application/proto");
        request.body(message).send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

/// What of a URL goes to the server.
fn path(url: &Value) -> anyhow::Result<String> {
    Ok(url.as_str().and_then(|url| url.strip_prefix(ORIGIN)).context("no URL")?.to_owned())
}
