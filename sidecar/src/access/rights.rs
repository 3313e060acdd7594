//! Who may give others access to a service.

use std::sync::{Arc, PoisonError};

use crate::app::App;
use crate::auth::actor::Actor;
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::registry::published::Published;

/// The provider of a service.
#[must_use]
pub fn provider_of(app: &App, service: &Published) -> Option<Arc<dyn Provider>> {
    let providers = app.providers.read().unwrap_or_else(PoisonError::into_inner);
    providers.get(&*service.provider).map(Arc::clone)
}

/// Whether an actor may use a service.
pub async fn may_use(app: &App, service: &Published, actor: &Actor) -> Authorisation {
    match provider_of(app, service) {
        Some(provider) => provider.authorise(&service.entry, actor, None).await,
        None => Authorisation::Unavailable("its provider is not configured any more".into()),
    }
}

/// Whether an actor may use a service and let others use it: nobody gives what they do not have.
pub async fn may_share(app: &App, service: &Published, actor: &Actor) -> Authorisation {
    let Some(provider) = provider_of(app, service) else {
        return Authorisation::Unavailable("its provider is not configured any more".into());
    };
    match provider.authorise(&service.entry, actor, None).await {
        Authorisation::Allow => provider.may_share(&service.entry, actor, None).await,
        refused => refused,
    }
}
