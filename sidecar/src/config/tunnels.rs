//! `tunnels`: TCP services through the HTTP ingress.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// TCP services through the HTTP ingress: a WebSocket to such a service, after the same check as any request, ends in
/// the sidecar, which speaks TCP to the service's jobs. Without this section there are none. It needs `public`, where
/// proxies bring them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelsConfig {
    /// A label that is kept for it: it names no service, and no service gets it.
    pub label: String,
    /// Where proxies reach `public.listen`: `10.0.0.5:7012`, or a name that the sidecar looks up and follows (`dns`), as
    /// in `taskgate.example.test:7012`. None: there. Where that is on loopback or every address, while a listener that
    /// proxies ask is open to other machines, it has to be said.
    pub address: Option<String>,
    /// The most tunnels that are open at one time.
    pub max_open: u64,
    /// The most of those that lead to one service.
    pub max_open_per_service: u64,
    /// The most of those that one visitor has. Visitors without a name of their own (at public services, by share links)
    /// have half of all between them.
    pub max_open_per_visitor: u64,
    /// How long each job may take to accept a connection; then the next one is tried.
    pub connect_timeout_ms: u64,
    /// How often something is sent while nobody says anything, so that no proxy between takes it for dead: less than the
    /// shortest idle timeout on the way. At the most 30.
    pub ping_secs: u64,
}

impl Default for TunnelsConfig {
    fn default() -> Self {
        Self {
            label: defaults::TUNNEL_LABEL.into(),
            address: None,
            max_open: defaults::MAX_TUNNELS,
            max_open_per_service: defaults::MAX_TUNNELS_PER_SERVICE,
            max_open_per_visitor: defaults::MAX_TUNNELS_PER_VISITOR,
            connect_timeout_ms: defaults::TUNNEL_CONNECT_TIMEOUT_MS,
            ping_secs: defaults::TUNNEL_PING_SECS,
        }
    }
}
