//! `make bench-discovery`: what discovery takes in a YTsaurus cluster as large as there are.
//!
//! The cluster is the emulator in a process of its own, so that nothing of it counts as the sidecar's; the
//! sidecar is the real program. Rounds are those that it counts itself, calls are those that the cluster
//! saw. In the end a real job moves, with a real Envoy in front, and requests are made until one gets to
//! where the job is now.
//!
//! Read in this order: [`population`] (what is in the cluster), [`cluster`] (its process), [`rounds`],
//! [`moves`], [`report`].
//!
//! Never goes on after a round that failed: its figures would be of something else.

pub(crate) mod arguments;
pub(crate) mod cluster;
mod config;
pub(crate) mod job;
mod moves;
mod population;
mod report;
mod rounds;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{Sidecar, SidecarHome};
use tokio::time::timeout;

use crate::discovery::arguments::Options;
use crate::discovery::cluster::Cluster;
use crate::discovery::report::{Footprint, Report};
use crate::discovery::rounds::Rounds;
use crate::placement::Placement;
use crate::{aims, screen};

/// How many CPUs the sidecar has.
const CPUS: u8 = 2;
/// How long a run may take beside what it waits for.
const OVERHEAD: Duration = Duration::from_secs(300);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(OVERHEAD + options.waits(), measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let placement = Placement::apply(CPUS, !options.no_pin)?;
    let size = options.size();
    screen::title(&format!(
        "{} running operations, {} of them vanilla, {} jobs on {} nodes; {}",
        size.vanilla + size.others,
        size.vanilla,
        size.jobs,
        size.nodes,
        placement.describe("the sidecar"),
    ));
    let mut cluster = Cluster::start(options.divisor()).await?;
    let document = config::document(cluster.address(), options);
    let (mut sidecar, cold) = rounds::cold(&document, &mut cluster, options.cold(), &placement).await?;
    screen::line(&format!("{} times started", options.cold()));
    let measured = async {
        let mut rounds = Rounds::of(&sidecar).await?;
        let steady = rounds::steady(&sidecar, &mut rounds, &mut cluster, options.listings()).await?;
        screen::line(&format!("{} rounds later", steady.len()));
        let moves = moves::run(&sidecar, &mut rounds, &mut cluster, options).await?;
        screen::line(&format!("{} times moved", moves.len()));
        anyhow::Ok(Report { cold, steady, moves, footprint: Footprint::of(&sidecar).await? })
    };
    let report = measured.await.with_context(|| format!("the sidecar's log:\n{}", last_lines(&sidecar)))?;
    let failed = sidecar.log().lines().find(|line| line.contains("discovery failed")).map(ToOwned::to_owned);
    ensure!(failed.is_none(), "a round failed: {}", failed.unwrap_or_default());
    sidecar.wait_ready().await?;
    let _: SidecarHome = sidecar.stop().await?;

    screen::title("Rounds");
    report.print();
    let figures = report.figures();
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<34}{value:>9.3}")));
    screen::title("Aims");
    aims::lines(&aims::DISCOVERY, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("discovery", &figures, options.quick)
}

/// The end of its log.
fn last_lines(sidecar: &Sidecar) -> String {
    let log = sidecar.log();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
