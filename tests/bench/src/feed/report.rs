//! What was measured: lines for people, figures for machines.

use crate::feed::arguments::Options;
use crate::feed::loads::{Kind, Load, Loads};
use crate::feed::moves::{Moves, Way};
use crate::report::range;
use crate::screen;
use crate::statistics::Spread;

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) moves: Vec<Moves>,
    pub(super) loads: Loads,
}

impl Report {
    fn percentile(&self, way: Way, services: u32, percent: usize) -> f64 {
        let found = self.moves.iter().find(|moves| moves.way == way && moves.services == services);
        found.map_or(f64::NAN, |moves| moves.percentile(percent))
    }

    fn spread(&self, kind: Kind, value: impl Fn(&Load) -> f64) -> Spread {
        Spread::of(self.loads.of(kind).map(value))
    }

    /// Milliseconds of the slowest answer, load by load.
    fn stall(&self, kind: Kind) -> Spread {
        self.spread(kind, |load| load.seen.most)
    }

    /// Prints tables.
    pub(super) fn print(&self) {
        screen::title("From a changed row to the first answer from the new address, ms");
        screen::line(&format!("{:<12}{:>12}{:>10}{:>10}", "known from", "services", "p50", "p99"));
        for moves in &self.moves {
            let [p50, p99] = [50, 99].map(|percent| moves.percentile(percent));
            screen::line(&format!("{:<12}{:>12}{p50:>10.1}{p99:>10.1}", moves.way.to_string(), moves.services));
        }
        screen::title("A whole table, and how long others wait meanwhile; medians [least-most] of the loads");
        screen::line(&format!(
            "{:<24}{:<24}{:<24}{:>9}{:>9}{:>10}",
            "", "seconds", "slowest answer, ms", "p99, ms", "p50, ms", "requests"
        ));
        for (kind, name) in [
            (Kind::Quiet, "nothing changes"),
            (Kind::Start, "a new Envoy"),
            (Kind::Arrival, "all services are new"),
            (Kind::Renewal, "a new sidecar"),
        ] {
            let took = range(self.spread(kind, |load| load.took.as_secs_f64()), 2);
            let stall = range(self.stall(kind), 2);
            let [p99, p50] = [self.spread(kind, |load| load.seen.p99), self.spread(kind, |load| load.seen.p50)];
            let requests: usize = self.loads.of(kind).map(|load| load.seen.requests).sum();
            screen::line(&format!(
                "{name:<24}{took:<24}{stall:<24}{:>9.2}{:>9.2}{requests:>10}",
                p99.median, p50.median
            ));
        }
        screen::line(&format!("one more worker with the whole table: {:.1} MiB", self.loads.worker_mib));
    }

    /// The figures by name.
    pub(super) fn figures(&self, options: &Options) -> Vec<(&'static str, f64)> {
        let (few, many) = (options.few(), options.services());
        let p99 = self.percentile(Way::Provider, many, 99);
        let stalls = [Kind::Start, Kind::Arrival, Kind::Renewal].map(|kind| self.stall(kind).median);
        vec![
            ("feed_p50_ms_100k", self.percentile(Way::Provider, many, 50)),
            ("feed_p99_ms_100k", p99),
            ("feed_p99_ms_1k", self.percentile(Way::Provider, few, 99)),
            ("feed_p99_100k_vs_1k", p99 / self.percentile(Way::Provider, few, 99)),
            ("feed_file_p99_ms_100k", self.percentile(Way::File, many, 99)),
            ("feed_file_p99_ms_1k", self.percentile(Way::File, few, 99)),
            ("stall_max_ms", stalls.into_iter().fold(f64::NAN, f64::max)),
            ("stall_quiet_ms", self.stall(Kind::Quiet).median),
            ("load_seconds_100k", self.spread(Kind::Start, |load| load.took.as_secs_f64()).median),
            ("worker_mib_100k", self.loads.worker_mib),
        ]
    }
}
