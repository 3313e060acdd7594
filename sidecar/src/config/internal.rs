//! `internal`: the listener that the filter talks to.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::secret::SecretText;

/// The listener that the filter talks to. Whoever reaches it gets the key ring, so it listens on
/// loopback or a Unix socket; elsewhere only with a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InternalConfig {
    /// A loopback `ip:port`, or `unix:/path`. Port 0 picks a free one. Any other address needs
    /// `secret` or `secret_file`.
    pub listen: String,
    /// The mode of a Unix socket, in octal.
    pub socket_mode: String,
    /// What every request must carry in `x-taskgate-internal`.
    pub secret: Option<SecretText>,
    /// A file with that secret.
    pub secret_file: Option<PathBuf>,
}

impl Default for InternalConfig {
    fn default() -> Self {
        Self {
            listen: defaults::INTERNAL_LISTEN.into(),
            socket_mode: defaults::SOCKET_MODE.into(),
            secret: None,
            secret_file: None,
        }
    }
}
