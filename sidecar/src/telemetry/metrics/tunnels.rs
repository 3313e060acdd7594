//! Metrics of tunnels.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use crate::telemetry::catalogue::Catalogue;

/// Tunnels that ended alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabels {
    /// `both`, `client`, `job` or `gateway`.
    pub by: &'static str,
}

/// Metrics of tunnels.
#[derive(Clone, Debug)]
pub struct TunnelMetrics {
    /// Those that are open.
    pub open: Gauge,
    /// Those that ended.
    pub ended: Family<EndLabels, Counter>,
    /// Those that were refused.
    pub refused: Counter,
    /// Bytes from clients.
    pub received: Counter,
    /// Bytes to clients.
    pub sent: Counter,
}

impl TunnelMetrics {
    /// All of them, at zero.
    pub(super) fn new(catalogue: &mut Catalogue) -> Self {
        Self {
            open: catalogue.add("tunnels_open", None, &[], "Tunnels that are open.", Gauge::default()),
            ended: catalogue.add(
                "tunnels_ended",
                None,
                &["by"],
                "Tunnels that ended: both sides had said all, or the client, the job or the gateway broke it off.",
                Family::default(),
            ),
            refused: catalogue.add(
                "tunnels_refused",
                None,
                &[],
                "Tunnels that were permitted and not opened: no job was reached, there are too many, or nobody vouched for them.",
                Counter::default(),
            ),
            received: catalogue.add(
                "tunnels_received",
                Some(Unit::Bytes),
                &[],
                "Bytes from clients to jobs, of tunnels that ended.",
                Counter::default(),
            ),
            sent: catalogue.add(
                "tunnels_sent",
                Some(Unit::Bytes),
                &[],
                "Bytes from jobs to clients, of tunnels that ended.",
                Counter::default(),
            ),
        }
    }
}
