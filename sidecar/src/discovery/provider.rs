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

    /// One of its services is in use: told every minute while a tunnel or another stream of it is open, for platforms
    /// that end what is idle.
    async fn touch(&self, _service: &Entry) {}

    /// Whether an actor may use one of the provider's services. `credential` is what of the platform's the actor
    /// showed; there is none where it is asked about somebody who came another way: with a session, a certificate.
    async fn authorise(&self, service: &Entry, actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        service.policy.authorise(actor)
    }

    /// Whether an actor who was let in by a credential, which nobody has any more, may go on with what is open.
    async fn authorise_again(&self, service: &Entry, actor: &Actor) -> Authorisation {
        self.authorise(service, actor, None).await
    }

    /// Whether an actor may let others use a service: who can manage the workload, or owns it. It is asked only about
    /// actors who may use the service themselves.
    async fn may_share(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        let policy = Policy { access: AccessLevel::CanManage, ..service.policy.clone() };
        self.authorise(&Entry { policy, ..service.clone() }, actor, credential).await
    }
}
