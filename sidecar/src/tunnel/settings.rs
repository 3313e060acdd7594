//! The section `tunnels`, from as written to what is in force.

use std::time::Duration;

use taskgate_core::config::GateConfig;

use crate::config::resolve::{InvalidSetting, within};
use crate::config::tunnels::TunnelsConfig;
use crate::data::settings::resolve::service::ServiceSettings;
use crate::lifecycle::front::Front;
use crate::tunnel::bridge::PING_INTERVAL;

/// The most tunnels of one sidecar that can be asked for.
const MOST: u64 = 100_000;

/// Tunnels as they are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelSettings {
    /// Where proxies reach the end of tunnels.
    pub service: ServiceSettings,
    /// The most that are open at one time.
    pub max_open: usize,
    /// The most of those that lead to one service.
    pub max_open_per_service: usize,
    /// The most of those that one visitor has.
    pub max_open_per_visitor: usize,
    /// How long each job may take to accept a connection.
    pub connect_timeout: Duration,
    /// How often clients are told that somebody is there.
    pub pings: Duration,
}

impl TunnelSettings {
    /// Checks the section.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn resolve(config: &TunnelsConfig, gate: &GateConfig, front: Option<&Front>) -> Result<Self, InvalidSetting> {
        let front = front.ok_or_else(|| {
            InvalidSetting::new("public.listen", "`tunnels` end there; add `public: {listen: \"127.0.0.1:7012\"}`")
        })?;
        let service = ServiceSettings::resolve("tunnels", &config.label, config.address.as_deref(), gate, front)?;
        let count = |key: &str, value: u64| {
            within(key, value, 1, MOST).map(|value| usize::try_from(value.as_secs()).unwrap_or(usize::MAX))
        };
        if !(100..=30_000).contains(&config.connect_timeout_ms) {
            return Err(InvalidSetting::new("tunnels.connect_timeout_ms", "is not between 100 and 30000"));
        }
        Ok(Self {
            service: service.ok_or_else(|| InvalidSetting::new("tunnels.label", "is empty; leave it out"))?,
            max_open: count("tunnels.max_open", config.max_open)?,
            max_open_per_service: count("tunnels.max_open_per_service", config.max_open_per_service)?,
            max_open_per_visitor: count("tunnels.max_open_per_visitor", config.max_open_per_visitor)?,
            pings: within("tunnels.ping_secs", config.ping_secs, 1, PING_INTERVAL.as_secs())?,
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
        })
    }
}
