//! A sidecar and an Envoy that belong together.

use anyhow::ensure;
use serde_json::{Value, json};
use taskgate_test_kit::Sidecar;

use super::ask::Ask;
use super::ingress::Ingress;
use super::service::{self, Service};

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) sidecar: Sidecar,
    pub(crate) ingress: Ingress,
    pub(crate) config: Value,
}

impl Gateway {
    /// Replaces all services.
    pub(crate) fn publish(&self, services: &[Service]) -> anyhow::Result<()> {
        self.sidecar.home().write("services.yaml", &service::file(services))
    }

    /// Replaces the sidecar's configuration.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        change(&mut self.config);
        self.sidecar.home().configure(&self.config.to_string())?;
        self.sidecar.reload()
    }

    /// A session of Alice with the service of that task, as sign-in would make it.
    pub(crate) async fn session(&self, task: &str) -> anyhow::Result<String> {
        let wanted = json!({"service": service::id(task), "actor": "alice", "lifetime_secs": 3600});
        let ask = Ask::post("taskgate", "/internal/session", wanted.to_string());
        let answer = ask.header("content-type", "application/json").send(self.sidecar.internal_address()).await?;
        ensure!(answer.is_ok(), "no session: {}", answer.text());
        Ok(answer.json()?["token"].as_str().unwrap_or_default().to_owned())
    }
}
