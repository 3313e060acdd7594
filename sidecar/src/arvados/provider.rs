//! The provider of services of running containers.

use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::verdict::Credential;
use tokio_util::sync::CancellationToken;

use crate::arvados::access::Access;
use crate::arvados::client::Client;
use crate::arvados::discovery::{Discovery, Workloads};
use crate::arvados::lent::Lent;
use crate::arvados::relay::Relay;
use crate::arvados::relay::gatehouse::Gatehouse;
use crate::arvados::settings::ArvadosSettings;
use crate::auth::actor::Actor;
use crate::config::arvados::ControllerToken;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::discovery::rest::Rounds;
use crate::http::HttpError;
use crate::registry::Registry;

/// The provider of services of running containers of one cluster.
#[derive(Debug)]
pub struct ArvadosProvider {
    settings: Arc<ArvadosSettings>,
    client: Client,
    known: Arc<Workloads>,
    access: Access,
    relay: Option<Arc<Relay>>,
    lent: Option<Lent>,
}

impl ArvadosProvider {
    /// A provider with these settings. Without a gatehouse, as where somebody looks only once, there is no way
    /// through the controller.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: Arc<ArvadosSettings>, gatehouse: Option<Arc<dyn Gatehouse>>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone())?;
        let known = Arc::new(Workloads::default());
        let lends = settings.controller.as_ref().is_some_and(|one| one.token == ControllerToken::Visitor);
        let lent = lends.then(Lent::default);
        let relay = match gatehouse {
            Some(gatehouse) => Relay::new(&settings, gatehouse, lent.clone())?.map(Arc::new),
            None => None,
        };
        let access = Access::new(client.clone(), Arc::clone(&known), settings.admins)
            .finding(settings.people)
            .lending(lent.clone());
        Ok(Self { settings, client, known, access, relay, lent })
    }

    fn discovery(&self) -> Discovery {
        Discovery::new(
            Arc::clone(&self.settings),
            self.client.clone(),
            self.relay.as_ref().map(Arc::clone),
            Arc::clone(&self.known),
        )
    }
}

#[async_trait]
impl Provider for ArvadosProvider {
    async fn run(&self, publisher: Publisher, _stop: CancellationToken) {
        let mut discovery = self.discovery();
        let mut rounds = Rounds::new(self.settings.period, publisher);
        loop {
            let found = discovery.round().await;
            if let (Ok(_), Some(lent)) = (&found, &self.lent) {
                lent.keep(|container| self.known.of(container).is_some()).await;
            }
            rounds.end(found).await;
        }
    }

    async fn look(&self) -> Result<Inventory, String> {
        self.discovery().round().await.map_err(|error| error.to_string())
    }

    async fn follow(&self, _registry: Arc<Registry>, stop: CancellationToken) {
        match &self.relay {
            Some(relay) => relay.run(stop).await,
            None => stop.cancelled().await,
        }
    }

    async fn authorise(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        self.access.authorise(service, actor, credential).await
    }

    async fn may_share(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        self.access.may_share(service, actor, credential).await
    }
}
