//! What every provider does.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::Authorisation;
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

    /// Whether an actor may use one of the provider's services.
    async fn authorise(&self, service: &Entry, actor: &Actor) -> Authorisation {
        service.policy.authorise(actor)
    }
}
