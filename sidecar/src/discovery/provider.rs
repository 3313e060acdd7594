//! What every provider does.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::service::AccessLevel;
use taskgate_core::verdict::Credential;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::{Authorisation, Policy};
use crate::discovery::publisher::Publisher;
use crate::registry::Registry;

/// A provider of services.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Follows the outside world and publishes inventories until `stop`. An outside world that
    /// can't be read is reported, and what was published last stays.
    async fn run(&self, publisher: Publisher, stop: CancellationToken);

    /// Looks once.
    ///
    /// # Errors
    /// Why it could not look, for people.
    async fn look(&self) -> Result<Inventory, String>;

    /// Follows what became of its services until `stop`, where it publishes their names elsewhere too.
    async fn follow(&self, _registry: Arc<Registry>, _stop: CancellationToken) {}

    /// Whether an actor may use one of the provider's services. `credential` is what of the platform's the actor
    /// showed; there is none where it is asked again about somebody who has a session or an open stream.
    async fn authorise(&self, service: &Entry, actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        service.policy.authorise(actor)
    }

    /// Whether an actor may let others use a service: who can manage the workload, or owns it. It is asked only about
    /// actors who may use the service themselves.
    async fn may_share(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        let policy = Policy { access: AccessLevel::CanManage, ..service.policy.clone() };
        self.authorise(&Entry { policy, ..service.clone() }, actor, credential).await
    }
}
