//! `POST /internal/session`: makes a session token, for operators and tests.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

use crate::api::body;
use crate::api::problem::Problem;
use crate::app::App;
use crate::random;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The service's id or another label of it.
    pub service: String,
    /// Who the session is of.
    pub actor: String,
    /// Their mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How long it lasts, in seconds.
    pub lifetime_secs: u64,
    /// The epoch of the service's policy; none: the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// The token.
    pub token: String,
    /// What it is called where it is ended before its time.
    pub id: String,
    /// The service's canonical id.
    pub service: String,
    /// When the session ends, in milliseconds since 1970.
    pub expires_at: UnixTime,
}

pub(super) async fn seal(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let request: SessionRequest = body::json(body).await?;
    let longest = app.live.load().session_max;
    let lifetime = Duration::from_secs(request.lifetime_secs);
    if lifetime.is_zero() || lifetime > longest {
        let detail = format!("a session lasts 1 to {} seconds (`sessions.max_lifetime_secs`)", longest.as_secs());
        return Err(Problem::malformed(detail));
    }
    let service = app.registry.service(&request.service).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "unknown-service", "no service has this label; see `taskgate services`")
    })?;
    let identity =
        WireIdentity { actor: request.actor, email: request.email, groups: request.groups, ..WireIdentity::default() };
    Identity::try_from(identity.clone()).map_err(|error| Problem::malformed(error.to_string()))?;
    let issued_at = app.clock.now();
    let id = TokenId::new(random::non_zero().map_err(|_| Problem::internal())?);
    let (epoch, expires_at) = (request.epoch.unwrap_or(service.epoch), issued_at.after(lifetime));
    let claims = Claims::new(id, service.id.as_str(), epoch, identity, issued_at, expires_at);
    let token = claims.seal(&app.control.ring()).map_err(|error| Problem::malformed(error.to_string()))?;
    app.metrics.sessions_sealed.inc();
    tracing::info!(
        service.id = claims.service,
        actor.id = claims.identity.actor,
        session.id = %claims.id,
        lifetime_secs = lifetime.as_secs(),
        audit = true,
        event = "session-made",
        "session made on request"
    );
    let answer = SessionAnswer { token, id: claims.id.to_string(), service: claims.service, expires_at };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
