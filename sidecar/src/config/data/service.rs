//! `data.service`: where the API of data is behind the gate.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;

/// Where the API of data is behind the gate: a service like those of jobs, with a name under the base domain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataServiceConfig {
    /// Its label: `data` for `data.tasks.example.test`. No other service gets that name. Empty: it is not behind the
    /// gate.
    pub label: String,
    /// Where proxies reach `public.listen`, as in `10.0.0.5:7012`; none: there, and from this machine where it
    /// listens on every address.
    pub address: Option<SocketAddr>,
    /// Whose pages may ask it from a browser, as in `https://console.example.test`; none by default.
    pub origins: Vec<String>,
}

impl Default for DataServiceConfig {
    fn default() -> Self {
        Self { label: defaults::DATA_SERVICE_LABEL.into(), address: None, origins: Vec::new() }
    }
}
