//! A YTsaurus cluster, which says whose a token or a cookie is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::auth::source::{Identification, Question, Source};
use crate::config::resolve::InvalidSetting;
use crate::config::sources::YtsaurusSourceConfig;
use crate::discovery::settings::ProviderSettings;
use crate::http::HttpError;
use crate::telemetry::metrics::Metrics;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::settings::ClusterSettings;

/// The settings of a cluster that knows credentials.
#[derive(Clone, Debug)]
pub struct YtsaurusSourceSettings {
    /// The provider for whose services it is.
    pub provider: String,
    /// The cluster. Its robot's token is not used here: visitors are asked about with their own.
    pub cluster: ClusterSettings,
    /// The cookies that it takes.
    pub cookies: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether a cluster that asks nobody for a credential is believed.
    pub allow_unauthenticated_cluster: bool,
}

impl YtsaurusSourceSettings {
    /// Checks the configuration of a cluster that knows credentials.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        config: YtsaurusSourceConfig,
        providers: &[ProviderSettings],
        deadline: Duration,
    ) -> Result<Self, InvalidSetting> {
        let provider = providers.iter().find_map(|provider| match provider {
            ProviderSettings::Ytsaurus(settings) if settings.name == config.provider => Some(settings),
            ProviderSettings::File(_) | ProviderSettings::Ytsaurus(_) => None,
        });
        let Some(provider) = provider else {
            let reason = format!("no ytsaurus provider is named `{}`", config.provider);
            return Err(InvalidSetting::new(format!("{key}.provider"), reason));
        };
        let timeout = Duration::from_millis(config.timeout_ms);
        if timeout.is_zero() || timeout >= deadline {
            let reason = "is not between 1 and `verdicts.deadline_ms`";
            return Err(InvalidSetting::new(format!("{key}.timeout_ms"), reason));
        }
        Ok(Self {
            provider: config.provider,
            cluster: provider.cluster.clone(),
            cookies: config.cookies,
            timeout,
            allow_unauthenticated_cluster: config.allow_unauthenticated_cluster,
        })
    }
}

/// The source that asks a cluster.
#[derive(Debug)]
pub struct YtsaurusSource {
    settings: YtsaurusSourceSettings,
    client: Client,
}

impl YtsaurusSource {
    /// A source that asks a cluster.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: YtsaurusSourceSettings, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone(), metrics)?;
        Ok(Self { settings, client })
    }
}

#[async_trait]
impl Source for YtsaurusSource {
    fn name(&self) -> &'static str {
        "ytsaurus"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        let _ = (&self.client, &self.settings, question);
        Identification::NotRequested
    }
}
