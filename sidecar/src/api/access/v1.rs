//! The API of access, for people and their programs, at the sidecar's own service: `/v1/services`, `/v1/shares`,
//! `/v1/sessions` and `/v1/explain`.
//!
//! Whoever asks is known by the gate, which vouches for them, or shows a credential. What they may do is decided request
//! by request: a stranger hears the same of a service that is hidden from them as of one that is not there.

pub mod explain;
pub mod internal;
mod refusal;
mod services;
mod sessions;
pub mod shares;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware;
use axum::routing::{delete, get, post};
use taskgate_core::identity::WireIdentity;

use crate::access::shares::Asker;
use crate::api::problem::Problem;
use crate::api::public::origin;
use crate::app::App;
use crate::auth::actor::Actor;
use crate::data::caller::Callers;

/// What the API of access is made of.
#[derive(Clone, Debug)]
pub struct AccessApi {
    /// What the listeners share.
    pub app: Arc<App>,
    /// What knows who asks.
    pub callers: Arc<dyn Callers>,
}

/// The routes.
pub fn routes(api: AccessApi) -> Router {
    Router::new()
        .route("/v1/services", get(services::list))
        .route("/v1/services/{label}", get(services::one))
        .route("/v1/shares", get(shares::list).post(shares::make))
        .route("/v1/shares/{id}", delete(shares::revoke))
        .route("/v1/sessions/end", post(sessions::end))
        .route("/v1/explain", post(explain::explain))
        .layer(middleware::from_fn(origin::own_alone))
        .with_state(api)
}

impl AccessApi {
    /// Who asks, by what a request's headers show.
    async fn actor(&self, headers: &HeaderMap) -> Result<Actor, Problem> {
        let caller = self.callers.caller(headers).await?;
        let identity = WireIdentity {
            actor: caller.user,
            email: caller.email,
            groups: caller.groups,
            arvados_user_uuid: caller.arvados_user_uuid,
        };
        Actor::new(identity, None).map_err(|_| Problem::internal())
    }

    /// The same, as who asks for links.
    async fn asker(&self, headers: &HeaderMap) -> Result<Asker, Problem> {
        self.actor(headers).await.map(Asker::Person)
    }
}
