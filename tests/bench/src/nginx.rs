//! `make bench-nginx`: what stock NGINX pays for asking the sidecar.
//!
//! One NGINX runs `nginx-config/auth_request.conf` as it is shipped, another one the same with decisions that are used
//! again for a second; the first has a plain `proxy_pass` to the same jobs on a port of its own. All have one worker,
//! and are asked in turns by the same client, so what counts are ratios within a round. The jobs are a group of NGINX,
//! whose connections are kept, but where it says otherwise.
//!
//! Read in this order: [`stage`], [`turns`], [`report`].
//!
//! Never counts an answer other than 200: one of them fails the run.

pub(crate) mod arguments;
mod report;
mod stage;
mod turns;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::nginx::arguments::Options;
use crate::nginx::report::Report;
use crate::nginx::stage::Stage;
use crate::placement::Placement;
use crate::{aims, screen};

/// How long everything beside the rounds may take.
const OVERHEAD: Duration = Duration::from_secs(300);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let rounds = options.slice() * options.rounds() * 20;
    // What runs ends with the future.
    timeout(OVERHEAD + rounds, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let placement = Placement::apply(1, !options.no_pin)?;
    screen::title(&format!(
        "{} rounds of {:?} slices, {} connections, one worker; {}",
        options.rounds(),
        options.slice(),
        arguments::CONNECTIONS,
        placement.describe("NGINX"),
    ));
    let stage = Stage::start(&placement).await?;
    stage.check().await?;
    screen::line("every way forwards what it should, and refuses what it should");
    let report = Report { samples: turns::run(&stage, options).await? };
    screen::title("Throughput, CPU and latency");
    report.print();
    let figures = report.figures();
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<34}{value:>9.3}")));
    screen::title("Aims");
    aims::lines(&aims::NGINX, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("nginx", &figures, options.quick)
}
