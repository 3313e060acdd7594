//! `public`: the listener that clients of tasks talk to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// The listener for `tasks`, `data`, `access` and `tunnels`; it needs one of them. Without this section there is none.
/// Clients send credentials, and it speaks no TLS: put a proxy before it that does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PublicConfig {
    /// `ip:port` or `unix:/path`. Port 0 picks a free one. A socket has the mode
    /// `internal.socket_mode`.
    pub listen: String,
}

impl Default for PublicConfig {
    fn default() -> Self {
        Self { listen: defaults::PUBLIC_LISTEN.into() }
    }
}
