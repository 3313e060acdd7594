//! How soon a new service can be reached.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use taskgate_test_kit::{Sidecar, wait_for};

use crate::client::Client;
use crate::envoy_config::listener;
use crate::request::{Credential, get};
use crate::sidecar_config;
use crate::stage::Gate;

const DEADLINE: Duration = Duration::from_secs(60);

/// From the change of the services file on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push {
    /// Until the sidecar has read the file, all of it, and published the change.
    pub(crate) published: Duration,
    /// Until Envoy serves the service.
    pub(crate) served: Duration,
}

/// Adds a service and waits for it.
pub(crate) async fn measure(gate: &Gate) -> anyhow::Result<Push> {
    let address = gate.envoy.listener_address(listener::TASKGATE).await?;
    let backend = gate.table.catalogue.with_one_more(&upstream(gate)?);
    let (service, file) = backend;
    let request = get("/", &service, &Credential::None);
    let sidecar = &gate.table.sidecar;
    let number = table_number(sidecar).await;
    sidecar.home().write(sidecar_config::SERVICES, &file)?;
    let start = Instant::now();
    let published = wait_for(DEADLINE, "the change to be published", async || {
        (table_number(sidecar).await != number).then(|| start.elapsed())
    });
    let served = wait_for(DEADLINE, "the new service to be served", async || {
        let mut client = Client::connect(address).await.ok()?;
        client.succeed(&request).await.ok().map(|()| start.elapsed())
    });
    let (published, served) = futures_util::future::try_join(published, served).await?;
    Ok(Push { published, served })
}

/// The number of the table's last change.
async fn table_number(sidecar: &Sidecar) -> Option<String> {
    let metrics = sidecar.metrics().await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix("taskgate_table_number ")).map(ToOwned::to_owned)
}

/// An address of the upstream, as the services file has it.
fn upstream(gate: &Gate) -> anyhow::Result<String> {
    let (_, rest) = gate.table.catalogue.file.split_once("endpoints: [\"").context("no endpoint")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
