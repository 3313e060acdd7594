//! `data.service`: where the API of data is behind the gate.

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
    /// Where proxies reach `public.listen`: `10.0.0.5:7012`, or a name that the sidecar looks up and follows (`dns`), as
    /// in `taskgate.example.test:7012`. None: there. Where that is on loopback or every address, while a listener that
    /// proxies ask is open to other machines, it has to be said.
    pub address: Option<String>,
    /// Whose pages may ask it from a browser, as in `https://console.example.test`; none by default.
    pub origins: Vec<String>,
}

impl Default for DataServiceConfig {
    fn default() -> Self {
        Self { label: defaults::DATA_SERVICE_LABEL.into(), address: None, origins: Vec::new() }
    }
}
