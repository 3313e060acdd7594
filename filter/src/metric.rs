//! The filter's metrics. Envoy shows them as `wasmcustom.taskgate…`; a host without metrics shows none.

use taskgate_core::denial::Denial;

use crate::abi::MetricType;
use crate::host;

/// A number that only rises; nothing where the host has no metrics.
#[derive(Clone, Copy, Debug)]
struct Counter(Option<u32>);

impl Counter {
    fn define(name: &str) -> Self {
        Self(host::define_metric(MetricType::Counter, name))
    }

    fn add_one(self) {
        if let Some(metric) = self.0 {
            host::count(metric);
        }
    }
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    permitted: Counter,
    denied: Vec<(Denial, Counter)>,
    redirected: Counter,
    cookies_dropped: Counter,
    connections_permitted: Counter,
    connections_refused: Counter,
    streams_ended: Counter,
    asked: Counter,
    endpoint_failed: Counter,
    poll_failed: Counter,
    services: Option<u32>,
}

impl Metrics {
    /// Makes them all known, so that each is there from the start.
    #[must_use]
    pub fn define() -> Self {
        Self {
            permitted: Counter::define("taskgate.requests.permitted"),
            denied: Denial::ALL
                .iter()
                .map(|denial| (*denial, Counter::define(&format!("taskgate.requests.denied.{}", denial.code()))))
                .collect(),
            redirected: Counter::define("taskgate.requests.redirected"),
            cookies_dropped: Counter::define("taskgate.cookies.dropped"),
            connections_permitted: Counter::define("taskgate.connections.permitted"),
            connections_refused: Counter::define("taskgate.connections.refused"),
            streams_ended: Counter::define("taskgate.streams.ended"),
            asked: Counter::define("taskgate.verdicts.asked"),
            endpoint_failed: Counter::define("taskgate.endpoints.failed"),
            poll_failed: Counter::define("taskgate.table.poll_failed"),
            services: host::define_metric(MetricType::Gauge, "taskgate.table.services"),
        }
    }

    /// A request went to its job.
    pub fn permitted(&self) {
        self.permitted.add_one();
    }

    /// A visitor was sent to the same URL without what let them in.
    pub fn redirected(&self) {
        self.redirected.add_one();
    }

    /// Cookies of a job did not pass.
    pub fn cookies_dropped(&self, count: u32) {
        (0..count).for_each(|_| self.cookies_dropped.add_one());
    }

    /// A connection went to its job.
    pub fn connection_permitted(&self) {
        self.connections_permitted.add_one();
    }

    /// A connection was closed before anything of it passed.
    pub fn connection_refused(&self) {
        self.connections_refused.add_one();
    }

    /// A request, or a connection, that was permitted was ended.
    pub fn stream_ended(&self) {
        self.streams_ended.add_one();
    }

    /// A request was refused.
    pub fn denied(&self, denial: Denial) {
        if let Some((_, counter)) = self.denied.iter().find(|(of, _)| *of == denial) {
            counter.add_one();
        }
    }

    /// The sidecar was asked for a verdict.
    pub fn asked(&self) {
        self.asked.add_one();
    }

    /// An attempt at a job's address failed.
    pub fn endpoint_failed(&self) {
        self.endpoint_failed.add_one();
    }

    /// A poll of the table got no answer.
    pub fn poll_failed(&self) {
        self.poll_failed.add_one();
    }

    /// How many services there are.
    pub fn services(&self, count: usize) {
        if let Some(metric) = self.services {
            host::record(metric, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}
