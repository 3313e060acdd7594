//! What a worker takes of memory, and how soon it serves.

use std::time::{Duration, Instant};

use serde_json::Value;
use taskgate_test_kit::EnvoyMemory;

use crate::envoy_config;
use crate::placement::Placement;
use crate::stage::{self, Backends, Table};

/// Numbers of workers that are compared.
pub(crate) const FEW: u8 = 1;
/// The larger one.
pub(crate) const MANY: u8 = 3;
/// How long Envoy has to give back what it needed on the way.
const SETTLE: Duration = Duration::from_secs(2);

/// What an Envoy takes, with few workers and with many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    pub(crate) few: EnvoyMemory,
    pub(crate) many: EnvoyMemory,
}

/// With and without Taskgate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) taskgate: Footprint,
    pub(crate) plain: Footprint,
    /// From Envoy's readiness until all of the many workers served the whole table.
    pub(crate) served_after: Duration,
}

impl Footprint {
    /// MiB of the machine's memory for one more worker.
    pub(crate) fn per_worker(&self) -> f64 {
        (mib(self.many.resident) - mib(self.few.resident)) / f64::from(MANY - FEW)
    }
}

/// Starts Envoys with that table and without, and looks.
pub(crate) async fn measure(table: &Table, backends: &Backends, placement: &Placement) -> anyhow::Result<Memory> {
    let taskgate = envoy_config::taskgate_alone(table.sidecar.internal_address())?;
    let plain = envoy_config::plain_alone(&backends.places)?;
    let (few, _) = look(&taskgate, FEW, Some(table), placement).await?;
    let (many, served_after) = look(&taskgate, MANY, Some(table), placement).await?;
    let taskgate = Footprint { few, many };
    let (few, _) = look(&plain, FEW, None, placement).await?;
    let (many, _) = look(&plain, MANY, None, placement).await?;
    Ok(Memory { taskgate, plain: Footprint { few, many }, served_after })
}

async fn look(
    config: &Value,
    workers: u8,
    table: Option<&Table>,
    placement: &Placement,
) -> anyhow::Result<(EnvoyMemory, Duration)> {
    let envoy = stage::envoy(config, workers).await?;
    placement.release(envoy.id())?;
    let start = Instant::now();
    if let Some(table) = table {
        table.wait_served(&envoy, workers).await?;
    }
    let served_after = start.elapsed();
    tokio::time::sleep(SETTLE).await;
    let memory = envoy.memory().await?;
    envoy.stop().await?;
    Ok((memory, served_after))
}

/// The most memory that a process has ever held, in MiB; none where it is gone.
pub(crate) fn high_water(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(mib(kibibytes.saturating_mul(1_024)))
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "memory has fewer bytes than a float has steps")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
