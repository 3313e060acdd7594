//! `providers` and `discovery`: where services come from.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::arvados::ArvadosProviderConfig;
use crate::config::defaults;
use crate::config::file_provider::FileProviderConfig;
use crate::config::ytsaurus::YtsaurusProviderConfig;

/// One provider of services.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderConfig {
    /// Services of the running containers of an Arvados cluster.
    Arvados(Box<ArvadosProviderConfig>),
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
            Self::File(config) => &config.name,
            Self::Ytsaurus(config) => &config.name,
        }
    }
}

/// How discovery as a whole behaves.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryConfig {
    /// How long after the start proxies go on with the table that they have while a provider has
    /// not published yet, in seconds. After that the services of such a provider are gone.
    pub startup_secs: u64,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self { startup_secs: defaults::DISCOVERY_STARTUP_SECS }
    }
}
