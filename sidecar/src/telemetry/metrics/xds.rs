//! Metrics of xDS.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use crate::telemetry::catalogue::Catalogue;

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResourceLabels {
    /// Its name.
    pub resource: &'static str,
}

/// Metrics of xDS.
#[derive(Clone, Debug)]
pub struct XdsMetrics {
    /// Streams of proxies.
    pub streams: Gauge,
    /// Resources that were sent.
    pub pushes: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Resources that a proxy did not take.
    pub refused: Counter,
    /// Streams that were refused.
    pub denied: Counter,
    /// Addresses that are left out.
    pub unhealthy: Gauge,
    endpoints: Family<ResourceLabels, Gauge>,
}

impl XdsMetrics {
    /// All of them, at zero.
    pub(super) fn new(catalogue: &mut Catalogue) -> Self {
        Self {
            streams: catalogue.add("xds_streams", None, &[], "Proxies that read addresses of jobs.", Gauge::default()),
            pushes: catalogue.add("xds_pushes", None, &[], "Resources that were sent to proxies.", Counter::default()),
            bytes: catalogue.add("xds_pushed", Some(Unit::Bytes), &[], "Bytes of those resources.", Counter::default()),
            refused: catalogue.add(
                "xds_refused",
                None,
                &[],
                "Resources that a proxy did not take; it goes on with what it had, and its reason is in the log.",
                Counter::default(),
            ),
            denied: catalogue.add(
                "xds_denied",
                None,
                &[],
                "Streams that were refused: no secret, or a node that is not in `xds.node_ids` and `xds.node_clusters`.",
                Counter::default(),
            ),
            unhealthy: catalogue.add("xds_unhealthy_endpoints", None, &[], "Addresses that take no connections.", Gauge::default()),
            endpoints: catalogue.add("xds_endpoints", None, &["resource"], "Addresses in each resource.", Family::default()),
        }
    }

    /// How many addresses a resource has.
    #[must_use]
    pub fn endpoints(&self, resource: &'static str) -> Gauge {
        self.endpoints.get_or_create_owned(&ResourceLabels { resource })
    }
}
