//! Metrics of the internal task gateway.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::telemetry::catalogue::Catalogue;

/// The upper bounds of the buckets of the time until a service is announced, in seconds.
const ANNOUNCE_BUCKETS: [f64; 9] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Ports or services in one state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabels {
    /// The state.
    pub state: &'static str,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// Its code.
    pub reason: &'static str,
}

/// Metrics of the internal task gateway.
#[derive(Clone, Debug)]
pub struct GatewayMetrics {
    ports: Family<StateLabels, Gauge>,
    services: Family<StateLabels, Gauge>,
    failures: Family<ReasonLabels, Counter>,
    /// How long it took from when a service was seen until its address was told.
    pub announce_seconds: Histogram,
}

impl GatewayMetrics {
    /// All of them, at zero.
    pub(super) fn new(catalogue: &mut Catalogue) -> Self {
        Self {
            ports: catalogue.add(
                "gateway_ports",
                None,
                &["state"],
                "Ports of the internal task gateway: held, resting or free.",
                Family::default(),
            ),
            services: catalogue.add(
                "gateway_services",
                None,
                &["state"],
                "TCP services that get a port: announced, pending or failed.",
                Family::default(),
            ),
            failures: catalogue.add(
                "gateway_failures",
                None,
                &["reason"],
                "Attempts to have a port listen that failed: owner-limit, range-exhausted, listener-limit, port-taken, not-programmed, refused or unavailable.",
                Family::default(),
            ),
            announce_seconds: catalogue.add(
                "gateway_announce_duration",
                Some(Unit::Seconds),
                &[],
                "How long it took from when a TCP service was seen until its address was told.",
                Histogram::new(ANNOUNCE_BUCKETS),
            ),
        }
    }

    /// How many ports are in a state.
    pub fn set_ports(&self, state: &'static str, count: usize) {
        self.ports.get_or_create(&StateLabels { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many services are in a state.
    pub fn set_services(&self, state: &'static str, count: usize) {
        self.services.get_or_create(&StateLabels { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// An attempt failed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&ReasonLabels { reason }).inc();
    }
}
