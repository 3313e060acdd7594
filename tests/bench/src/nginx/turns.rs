//! The rounds: each goes every way for a slice, beginning with another one each time.

use std::time::Duration;

use anyhow::Context as _;

use crate::cpu;
use crate::load::{Load, Tally};
use crate::nginx::arguments::{CONNECTIONS, Options};
use crate::nginx::stage::{Stage, Way};
use crate::screen;

/// What a slice came to.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) way: Way,
    pub(super) round: u32,
    pub(super) tally: Tally,
    /// CPU time of NGINX's worker.
    pub(super) cpu: Duration,
    /// That of the sidecar.
    pub(super) asked_cpu: Duration,
}

/// Runs all rounds.
pub(super) async fn run(stage: &Stage, options: &Options) -> anyhow::Result<Vec<Sample>> {
    let mut loads = Vec::new();
    for way in Way::ALL {
        loads.push((way, Load::open(stage.address(way), CONNECTIONS, stage.requests(way)).await?));
    }
    for (way, load) in &mut loads {
        load.run(options.slice()).await.with_context(|| format!("{}, warming up", way.name()))?;
    }
    let mut samples = Vec::new();
    for round in 0..options.rounds() {
        loads.rotate_left(1);
        for (way, load) in &mut loads {
            let sample = slice(stage, *way, load, round, options.slice()).await;
            samples.push(sample.with_context(|| format!("{}, round {round}", way.name()))?);
        }
        screen::line(&format!("round {} of {}", round.saturating_add(1), options.rounds()));
    }
    Ok(samples)
}

async fn slice(stage: &Stage, way: Way, load: &mut Load, round: u32, length: Duration) -> anyhow::Result<Sample> {
    // Connections that were idle for long are closed and have to be opened again.
    load.run(length / 10).await?;
    let processes = stage.processes(way)?;
    let before = [cpu::time(processes[0])?, cpu::time(processes[1])?];
    let tally = load.run(length).await?;
    let cpu = cpu::time(processes[0])?.saturating_sub(before[0]);
    let asked_cpu = cpu::time(processes[1])?.saturating_sub(before[1]);
    Ok(Sample { way, round, tally, cpu, asked_cpu })
}
