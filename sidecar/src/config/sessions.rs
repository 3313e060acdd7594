//! `sessions`: browser sessions.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// Browser sessions.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// The longest a session may last, in seconds.
    pub max_lifetime_secs: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self { max_lifetime_secs: defaults::SESSION_MAX_LIFETIME_SECS }
    }
}
