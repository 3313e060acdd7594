//! What the rounds and moves come to: a table for people, figures for machines.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use taskgate_test_kit::Sidecar;

use crate::discovery::moves::Move;
use crate::discovery::rounds::{Sample, sum};
use crate::memory::mib;
use crate::report::range;
use crate::screen;
use crate::statistics::Spread;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    /// First rounds, each of another sidecar.
    pub(crate) cold: Vec<Sample>,
    /// Later ones of the last of them.
    pub(crate) steady: Vec<Sample>,
    pub(crate) moves: Vec<Move>,
    pub(crate) footprint: Footprint,
}

/// What the sidecar had in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// The most memory that it ever held, in MiB.
    peak: f64,
    /// What it held then.
    resident: f64,
    services: f64,
    rows: f64,
    problems: f64,
}

/// A kind of rounds.
struct Kind<'a> {
    name: &'static str,
    samples: Vec<&'a Sample>,
}

impl Footprint {
    /// What a sidecar has now.
    pub(crate) async fn of(sidecar: &Sidecar) -> anyhow::Result<Self> {
        let metrics = sidecar.metrics().await?;
        let status = fs::read_to_string(format!("/proc/{}/status", sidecar.id()))?;
        let held = |name: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
            Ok(mib(kibibytes.saturating_mul(1_024)))
        };
        Ok(Self {
            peak: held("VmHWM:")?,
            resident: held("VmRSS:")?,
            services: sum(&metrics, "taskgate_services"),
            rows: sum(&metrics, "taskgate_ytsaurus_table_rows"),
            problems: sum(&metrics, "taskgate_service_problems"),
        })
    }
}

impl Kind<'_> {
    fn spread(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(|sample| value(sample)))
    }

    fn took(&self) -> Spread {
        self.spread(|sample| sample.took.as_secs_f64())
    }

    fn cpu(&self) -> Spread {
        self.spread(|sample| sample.cpu.as_secs_f64())
    }

    fn calls(&self, command: &str) -> f64 {
        self.spread(|sample| sample.calls.of(command).to_string().parse().unwrap_or(f64::NAN)).median
    }

    fn print(&self) {
        let cluster = self.spread(|sample| sample.cluster_cpu.as_secs_f64());
        screen::line(&format!(
            "{:<26}{:>3}  {:<20}{:<20}{:<20}{:>6}{:>8}{:>10}{:>7}{:>6}",
            self.name,
            self.samples.len(),
            range(self.took(), 2),
            range(self.cpu(), 2),
            range(cluster, 2),
            self.calls("list_operations"),
            self.calls("execute_batch"),
            self.calls("execute_batch/list_jobs"),
            self.calls("execute_batch/get"),
            self.calls("execute_batch/list"),
        ));
    }
}

impl Report {
    fn kinds(&self) -> [Kind<'_>; 3] {
        let (listing, between) = self.steady.iter().partition(|sample| sample.lists());
        [
            Kind { name: "first", samples: self.cold.iter().collect() },
            Kind { name: "later, with operations", samples: listing },
            Kind { name: "later, jobs alone", samples: between },
        ]
    }

    fn moved(&self, value: impl Fn(&Move) -> Duration) -> Spread {
        Spread::of(self.moves.iter().map(|one| value(one).as_secs_f64()))
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        screen::line(&format!(
            "{:<26}{:>3}  {:<20}{:<20}{:<20}{:>6}{:>8}{:>10}{:>7}{:>6}",
            "round", "n", "s", "CPU s", "cluster's CPU s", "lists", "batches", "list_jobs", "ports", "SPYT"
        ));
        self.kinds().iter().for_each(Kind::print);
        screen::line(
            "medians, [least-most]; CPU is the sidecar's since the round before, with all that it does beside;\nlists and batches are calls, the rest are parts of batches",
        );
        let Footprint { peak, resident, services, rows, problems } = self.footprint;
        screen::line(&format!("{services} services, {rows} rows in the table, {problems} problems"));
        screen::line(&format!("memory of the sidecar: {peak:.1} MiB at most, {resident:.1} MiB in the end"));
        screen::line(&format!(
            "a job moved: reached where it is now after {} s; waited for the next round {} s, the round {} s",
            range(self.moved(|one| one.took), 2),
            range(self.moved(Move::waited), 2),
            range(self.moved(|one| one.round), 2),
        ));
    }

    /// The figures by name.
    pub(crate) fn figures(&self) -> Vec<(&'static str, f64)> {
        let [cold, listing, between] = self.kinds();
        let moved = self.moved(|one| one.took);
        vec![
            ("list_calls", cold.calls("list_operations")),
            ("batch_calls", cold.calls("execute_batch")),
            ("round_seconds", cold.took().median),
            ("cpu_seconds", cold.cpu().median),
            ("steady_list_calls", listing.calls("list_operations")),
            ("steady_batch_calls", between.calls("execute_batch")),
            ("steady_round_seconds", between.took().median),
            ("steady_cpu_seconds", between.cpu().median),
            ("steady_listing_round_seconds", listing.took().median),
            ("steady_listing_cpu_seconds", listing.cpu().median),
            ("peak_mib", self.footprint.peak),
            ("resident_mib", self.footprint.resident),
            ("services", self.footprint.services),
            ("problems", self.footprint.problems),
            ("move_to_route_seconds", moved.median),
            ("move_to_route_worst_seconds", moved.most),
            ("move_waited_seconds", self.moved(Move::waited).median),
            ("move_round_seconds", self.moved(|one| one.round).median),
        ]
    }
}
