//! `xds`: the sidecar as Envoy's control plane.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// The listener that Envoy reads the addresses of jobs from (`envoy-config/xds.yaml`); without this section
/// there is none. It listens on loopback or a Unix socket; elsewhere only with `internal.secret`, which is
/// then in the initial metadata, as `x-taskgate-internal`. Changes take effect after a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct XdsConfig {
    /// `ip:port` or `unix:/path`. Port 0 picks a free one. A socket has the mode `internal.socket_mode`.
    pub listen: String,
    /// Which `node.id` a proxy may have. A `*` at the end stands for anything.
    pub node_ids: Vec<String>,
    /// Which `node.cluster` it may have.
    pub node_clusters: Vec<String>,
    /// The least time between two pushes, in milliseconds. What changes meanwhile goes together.
    pub push_interval_ms: u64,
    /// How the sidecar tries jobs.
    pub health_checks: HealthChecksConfig,
}

/// How the sidecar tries whether a job's address takes a TCP connection. One that does not is left out of
/// what proxies get, so that requests go to the next one at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthChecksConfig {
    /// Whether it does. Say `false` where the sidecar can't reach jobs though proxies can.
    pub enabled: bool,
    /// How often each address is tried, in seconds.
    pub interval_secs: u64,
    /// How long connecting may take, in milliseconds.
    pub timeout_ms: u64,
    /// After how many failures in a row an address is left out.
    pub unhealthy_threshold: u32,
    /// After how many successes in a row it is back.
    pub healthy_threshold: u32,
    /// The most tries a second; with more addresses than that allows each is tried less often.
    pub per_second: u32,
    /// Where more than this part of the addresses of one owner fail, in per cent, the checks of these are not
    /// believed and none of them is left out.
    pub panic_percent: u32,
}

impl Default for XdsConfig {
    fn default() -> Self {
        Self {
            listen: defaults::XDS_LISTEN.into(),
            node_ids: vec!["*".into()],
            node_clusters: vec![defaults::XDS_NODE_CLUSTER.into()],
            push_interval_ms: defaults::XDS_PUSH_INTERVAL_MS,
            health_checks: HealthChecksConfig::default(),
        }
    }
}

impl Default for HealthChecksConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_secs: defaults::XDS_HEALTH_INTERVAL_SECS,
            timeout_ms: defaults::XDS_HEALTH_TIMEOUT_MS,
            unhealthy_threshold: defaults::XDS_UNHEALTHY_THRESHOLD,
            healthy_threshold: defaults::XDS_HEALTHY_THRESHOLD,
            per_second: defaults::XDS_HEALTH_PER_SECOND,
            panic_percent: defaults::XDS_PANIC_PERCENT,
        }
    }
}
