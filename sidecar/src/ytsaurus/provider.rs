//! The provider of services of running operations.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::Entry;
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::http::HttpError;
use crate::registry::Registry;
use crate::telemetry::metrics::Metrics;
use crate::ytsaurus::client::Client;
use crate::ytsaurus::settings::YtsaurusSettings;

/// The provider of services of running operations of one cluster.
#[derive(Debug)]
pub struct YtsaurusProvider {
    settings: Arc<YtsaurusSettings>,
    client: Client,
}

impl YtsaurusProvider {
    /// A provider with these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: Arc<YtsaurusSettings>, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone(), metrics)?;
        Ok(Self { settings, client })
    }
}

#[async_trait]
impl Provider for YtsaurusProvider {
    async fn run(&self, publisher: Publisher, stop: CancellationToken) {
        let _ = (publisher, stop, &self.client);
    }

    async fn follow(&self, registry: Arc<Registry>, stop: CancellationToken) {
        let _ = (registry, stop, &self.settings);
    }

    async fn authorise(&self, service: &Entry, actor: &Actor) -> Authorisation {
        service.policy.authorise(actor)
    }
}
