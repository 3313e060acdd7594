//! A whole table, taken in by one worker: how long it takes, and how long everybody else waits meanwhile.

use std::time::{Duration, Instant};

use taskgate_test_kit::{Envoy, wait_until};
use tokio::time::sleep;

use crate::client::Client;
use crate::discovery::job::Job;
use crate::envoy_config::{self, listener};
use crate::feed::arguments::Options;
use crate::feed::moves::Way;
use crate::feed::probe::{self, Probe, Seen};
use crate::feed::sidecar::{FeedSidecar, id};
use crate::memory::mib;
use crate::placement::Placement;
use crate::request::{Credential, get};
use crate::stage;

/// The longest that anything may take.
const LONGEST: Duration = Duration::from_secs(120);
/// Numbers of workers whose memory is compared.
const FEW: u8 = 1;
const MANY: u8 = 3;
/// How long Envoy has to give back what it needed on the way, and the mirror to be written.
const SETTLE: Duration = Duration::from_secs(4);

/// How a table comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None: nothing changes, for as long as a load takes about.
    Quiet,
    /// Envoy is new.
    Start,
    /// The services are new.
    Arrival,
    /// The sidecar is new, the services are the same.
    Renewal,
}

/// One load.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) kind: Kind,
    pub(super) took: Duration,
    pub(super) seen: Seen,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Loads {
    pub(super) loads: Vec<Load>,
    pub(super) worker_mib: f64,
}

impl Loads {
    pub(super) async fn measure(jobs: &[Job; 2], options: &Options, placement: &Placement) -> anyhow::Result<Self> {
        let mut loads = Vec::new();
        let mut sidecar = FeedSidecar::start(jobs).await?;
        for _ in 0..options.loads() {
            sidecar.renew().await?;
            sidecar.fill(Way::Provider, 1).await?;
            let envoy = start(&sidecar, 1).await?;
            placement.place(envoy.id())?;
            probe::hurry(Some(envoy.id()));
            serves(&envoy, 0).await?;
            let last = options.services() - 1;
            let probe = begin(&envoy).await?;
            let begun = Instant::now();
            sleep(Duration::from_secs(1)).await;
            loads.push(Load { kind: Kind::Quiet, took: begun.elapsed(), seen: probe.end()? });
            // Counted from when the provider knows: the registry's own time is in it.
            let probe = begin(&envoy).await?;
            let begun = Instant::now();
            sidecar.fill(Way::Provider, options.services()).await?;
            serves(&envoy, last).await?;
            let took = begun.elapsed();
            sleep(SETTLE).await;
            loads.push(Load { kind: Kind::Arrival, took, seen: probe.end()? });
            // What the last service's new address stands for is that the new life's table is whole.
            let probe = begin(&envoy).await?;
            sidecar.renew().await?;
            let begun = Instant::now();
            sidecar.fill(Way::Provider, options.services() + 1).await?;
            serves(&envoy, last + 1).await?;
            let took = begun.elapsed();
            sleep(SETTLE).await;
            loads.push(Load { kind: Kind::Renewal, took, seen: probe.end()? });
            envoy.stop().await?;
            let envoy = start(&sidecar, 1).await?;
            let begun = Instant::now();
            placement.place(envoy.id())?;
            probe::hurry(Some(envoy.id()));
            let probe = begin(&envoy).await?;
            serves(&envoy, last).await?;
            let took = begun.elapsed();
            sleep(SETTLE).await;
            loads.push(Load { kind: Kind::Start, took, seen: probe.end()? });
            envoy.stop().await?;
        }
        let worker_mib = worker(&sidecar, options, placement).await?;
        Ok(Self { loads, worker_mib })
    }

    /// Those of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Load> {
        self.loads.iter().filter(move |load| load.kind == kind)
    }
}

async fn start(sidecar: &FeedSidecar, workers: u8) -> anyhow::Result<Envoy> {
    stage::envoy(&envoy_config::taskgate_alone(sidecar.address())?, workers).await
}

async fn begin(envoy: &Envoy) -> anyhow::Result<Probe> {
    let address = envoy.listener_address(listener::TASKGATE).await?;
    Probe::start(address, get("/", &id(0), &Credential::None))
}

/// Waits until a service is served.
async fn serves(envoy: &Envoy, service: u32) -> anyhow::Result<()> {
    let mut client = Client::connect(envoy.listener_address(listener::TASKGATE).await?).await?;
    let request = get("/", &id(service), &Credential::None);
    let served = async || client.exchange(&request).await.is_ok_and(|answer| answer.status == 200);
    wait_until(LONGEST, "the table to arrive", served).await
}

/// MiB of the machine's memory for one more worker with the whole table.
async fn worker(sidecar: &FeedSidecar, options: &Options, placement: &Placement) -> anyhow::Result<f64> {
    let mut resident = Vec::new();
    for workers in [FEW, MANY] {
        let envoy = start(sidecar, workers).await?;
        placement.release(envoy.id())?;
        // Connections find workers by chance: so many find all of them.
        for _ in 0..24 {
            serves(&envoy, options.services() - 1).await?;
        }
        sleep(SETTLE).await;
        resident.push(mib(envoy.memory().await?.resident));
        envoy.stop().await?;
    }
    let [few, many] = resident[..] else { anyhow::bail!("two Envoys") };
    Ok((many - few) / f64::from(MANY - FEW))
}
