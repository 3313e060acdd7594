//! `internal_task_gateway`: TCP services at ports of their own.

pub mod envoy;
pub mod kubernetes;
pub mod peers;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::internal_task_gateway::envoy::EnvoyGatewayConfig;
use crate::config::internal_task_gateway::kubernetes::KubernetesGatewayConfig;
use crate::config::internal_task_gateway::peers::ClientCertificatesConfig;
use crate::secret::SecretText;

/// TCP services at ports of their own. Without this section they are reached through the tunnel alone. With
/// `gateway_name` and `gateway_namespace` the ports are those of a Kubernetes Gateway; without, Envoy listens, and `xds`
/// is needed. Changes take effect after a restart, but for `client_certificates` and `source_ranges`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InternalTaskGatewayConfig {
    /// What people connect to: an IP address, or a name. It is told to them with the port, and here the sidecar tries
    /// whether something listens before it tells.
    pub gateway_ip: String,
    /// The lowest port that services get, at least 1025.
    #[serde(default = "range_start")]
    pub gateway_port_range_start: u16,
    /// The highest port that services get; it may be the lowest one too.
    #[serde(default = "range_end")]
    pub gateway_port_range_end: u16,
    /// The most ports that the services of one owner have, at least 1; those that rest count too. Then they are shown as
    /// `owner-limit` until there is room. By default half of the range, rounded up; a number above that of the range is
    /// no limit. Services without an owner have none.
    #[serde(default)]
    pub ports_per_owner: Option<u32>,
    /// The Gateway of Kubernetes that gets the listeners.
    #[serde(default)]
    pub gateway_name: Option<String>,
    /// The namespace that it is in.
    #[serde(default)]
    pub gateway_namespace: Option<String>,
    /// How long a listener may take until it takes connections, in seconds. Then the service is shown as
    /// `not-programmed`, and it is tried again.
    #[serde(default = "program_timeout_secs")]
    pub program_timeout_secs: u64,
    /// How long a port that became free rests before another service gets it, in seconds: who was not told of the end
    /// of a service must not reach another one. At least `close_after_secs`.
    #[serde(default = "port_rest_secs")]
    pub port_rest_secs: u64,
    /// How long a service that is gone keeps its port, in seconds: it gets the same one where it is back by then. Where
    /// several sidecars serve one range, that is since the last of them saw it.
    #[serde(default = "port_kept_secs")]
    pub port_kept_secs: u64,
    /// How long connections to a service that is gone may last, in seconds.
    #[serde(default = "close_after_secs")]
    pub close_after_secs: u64,
    /// Where it is kept who has which port: `sqlite:<path>`, or `postgres://…` where several sidecars serve one range.
    /// By default a file in `state.directory`; one of the two is needed. With a Gateway of Kubernetes the cluster keeps
    /// it.
    #[serde(default)]
    pub store: Option<SecretText>,
    /// A file with that address.
    #[serde(default)]
    pub store_file: Option<PathBuf>,
    /// The networks from which services with the access level `public` may be reached at their ports, as in
    /// `10.0.0.0/8`. With none they get no port.
    #[serde(default)]
    pub source_ranges: Vec<String>,
    /// Who may connect to services of all other levels: whoever shows a client certificate.
    #[serde(default)]
    pub client_certificates: ClientCertificatesConfig,
    /// How Envoy listens.
    #[serde(default)]
    pub envoy: EnvoyGatewayConfig,
    /// How the Gateway of Kubernetes is used.
    #[serde(default)]
    pub kubernetes: KubernetesGatewayConfig,
}

const fn range_start() -> u16 {
    defaults::GATEWAY_PORT_RANGE_START
}

const fn range_end() -> u16 {
    defaults::GATEWAY_PORT_RANGE_END
}

const fn program_timeout_secs() -> u64 {
    defaults::GATEWAY_PROGRAM_TIMEOUT_SECS
}

const fn port_rest_secs() -> u64 {
    defaults::GATEWAY_PORT_REST_SECS
}

const fn port_kept_secs() -> u64 {
    defaults::GATEWAY_PORT_KEPT_SECS
}

const fn close_after_secs() -> u64 {
    defaults::GATEWAY_CLOSE_AFTER_SECS
}
