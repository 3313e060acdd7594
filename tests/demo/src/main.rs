//! `make demo`: the main job of Taskgate, end to end, on one machine.
//!
//! It starts real parts (two HTTP jobs, a gRPC job, a WebSocket job, the sidecar, Envoy with the compiled
//! filter), makes the requests of the README, prints each with its answer, kills a job and shows that
//! nobody noticed. Then it stays up until Ctrl-C; with `--check` it exits instead, 0 where everything
//! was as it should be.
//!
//! Never leaves anything running: every process belongs to a value here.

mod cluster;
mod job;
mod screen;
mod tour;

use anyhow::Context as _;
use clap::Parser;

use crate::cluster::Cluster;

/// Shows Taskgate at work.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Exit after the tour, with 0 only where every answer was the expected one.
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    screen::title("Starting two HTTP jobs, a gRPC job, a WebSocket job, the sidecar and Envoy");
    let mut cluster = Cluster::start().await.context("the demo could not start")?;
    let surprises = tour::run(&mut cluster).await?;
    if arguments.check {
        cluster.stop().await?;
        anyhow::ensure!(surprises == 0, "{surprises} answers were not the expected ones");
        screen::title("Everything answered as it should, and nothing is left running");
        return Ok(());
    }
    cluster.describe();
    tokio::signal::ctrl_c().await?;
    cluster.stop().await
}
