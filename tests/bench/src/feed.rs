//! `make bench-feed`: how soon a changed row is served, and what a full table does to a worker that takes it in.
//!
//! The sidecar is the library in a process of its own, with a provider that does what it is told, so that what is
//! measured starts when a provider knows of a change; the way through the services file is measured beside it.
//! Envoy has one worker. How long its event loop stands still is seen from outside: one connection asks for the same
//! service again and again, and its slowest answer is the longest that anybody waited.
//!
//! Read in this order: [`sidecar`] (the process), [`moves`], [`loads`], [`probe`], [`report`].
//!
//! Never counts a change that was not reached: a request that finds neither the old nor the new job fails the run.

pub(crate) mod arguments;
mod loads;
mod moves;
mod probe;
mod report;
pub(crate) mod sidecar;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::discovery::job::Job;
use crate::feed::arguments::Options;
use crate::feed::loads::Loads;
use crate::feed::moves::Way;
use crate::feed::report::Report;
use crate::feed::sidecar::FeedSidecar;
use crate::placement::Placement;
use crate::{aims, screen};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(900);
/// Workers of Envoy.
const WORKERS: u8 = 1;

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(LONGEST, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let placement = Placement::apply(WORKERS, !options.no_pin)?;
    probe::hurry(None);
    screen::title(&format!(
        "{} moves, {} loads of {} services; {}",
        options.moves(),
        options.loads(),
        options.services(),
        placement.describe("Envoy"),
    ));
    let jobs = [Job::start("A", "127.0.0.2:0").await?, Job::start("B", "127.0.0.3:0").await?];
    let mut moves = Vec::new();
    for services in [options.few(), options.services()] {
        for way in [Way::Provider, Way::File] {
            let mut sidecar = FeedSidecar::start(&jobs).await?;
            sidecar.fill(way, services).await?;
            moves.push(moves::measure(&mut sidecar, way, services, &jobs, options, &placement).await?);
        }
    }
    let loads = Loads::measure(&jobs, options, &placement).await?;
    let report = Report { moves, loads };
    report.print();
    let figures = report.figures(options);
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<34}{value:>9.3}")));
    screen::title("Aims");
    aims::lines(&aims::FEED, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("feed", &figures, options.quick)
}
