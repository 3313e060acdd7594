//! Ways to one job, measured in turns. What counts are ratios within a round.

use std::net::SocketAddr;

use tokio::task::spawn_blocking;

use crate::report::range;
use crate::screen;
use crate::statistics::Spread;
use crate::tcp::arguments::Options;
use crate::tcp::job;

/// What one way was in one round.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Bytes a second.
    rate: f64,
    /// Seconds until what is said is heard back.
    latency: f64,
}

/// Rounds of ways. The first way is the direct one.
pub(super) struct Compared {
    names: Vec<&'static str>,
    rounds: Vec<Vec<Measured>>,
}

impl Compared {
    /// Each round takes every way for a moment.
    pub(super) async fn measure(ways: &[(&'static str, SocketAddr)], options: &Options) -> anyhow::Result<Self> {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds() {
            let mut round = Vec::new();
            for (_, address) in ways {
                let (address, slice) = (*address, options.slice());
                let measured = spawn_blocking(move || {
                    let rate = job::throughput(address, slice)?;
                    anyhow::Ok(Measured { rate, latency: job::latency(address, slice / 4)? })
                });
                round.push(measured.await??);
            }
            rounds.push(round);
        }
        Ok(Self { names: ways.iter().map(|(name, _)| *name).collect(), rounds })
    }

    /// How much of the other way's throughput a way has.
    pub(super) fn ratio(&self, way: usize, base: usize) -> Spread {
        self.of(way, base, |measured, base| measured.rate / base.rate)
    }

    /// By how many microseconds an answer comes later than on the other way.
    pub(super) fn added(&self, way: usize, base: usize) -> Spread {
        self.of(way, base, |measured, base| (measured.latency - base.latency) * 1e6)
    }

    /// Prints the table.
    pub(super) fn print(&self, title: &str) {
        screen::title(title);
        screen::line(&format!("{:<18}{:>8}{:>22}{:>12}{:>26}", "way", "GB/s", "ratio to direct", "rtt us", "added us"));
        for (way, name) in self.names.iter().enumerate() {
            let rate = self.of(way, 0, |measured, _| measured.rate / 1e9).median;
            let latency = self.of(way, 0, |measured, _| measured.latency * 1e6).median;
            let (ratio, added) = (range(self.ratio(way, 0), 2), range(self.added(way, 0), 1));
            screen::line(&format!("{name:<18}{rate:>8.2}{ratio:>22}{latency:>12.1}{added:>26}"));
        }
    }

    fn of(&self, way: usize, base: usize, value: impl Fn(&Measured, &Measured) -> f64) -> Spread {
        Spread::of(self.rounds.iter().filter_map(|round| Some(value(round.get(way)?, round.get(base)?))))
    }
}
