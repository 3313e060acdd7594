//! `operations` and `shutdown`: how the process is watched and how it ends.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// The listener for `/healthz`, `/readyz` and `/metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsConfig {
    /// `ip:port` or `unix:/path`. Port 0 picks a free one.
    pub listen: String,
}

impl Default for OperationsConfig {
    fn default() -> Self {
        Self { listen: defaults::OPERATIONS_LISTEN.into() }
    }
}

/// How the process ends.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long requests that are under way may take to finish, in seconds.
    pub grace_secs: u64,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace_secs: defaults::SHUTDOWN_GRACE_SECS }
    }
}
