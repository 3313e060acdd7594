//! Envoy's admin listener.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A client of the admin listener.
#[derive(Debug)]
pub(super) struct Admin {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, client: reqwest::Client::new() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{}/{path}", self.address);
        let answer = self.client.get(url).timeout(ANSWER).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    pub(super) async fn listener_address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let listeners = self.json("listeners?format=json").await?;
        let mut listeners = listeners["listener_statuses"].as_array().into_iter().flatten();
        let found = listeners.find(|listener| listener["name"] == name).context("no such listener")?;
        let socket = &found["local_address"]["socket_address"];
        let text = |key: &str| socket[key].as_str().map_or_else(|| socket[key].to_string(), str::to_owned);
        Ok(SocketAddr::new(text("address").parse()?, text("port_value").parse()?))
    }

    pub(super) async fn stats(&self, filter: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        let url = reqwest::Url::parse_with_params("http://admin/stats", [("format", "json"), ("filter", filter)])?;
        let stats = self.json(&format!("stats?{}", url.query().unwrap_or_default())).await?;
        let stats = stats["stats"].as_array().into_iter().flatten();
        let entry = |stat: &Value| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?));
        Ok(stats.filter_map(entry).collect())
    }

    pub(super) async fn allocated_bytes(&self) -> anyhow::Result<u64> {
        let memory = self.json("memory").await?;
        Ok(memory["allocated"].as_str().context("no `allocated`")?.parse()?)
    }

    async fn json(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.get(path).await?)?)
    }
}
