//! A YTsaurus cluster, which says whose a token or a cookie is.
//!
//! It is shown that one credential and nothing else: not the robot's token, no other cookie, no name to
//! act under. Whether its holder may use the service is the provider's to find out.

mod doorway;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::config::GateConfig;
use taskgate_core::identity::WireIdentity;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::auth::platform;
use crate::auth::source::{Identification, Question, Source};
use crate::auth::ytsaurus::doorway::Doorway;
use crate::config::resolve::InvalidSetting;
use crate::config::sources::YtsaurusSourceConfig;
use crate::discovery::settings::ProviderSettings;
use crate::http::HttpError;
use crate::telemetry::metrics::Metrics;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::credential::Credential;
use crate::ytsaurus::client::error::{CallError, code};
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
        gate: &GateConfig,
    ) -> Result<Self, InvalidSetting> {
        let provider = platform::named(key, "ytsaurus", &config.provider, providers, |provider| match provider {
            ProviderSettings::Ytsaurus(settings) => Some(settings),
            _ => None,
        })?;
        platform::are_taken_out(key, &config.cookies, gate)?;
        Ok(Self {
            provider: config.provider,
            cluster: provider.cluster.clone(),
            cookies: config.cookies,
            timeout: platform::timeout(key, config.timeout_ms)?,
            allow_unauthenticated_cluster: config.allow_unauthenticated_cluster,
        })
    }
}

/// The source that asks a cluster.
#[derive(Debug)]
pub struct YtsaurusSource {
    settings: YtsaurusSourceSettings,
    client: Client,
    doorway: Doorway,
}

impl YtsaurusSource {
    /// A source that asks a cluster.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: YtsaurusSourceSettings, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone(), metrics)?;
        let doorway = Doorway::new(settings.allow_unauthenticated_cluster);
        Ok(Self { settings, client, doorway })
    }

    /// Who one is without a credential.
    async fn nobodys_login(&self, deadline: Instant) -> Result<String, CallError> {
        self.client.login(None, deadline).await
    }
}

#[async_trait]
impl Source for YtsaurusSource {
    fn name(&self) -> &'static str {
        "ytsaurus"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        // A credential is never shown to another platform's cluster.
        if *question.service.provider != *self.settings.provider {
            return Identification::NotRequested;
        }
        let Some(credential) = Credential::of(question.credential, &self.settings.cookies) else {
            return Identification::NotRequested;
        };
        let deadline = Instant::now() + self.settings.timeout;
        if let Err(reason) = self.doorway.check(deadline, || self.nobodys_login(deadline)).await {
            return Identification::Unavailable(reason);
        }
        match self.client.login(Some(&credential), deadline).await {
            Ok(login) => holder(login),
            Err(CallError::Credential(_)) => Identification::Rejected("the cluster rejects it"),
            Err(CallError::Refused(error)) if error.has(code::USER_BANNED) => {
                Identification::Rejected("the cluster has banned its holder")
            }
            Err(error) => Identification::Unavailable(error.to_string()),
        }
    }

    async fn run(&self, stop: CancellationToken) {
        self.doorway.follow(stop, || self.nobodys_login(Instant::now() + self.settings.timeout)).await;
    }
}

fn holder(login: String) -> Identification {
    if login.is_empty() {
        return Identification::Rejected("the cluster knows nobody by it");
    }
    match Actor::new(WireIdentity { actor: login, ..WireIdentity::default() }, None) {
        Ok(actor) => Identification::Identified(actor),
        Err(_) => Identification::Rejected("the cluster names someone who can't be named in a header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_can_be_named_in_a_header() {
        assert!(matches!(holder("алиса".into()), Identification::Identified(actor) if actor.name() == "алиса"));
        for login in ["", "a\nb", "\u{0}"] {
            assert!(matches!(holder(login.into()), Identification::Rejected(_)), "{login:?}");
        }
        assert!(matches!(holder("a".repeat(10_000)), Identification::Rejected(_)));
    }
}
