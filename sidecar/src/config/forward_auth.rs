//! `forward_auth`: the listener that ingresses without the filter ask.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::secret::SecretText;

/// The listener that ingresses without the filter ask: NGINX, HAProxy, Caddy, Traefik, and Envoy's
/// `ext_authz`. Without this section there is none. It never is for clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardAuthConfig {
    /// A loopback `ip:port`, or `unix:/path` (with the mode `internal.socket_mode`). Port 0 picks a
    /// free one. Any other address needs `secret` or `secret_file`.
    pub listen: String,
    /// What every question must carry in `x-taskgate-internal`.
    pub secret: Option<SecretText>,
    /// A file with that secret.
    pub secret_file: Option<PathBuf>,
    /// Services for which the ingress has a group of its own (an `upstream` of NGINX): it is named in
    /// place of the addresses.
    pub groups: Vec<GroupConfig>,
}

/// A service for which the ingress has a group of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// A label of the service: its id or a friendly name.
    pub service: String,
    /// What the ingress calls the group.
    pub group: String,
}

impl Default for ForwardAuthConfig {
    fn default() -> Self {
        Self { listen: defaults::FORWARD_AUTH_LISTEN.into(), secret: None, secret_file: None, groups: Vec::new() }
    }
}
