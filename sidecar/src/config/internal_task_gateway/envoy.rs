//! `internal_task_gateway.envoy`: how Envoy listens for TCP services.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// How Envoy listens. Files are named as Envoy sees them; the sidecar never reads them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnvoyGatewayConfig {
    /// The address at which it listens, without a port.
    pub listen: String,
    /// The compiled filter, which decides on each connection.
    pub filter_file: PathBuf,
    /// The cluster of Envoy's own configuration that is the sidecar's internal listener.
    pub sidecar_cluster: String,
    /// How long the filter waits for a verdict on a connection, in milliseconds. Above `verdicts.deadline_ms`.
    pub verdict_timeout_ms: u64,
    /// The most connections of one service at a time, on each Envoy. One more is closed at once.
    pub max_connections_per_service: u32,
    /// The certificate that Envoy shows at the ports of services that are not `public`. Set this, `key_file` and
    /// `client_ca_file`, or none of them: then only services with the level `public` get ports.
    pub certificate_file: Option<PathBuf>,
    /// The key of that certificate.
    pub key_file: Option<PathBuf>,
    /// The authorities whose client certificates Envoy takes.
    pub client_ca_file: Option<PathBuf>,
}

impl Default for EnvoyGatewayConfig {
    fn default() -> Self {
        Self {
            listen: defaults::GATEWAY_ENVOY_LISTEN.into(),
            filter_file: defaults::GATEWAY_ENVOY_FILTER_FILE.into(),
            sidecar_cluster: defaults::GATEWAY_ENVOY_SIDECAR_CLUSTER.into(),
            verdict_timeout_ms: defaults::GATEWAY_ENVOY_VERDICT_TIMEOUT_MS,
            max_connections_per_service: defaults::GATEWAY_ENVOY_MAX_CONNECTIONS_PER_SERVICE,
            certificate_file: None,
            key_file: None,
            client_ca_file: None,
        }
    }
}
