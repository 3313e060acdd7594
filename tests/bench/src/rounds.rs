//! The rounds: each runs every variant for a slice, starting with another one each time.
//!
//! What a slice came to is compared with slices of its own round alone: minutes later the machine is
//! another one.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::arguments::Options;
use crate::cpu;
use crate::load::{Load, Tally};
use crate::screen;
use crate::stage::Backends;
use crate::variant::{Variant, Way};

/// What counts questions to the sidecar.
const ASKED: &str = "wasmcustom.taskgate.verdicts.asked";

/// What a slice came to.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) way: Way,
    pub(crate) round: u32,
    pub(crate) tally: Tally,
    /// Envoy's CPU time.
    pub(crate) cpu: Duration,
    /// That of the sidecar or the authoriser: the price of asking.
    pub(crate) asked_cpu: Duration,
}

/// Runs all rounds.
pub(crate) async fn run(
    variants: &[Variant<'_>],
    backends: &Backends,
    options: &Options,
) -> anyhow::Result<Vec<Sample>> {
    let mut loads = Vec::new();
    for variant in variants {
        loads.push(Load::open(variant.address, options.connections, variant.requests.clone()).await?);
    }
    let mut samples = Vec::new();
    // Engines translate what runs often, after a while.
    for (variant, load) in variants.iter().zip(&mut loads) {
        load.run(options.slice()).await.with_context(|| format!("{}, warming up", variant.way.name()))?;
    }
    screen::line("warmed up");
    for round in 0..options.rounds() {
        let first = usize::try_from(round).unwrap_or_default();
        for turn in 0..variants.len() {
            let place = (first + turn) % variants.len();
            let (Some(variant), Some(load)) = (variants.get(place), loads.get_mut(place)) else { continue };
            let sample = slice(variant, backends, load, round, options.slice()).await;
            samples.push(sample.with_context(|| format!("{}, round {round}", variant.way.name()))?);
        }
        screen::line(&format!("round {} of {}", round.saturating_add(1), options.rounds()));
    }
    Ok(samples)
}

async fn slice(
    variant: &Variant<'_>,
    backends: &Backends,
    load: &mut Load,
    round: u32,
    length: Duration,
) -> anyhow::Result<Sample> {
    let envoy = &variant.gate.envoy;
    let who_is_asked = match variant.way {
        Way::AuthzGrpc | Way::AuthzHttp => backends.authoriser.id().context("the authoriser has ended")?,
        _ => variant.gate.table.sidecar.id(),
    };
    let asked = envoy.stat(ASKED).await?;
    // Connections to the upstream that were idle for long are closed and have to be opened again.
    let warm_up = load.run(length / 10).await?;
    let before = [cpu::time(envoy.id())?, cpu::time(who_is_asked)?];
    let tally = load.run(length).await?;
    let cpu = cpu::time(envoy.id())?.saturating_sub(before[0]);
    let asked_cpu = cpu::time(who_is_asked)?.saturating_sub(before[1]);
    let asked = envoy.stat(ASKED).await?.saturating_sub(asked);
    check_asked(variant.way, asked, warm_up.requests + tally.requests)?;
    Ok(Sample { way: variant.way, round, tally, cpu, asked_cpu })
}

/// A variant that asks the sidecar does so for every request; others hardly ever do (a verdict has to be
/// renewed now and then).
fn check_asked(way: Way, asked: u64, requests: u64) -> anyhow::Result<()> {
    if way.asks_always() {
        ensure!(asked >= requests, "only {asked} of {requests} requests asked the sidecar");
    } else {
        ensure!(asked <= 10, "{asked} of {requests} requests asked the sidecar");
    }
    Ok(())
}
