//! What the samples come to.

use std::time::Duration;

use crate::nginx::stage::Way;
use crate::nginx::turns::Sample;
use crate::report::range;
use crate::screen;
use crate::statistics::Spread;

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) samples: Vec<Sample>,
}

impl Sample {
    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "a slice has fewer requests than a float has steps")]
    fn rate(&self) -> f64 {
        self.tally.requests as f64 / self.tally.elapsed.as_secs_f64()
    }

    /// CPU time per request, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a slice has fewer requests than a float has steps")]
    fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.tally.requests as f64
    }
}

impl Report {
    fn of(&self, way: Way) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.way == way)
    }

    fn spread(&self, way: Way, value: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.of(way).map(value))
    }

    /// Its throughput beside that of the plain way in the same round.
    fn ratio(&self, way: Way) -> Spread {
        Spread::of(self.of(way).filter_map(|sample| {
            let plain = self.of(Way::Plain).find(|plain| plain.round == sample.round)?;
            Some(sample.rate() / plain.rate())
        }))
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        screen::line(&format!(
            "{:<32}{:>9}  {:<20}{:>9}{:>9}{:>8}{:>8}{:>6}",
            "way", "req/s", "ratio to plain", "CPU us", "asked", "p50 us", "p99 us", "busy"
        ));
        for way in Way::ALL {
            #[expect(clippy::cast_precision_loss, reason = "latencies are far below what a float tells apart")]
            let latency = |quantile: f64| {
                self.spread(way, |sample| sample.tally.latencies.value_at_quantile(quantile) as f64).median
            };
            let busy = self.spread(way, |sample| sample.cpu.as_secs_f64() / sample.tally.elapsed.as_secs_f64()).median;
            screen::line(&format!(
                "{:<32}{:>9.0}  {:<20}{:>9.1}{:>9.1}{:>8.0}{:>8.0}{:>5.0}%",
                way.name(),
                self.spread(way, Sample::rate).median,
                range(self.ratio(way), 2),
                self.spread(way, |sample| sample.each(sample.cpu)).median,
                self.spread(way, |sample| sample.each(sample.asked_cpu)).median,
                latency(0.5),
                latency(0.99),
                busy * 100.0,
            ));
        }
        screen::line(
            "medians over rounds, [least-most]; ratios within a round; CPU is that of NGINX's worker, asked that of the\nsidecar, per request; busy: the worker; below 95% something else was the limit",
        );
    }

    /// The figures by name.
    pub(super) fn figures(&self) -> Vec<(&'static str, f64)> {
        let cost = |way| self.spread(way, |sample| sample.each(sample.cpu)).median;
        vec![
            ("auth_request_vs_plain", self.ratio(Way::Asking).median),
            ("auth_request_cached_vs_plain", self.ratio(Way::Cached).median),
            ("auth_request_no_group_vs_plain", self.ratio(Way::AskingForAddress).median),
            ("plain_cpu_us", cost(Way::Plain)),
            ("auth_request_cpu_us", cost(Way::Asking)),
            ("auth_request_cached_cpu_us", cost(Way::Cached)),
        ]
    }
}
