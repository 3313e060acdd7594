//! `sessions`: browser sessions.

use schemars::JsonSchema;
use serde::Deserialize;
use taskgate_core::config::GateConfig;

use crate::config::defaults;
use crate::config::resolve::{InvalidSetting, within};

/// The longest that any session may be made for, in seconds.
const LONGEST_SECS: u64 = 31_536_000;

/// Browser sessions.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// How long a session of somebody who signed in lasts, in seconds.
    pub lifetime_secs: u64,
    /// How long a session lasts without being used, in seconds.
    pub idle_secs: u64,
    /// How long a session is believed without asking whether its visitor may still use the service, in seconds.
    pub recheck_secs: u64,
    /// Browsers come over plain HTTP. For development on one machine alone: whoever sees the traffic can take sessions
    /// over.
    pub plain_http: bool,
    /// The longest a session that an operator asks for may last, in seconds.
    pub max_lifetime_secs: u64,
}

impl SessionsConfig {
    /// Has the gate keep sessions so.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn apply(&self, gate: &mut GateConfig) -> Result<(), InvalidSetting> {
        let secs = |key: &str, secs, least| within(key, secs, least, LONGEST_SECS).map(|value| value.as_secs());
        gate.session_lifetime_secs = secs("sessions.lifetime_secs", self.lifetime_secs, 1)?;
        gate.session_idle_secs = secs("sessions.idle_secs", self.idle_secs, 1)?;
        gate.session_recheck_secs = secs("sessions.recheck_secs", self.recheck_secs, 0)?;
        gate.plain_http = self.plain_http;
        Ok(())
    }
}

impl Default for SessionsConfig {
    /// The gate's own defaults.
    fn default() -> Self {
        let gate = GateConfig::for_domain("");
        Self {
            lifetime_secs: gate.session_lifetime_secs,
            idle_secs: gate.session_idle_secs,
            recheck_secs: gate.session_recheck_secs,
            plain_http: gate.plain_http,
            max_lifetime_secs: defaults::SESSION_MAX_LIFETIME_SECS,
        }
    }
}
