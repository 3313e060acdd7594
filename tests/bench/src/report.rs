//! What the samples come to: a table for people, figures for machines.

use std::time::Duration;

use serde_json::{Map, Value};
use taskgate_test_kit::environment;

use crate::bench::SMALLEST;
use crate::load::histogram;
use crate::memory::{FEW, Footprint, MANY, Memory, mib};
use crate::push::Push;
use crate::rounds::Sample;
use crate::screen;
use crate::stage::Table;
use crate::statistics::Spread;
use crate::variant::Way;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) samples: &'a [Sample],
    pub(crate) ways: &'a [Way],
}

impl Sample {
    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "a slice has fewer requests than a float has steps")]
    fn rate(&self) -> f64 {
        self.tally.requests as f64 / self.tally.elapsed.as_secs_f64()
    }

    /// Envoy's CPU time per request, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a slice has fewer requests than a float has steps")]
    pub(crate) fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.tally.requests as f64
    }

    /// CPU time per request of who is asked, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a slice has fewer requests than a float has steps")]
    fn asking(&self) -> f64 {
        self.asked_cpu.as_secs_f64() * 1e6 / self.tally.requests as f64
    }

    /// Which part of the time Envoy's process was running.
    fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.tally.elapsed.as_secs_f64()
    }
}

impl Report<'_> {
    fn of(&self, way: Way) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.way == way)
    }

    /// A value of each round's slice of one way, set against that of another.
    pub(crate) fn paired(&self, way: Way, base: Way, combine: impl Fn(&Sample, &Sample) -> f64) -> Spread {
        Spread::of(self.of(way).filter_map(|sample| {
            let other = self.of(base).find(|other| other.round == sample.round)?;
            Some(combine(sample, other))
        }))
    }

    pub(crate) fn throughput(&self, way: Way, base: Way) -> Spread {
        self.paired(way, base, |sample, other| sample.rate() / other.rate())
    }

    /// Prints the table.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        screen::line(&format!(
            "{:<32}{:>9}  {:<20}{:>9}  {:<20}{:>7}{:>8}{:>8}{:>6}",
            "variant", "req/s", "ratio to plain", "CPU us", "added us", "asked", "p50 us", "p99 us", "busy"
        ));
        for way in self.ways {
            let rate = Spread::of(self.of(*way).map(Sample::rate)).median;
            let cost = Spread::of(self.of(*way).map(Sample::cost)).median;
            let asking = Spread::of(self.of(*way).map(Sample::asking)).median;
            let busy = Spread::of(self.of(*way).map(Sample::busy)).median * 100.0;
            let ratio = range(self.throughput(*way, Way::Plain), 2);
            let added = range(self.paired(*way, Way::Plain, |sample, other| sample.cost() - other.cost()), 1);
            let mut latencies = histogram()?;
            for sample in self.of(*way) {
                latencies.add(&sample.tally.latencies)?;
            }
            let [p50, p99] = [0.5, 0.99].map(|part| latencies.value_at_quantile(part));
            let name = way.name();
            screen::line(&format!(
                "{name:<32}{rate:>9.0}  {ratio:<20}{cost:>9.1}  {added:<20}{asking:>7.1}{p50:>8}{p99:>8}{busy:>5.0}%"
            ));
        }
        screen::line(
            "medians over rounds, [least-most]; ratios and added CPU within a round; CPU is Envoy's, per request;\nasked: CPU of the sidecar or authoriser, per request; busy: Envoy; below 95% something else was the limit",
        );
        Ok(())
    }

    /// The figures by name; those of ways that did not run are not numbers.
    pub(crate) fn figures(&self, memory: &Memory) -> Vec<(&'static str, f64)> {
        let ratio = |way, base| self.throughput(way, base).median;
        vec![
            ("cached_vs_plain", ratio(Way::Cached, Way::Plain)),
            ("session_vs_plain", ratio(Way::Session, Way::Plain)),
            ("public_vs_plain", ratio(Way::Public, Way::Plain)),
            ("noop_vs_plain", ratio(Way::Noop, Way::Plain)),
            ("cached_vs_ext_authz_grpc", ratio(Way::Cached, Way::AuthzGrpc)),
            ("uncached_vs_ext_authz_grpc", ratio(Way::Uncached, Way::AuthzGrpc)),
            ("cached_100k_vs_10", ratio(Way::Cached, Way::CachedAmong(SMALLEST))),
            ("worker_mib_100k", memory.taskgate.per_worker()),
        ]
    }
}

/// Prints what memory and time tables take.
pub(crate) fn print_table(table: &Table, memory: &Memory, push: Push) {
    let seconds = |duration: Duration| format!("{:.2} s", duration.as_secs_f64());
    let footprint = |name: &str, footprint: &Footprint| {
        let text = |memory: taskgate_test_kit::EnvoyMemory| {
            format!("{:>6.1} ({:.1} in heap)", mib(memory.resident), mib(memory.allocated))
        };
        let per_worker = footprint.per_worker();
        screen::line(&format!(
            "{name:<32}{:<26}{:<26}{per_worker:>6.1} MiB a further worker",
            text(footprint.few),
            text(footprint.many),
        ));
    };
    screen::line(&format!(
        "{:<32}{:<26}{:<26}",
        "resident MiB of Envoy",
        format!("  {FEW} worker"),
        format!("  {MANY} workers")
    ));
    footprint(&format!("taskgate, {} services", table.services), &memory.taskgate);
    footprint("plain route alone", &memory.plain);
    screen::line(&format!("sidecar ready after its start: {}", seconds(table.ready_after)));
    screen::line(&format!(
        "all of {MANY} workers serve all services after Envoy is ready: {}",
        seconds(memory.served_after)
    ));
    screen::line(&format!(
        "one more service in the file: published by the sidecar after {} (it reads the whole file), served {} ms later",
        seconds(push.published),
        push.served.saturating_sub(push.published).as_millis(),
    ));
}

/// Writes the figures of that name; those of a smoke test never take the place of real ones.
pub(crate) fn write(name: &str, figures: &[(&'static str, f64)], is_quick: bool) -> anyhow::Result<()> {
    let directory = environment::repository().join("target/bench");
    std::fs::create_dir_all(&directory)?;
    let figures: Map<String, Value> =
        figures.iter().map(|(name, value)| ((*name).to_owned(), ((value * 1e4).round() / 1e4).into())).collect();
    let path = directory.join(format!("{name}{}.json", if is_quick { "-quick" } else { "" }));
    std::fs::write(&path, format!("{:#}\n", Value::Object(figures)))?;
    screen::line(&format!("written: {}", path.display()));
    Ok(())
}

/// A median, and between what it lies.
pub(crate) fn range(spread: Spread, digits: usize) -> String {
    let Spread { median, least, most } = spread;
    format!("{median:.digits$} [{least:.digits$}-{most:.digits$}]")
}
