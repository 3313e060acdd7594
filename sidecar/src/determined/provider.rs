//! The provider of services of running tasks.

use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::verdict::Credential;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::determined::access::Access;
use crate::determined::client::Client;
use crate::determined::discovery::{Discovery, Ports};
use crate::determined::settings::DeterminedSettings;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::discovery::rest::Rounds;
use crate::http::HttpError;

/// The provider of services of running tasks of one cluster.
#[derive(Debug)]
pub struct DeterminedProvider {
    settings: Arc<DeterminedSettings>,
    client: Client,
    known: Arc<Ports>,
    access: Access,
}

impl DeterminedProvider {
    /// A provider with these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: Arc<DeterminedSettings>) -> Result<Self, HttpError> {
        let client = Client::new(settings.master.clone())?;
        let known = Arc::new(Ports::default());
        let access = Access::new(client.clone(), Arc::clone(&known), settings.people);
        Ok(Self { settings, client, known, access })
    }

    fn discovery(&self) -> Discovery {
        Discovery::new(Arc::clone(&self.settings), self.client.clone(), Arc::clone(&self.known))
    }
}

#[async_trait]
impl Provider for DeterminedProvider {
    async fn run(&self, publisher: Publisher, _stop: CancellationToken) {
        let mut discovery = self.discovery();
        let mut rounds = Rounds::new(self.settings.period, publisher);
        loop {
            let found = discovery.round().await;
            if found.is_ok() {
                self.access.keep_house().await;
            }
            rounds.end(found).await;
        }
    }

    async fn look(&self) -> Result<Inventory, String> {
        self.discovery().round().await.map_err(|error| error.to_string())
    }

    async fn touch(&self, service: &Entry) {
        let Some(port) = self.known.of(&service.key) else { return };
        if let Err(error) = self.client.touch(&port.path).await {
            tracing::warn!(provider = self.settings.name, %error, "the master may take a task for idle that is in use");
        }
    }

    async fn authorise(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        self.access.authorise(service, actor, credential).await
    }

    async fn authorise_again(&self, service: &Entry, actor: &Actor) -> Authorisation {
        self.access.authorise_again(service, actor).await
    }
}
