//! What the tests are written with: gateways, jobs that the test directs, and clients.

pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod curl;
pub(crate) mod false_sidecar;
pub(crate) mod gateway;
pub(crate) mod ingress;
pub(crate) mod jobs;
pub(crate) mod load;
pub(crate) mod service;
pub(crate) mod setup;
pub(crate) mod site;
pub(crate) mod stage;
pub(crate) mod wire;
pub(crate) mod yt;

use std::time::Duration;

/// What a test returns.
pub(crate) type Outcome = anyhow::Result<()>;

/// How long anything may take on a busy machine before a test gives up: far more than it needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, event).await.map_err(|_| anyhow::anyhow!("waited {PATIENCE:?} in vain: {what}"))
}
