//! `providers` and `discovery`: where services come from.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::arvados::ArvadosProviderConfig;
use crate::config::defaults;
use crate::config::determined::DeterminedProviderConfig;
use crate::config::file::FileProviderConfig;
use crate::config::resolve::InvalidSetting;
use crate::config::ytsaurus::YtsaurusProviderConfig;
use crate::registry::refused::RefusedEndpoint;

/// The most endpoints that are refused.
const MAX_REFUSED: usize = 1_000;

/// One provider of services.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderConfig {
    /// Services of the running containers of an Arvados cluster.
    Arvados(Box<ArvadosProviderConfig>),
    /// Services of the running tasks of a Determined cluster.
    Determined(Box<DeterminedProviderConfig>),
    /// Services from a YAML file.
    File(FileProviderConfig),
    /// Services of the running operations of a YTsaurus cluster.
    Ytsaurus(Box<YtsaurusProviderConfig>),
}

impl ProviderConfig {
    /// The provider's name: in rows, logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Arvados(config) => &config.name,
            Self::Determined(config) => &config.name,
            Self::File(config) => &config.name,
            Self::Ytsaurus(config) => &config.name,
        }
    }
}

/// How discovery as a whole behaves.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryConfig {
    /// How long after the start proxies go on with the table that they have while a provider has
    /// not published yet, in seconds. After that the services of such a provider are gone, and `/readyz` is good
    /// without it.
    pub startup_secs: u64,
    /// Endpoints that no service may have, beside the sidecar's own listeners: `:port` of this machine, at whichever
    /// of its addresses; `ip:port`; a network. By default the port of Envoy's administration: name others that only
    /// this machine is to reach.
    pub refused_endpoints: Vec<String>,
}

impl DiscoveryConfig {
    /// Which endpoints no service may have.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn refused(&self) -> Result<Vec<RefusedEndpoint>, InvalidSetting> {
        let key = "discovery.refused_endpoints";
        if self.refused_endpoints.len() > MAX_REFUSED {
            return Err(InvalidSetting::new(key, format!("more than {MAX_REFUSED} endpoints")));
        }
        let texts = self.refused_endpoints.iter().enumerate();
        let refused = texts.map(|(index, text)| {
            RefusedEndpoint::parse(text)
                .map_err(|error| InvalidSetting::new(format!("{key}[{index}]"), format!("`{text}` {error}")))
        });
        refused.collect()
    }
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self {
            startup_secs: defaults::DISCOVERY_STARTUP_SECS,
            refused_endpoints: defaults::REFUSED_ENDPOINTS.iter().map(ToString::to_string).collect(),
        }
    }
}
