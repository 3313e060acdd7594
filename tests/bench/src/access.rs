//! `make bench-access`: what a session and an assertion cost on the way through Envoy, and how soon a WebSocket ends
//! whose session was ended.
//!
//! Two gates run side by side, alike but for assertions, since those are for all of an installation. Requests go
//! through both in turns, beside a plain static route, a public service and a cached verdict; what counts are
//! differences and ratios within a round, as in the bench of the request path. What the functions take by themselves,
//! compiled for this machine and not for the proxy, is printed beside it.
//!
//! Read in this order: [`native`], [`streams`], [`report`].
//!
//! Never counts an answer other than the expected one: one of them fails the run.

pub(crate) mod arguments;
mod native;
mod report;
mod streams;

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::access::arguments::Options;
use crate::access::report::Figures;
use crate::placement::Placement;
use crate::report::Report;
use crate::request::Requests;
use crate::stage::{Backends, Gate, Table};
use crate::variant::{Variant, Way};
use crate::{aims, rounds, screen, verify};

/// How long everything beside the rounds may take.
const OVERHEAD: Duration = Duration::from_secs(300);
/// How many services the table has.
const SERVICES: usize = 1_000;
/// The ways through the gate without assertions.
const PLAINLY: [Way; 5] = [Way::Plain, Way::Public, Way::Cached, Way::Session, Way::ManySessions];
/// The ways through the one with them.
const ASSERTED: [Way; 2] = [Way::Asserted, Way::AssertedAnew];

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let requests = options.requests();
    let rounds = requests.slice() * requests.rounds() * 20;
    // What runs ends with the future.
    timeout(OVERHEAD + rounds, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let requests = options.requests();
    let placement = Placement::apply(requests.concurrency, !requests.no_pin)?;
    screen::title(&format!(
        "{} rounds of {:?} slices, {} connections, {} workers; {}",
        requests.rounds(),
        requests.slice(),
        requests.connections,
        requests.concurrency,
        placement.describe("Envoy"),
    ));
    let backends = Backends::start(requests.endpoints, 1).await?;
    let mut gates = Vec::new();
    for lifetime_secs in [0, 300] {
        let table = Table::configured(SERVICES, 1, &backends, &sections(lifetime_secs)).await?;
        gates.push(Gate::start(table, &backends, requests.concurrency, false, &placement).await?);
    }
    let [without, with] = &gates[..] else { anyhow::bail!("two gates") };
    let mut variants = Vec::new();
    for (gate, ways) in [(without, &PLAINLY[..]), (with, &ASSERTED[..])] {
        let none = Requests::unseen(Vec::new(), 0);
        for way in ways {
            variants.push(Variant::new(*way, gate, &none).await?);
        }
    }
    for variant in &variants {
        verify::check(variant).await?;
    }
    screen::line("every variant forwards what it should and refuses what it should");
    let samples = rounds::run(&variants, &backends, &requests).await;
    let samples = samples.with_context(|| format!("Envoy's log:\n{}", with.envoy.log()))?;
    let ways: Vec<Way> = variants.iter().map(|variant| variant.way).collect();
    screen::title("Throughput, CPU and latency");
    let requests = Report { samples: &samples, ways: &ways };
    requests.print()?;
    screen::title(&format!("A WebSocket whose session is ended, {} times", options.revocations()));
    let ended = streams::measure(without, options.revocations()).await?;
    let figures = Figures { requests, native: native::measure(options.quick)?, ended };
    figures.print();
    let figures = figures.list();
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<34}{value:>9.3}")));
    screen::title("Aims");
    aims::lines(&aims::ACCESS, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("access", &figures, options.quick)?;
    drop(variants);
    for gate in gates {
        gate.stop().await?;
    }
    Ok(())
}

/// What is configured beside services and tokens. No session is asked about while it is measured.
fn sections(assertion_lifetime_secs: u64) -> [(&'static str, Value); 3] {
    [
        ("public", json!({"listen": "127.0.0.1:0"})),
        ("access", json!({"assertions": {"lifetime_secs": assertion_lifetime_secs}})),
        ("sessions", json!({"recheck_secs": 86_400})),
    ]
}
