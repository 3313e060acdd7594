//! What every provider does.

use std::fmt;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::Entry;
use crate::discovery::policy::Authorisation;
use crate::discovery::publisher::Publisher;

/// A provider of services.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Follows the outside world and publishes inventories until `stop`. An outside world that
    /// can't be read is reported, and what was published last stays.
    async fn run(&self, publisher: Publisher, stop: CancellationToken);

    /// Whether an actor may use one of the provider's services.
    async fn authorise(&self, service: &Entry, actor: &Actor) -> Authorisation {
        service.policy.authorise(actor)
    }
}
