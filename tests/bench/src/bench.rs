//! The whole run.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::arguments::Options;
use crate::placement::Placement;
use crate::report::{self, Report};
use crate::rounds::{self, Sample};
use crate::stage::{self, Backends, Gate, Table};
use crate::variant::{self, Way};
use crate::{aims, memory, push, screen, verify};

/// The size of the smallest table.
pub(crate) const SMALLEST: usize = 10;
/// The size of the one between that and the largest.
const SMALL: usize = 1_000;
/// How long everything beside the rounds may take.
const OVERHEAD: Duration = Duration::from_secs(240);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let rounds = options.slice() * options.rounds() * 20;
    // What runs ends with the future.
    timeout(OVERHEAD + rounds, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let placement = Placement::apply(options.concurrency, !options.no_pin)?;
    screen::title(&format!(
        "{} rounds of {:?} slices, {} connections, {} workers, {} services of {} addresses; {}",
        options.rounds(),
        options.slice(),
        options.connections,
        options.concurrency,
        options.services(),
        options.endpoints,
        placement.describe("Envoy"),
    ));
    let tokens = stage::tokens(options.services());
    let backends = Backends::start(options.endpoints, tokens).await?;
    let gates = gates(options, &backends, &placement).await?;
    let largest = gates.first().context("no gate")?;
    let sampled = sample(&gates, &backends, options).await;
    let (samples, ways) = sampled.with_context(|| format!("Envoy's log:\n{}", largest.envoy.log()))?;
    let report = Report { samples: &samples, ways: &ways };
    screen::title("Throughput, CPU and latency");
    report.print()?;
    if options.only.is_none() {
        screen::title("Memory and table");
        let memory = memory::measure(&largest.table, &backends, &placement).await?;
        let push = push::measure(largest).await?;
        report::print_table(&largest.table, &memory, push);
        let figures = report.figures(&memory);
        screen::title("Figures");
        figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<28}{value:>8.3}")));
        screen::title("Aims");
        aims::lines(&aims::REQUEST_PATH, &figures).iter().for_each(|line| screen::line(line));
        report::write("request-path", &figures, options.quick)?;
    }
    for gate in gates {
        gate.stop().await?;
    }
    Ok(())
}

/// A gate for each size of table, the largest first.
async fn gates(options: &Options, backends: &Backends, placement: &Placement) -> anyhow::Result<Vec<Gate>> {
    let mut gates = Vec::new();
    // Those for the comparison of sizes need one token each.
    let sizes = [(options.services(), stage::tokens(options.services())), (SMALLEST, 1), (SMALL, 1)];
    for (services, tokens) in sizes {
        let is_experimental = options.experiments && gates.is_empty();
        let table = Table::start(services, tokens, backends).await?;
        gates.push(Gate::start(table, backends, options.concurrency, is_experimental, placement).await?);
        screen::line(&format!("{services} services are there"));
    }
    Ok(gates)
}

/// Checks all variants and runs the rounds.
async fn sample(gates: &[Gate], backends: &Backends, options: &Options) -> anyhow::Result<(Vec<Sample>, Vec<Way>)> {
    let variants = variant::all(gates, options).await?;
    for variant in &variants {
        verify::check(variant).await?;
    }
    screen::line("every variant forwards what it should and refuses what it should");
    let samples = rounds::run(&variants, backends, options).await?;
    Ok((samples, variants.iter().map(|variant| variant.way).collect()))
}
