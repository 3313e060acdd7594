//! The provider of services of running operations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::verdict::Credential;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::discovery::rest::Rounds;
use crate::http::HttpError;
use crate::registry::Registry;
use crate::telemetry::metrics::{Metrics, ProviderLabels};
use crate::ytsaurus::access::{Access, Acls};
use crate::ytsaurus::client::Client;
use crate::ytsaurus::discovery::Discovery;
use crate::ytsaurus::settings::YtsaurusSettings;
use crate::ytsaurus::table::ServicesTable;
use crate::ytsaurus::table::pace::Pace;

/// The provider of services of running operations of one cluster.
#[derive(Debug)]
pub struct YtsaurusProvider {
    settings: Arc<YtsaurusSettings>,
    client: Client,
    acls: Arc<Acls>,
    access: Access,
    table: Option<ServicesTable>,
    metrics: Arc<Metrics>,
}

impl YtsaurusProvider {
    /// A provider with these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: Arc<YtsaurusSettings>, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone(), Arc::clone(&metrics))?;
        let table = settings.table.clone();
        let table = table.map(|table| {
            ServicesTable::new(client.clone(), table, &settings.name, Pace::default(), Arc::clone(&metrics))
        });
        let acls = Arc::new(Acls::default());
        let access = Access::new(client.clone(), Arc::clone(&acls));
        Ok(Self { settings, client, acls, access, table, metrics })
    }

    fn discovery(&self) -> Discovery {
        Discovery::new(Arc::clone(&self.settings), self.client.clone())
    }

    fn count_round(&self, took: Duration) {
        let labels = ProviderLabels { provider: self.settings.name.clone() };
        self.metrics.ytsaurus_round_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

#[async_trait]
impl Provider for YtsaurusProvider {
    async fn run(&self, publisher: Publisher, _stop: CancellationToken) {
        let mut discovery = self.discovery();
        let mut rounds = Rounds::new(self.settings.jobs_period, publisher);
        loop {
            let found = discovery.round().await;
            if found.is_ok() {
                let acls = discovery.operations().filter_map(|one| Some((one.id.clone(), one.acl.clone()?)));
                self.acls.replace(acls.collect());
                self.count_round(rounds.took());
            }
            rounds.end(found).await;
        }
    }

    async fn look(&self) -> Result<Inventory, String> {
        self.discovery().round().await.map_err(|error| error.to_string())
    }

    async fn follow(&self, registry: Arc<Registry>, stop: CancellationToken) {
        if let Some(table) = &self.table {
            table.follow(&registry, &stop).await;
        }
    }

    async fn authorise(&self, service: &Entry, actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        self.access.authorise(service, actor).await
    }
}
