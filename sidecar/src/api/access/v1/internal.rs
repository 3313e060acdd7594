//! What operators ask at the internal listener: links, sessions, and why somebody may or may not.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::revocation::Revoked;
use taskgate_core::token::TokenId;

use crate::access::explain::{ExplainAnswer, ExplainRequest, explain};
use crate::access::shares::Asker;
use crate::api::access::v1::explain::audit;
use crate::api::access::v1::shares::{self, ListQuery, ListedShare, ShareList};
use crate::api::body;
use crate::api::problem::Problem;
use crate::app::App;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/internal/shares", get(list).post(make))
        .route("/internal/shares/{id}", delete(revoke))
        .route("/internal/sessions/end", post(end))
        .route("/internal/explain", post(of_anybody))
}

/// Whose sessions are to end: one of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndRequest {
    /// All of a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Those of one sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Everybody's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
}

/// What was ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndAnswer {
    /// Whether it outlives the sidecar.
    pub kept: bool,
}

async fn make(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    shares::answer_made(&app, &Asker::Operator, body::json(body).await?).await
}

async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ShareList>, Problem> {
    shares::answer_list(&app, &Asker::Operator, query).await
}

async fn revoke(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<ListedShare>, Problem> {
    shares::answer_revoked(&app, &Asker::Operator, &id).await
}

async fn end(State(app): State<Arc<App>>, body: Body) -> Result<Json<EndAnswer>, Problem> {
    let request: EndRequest = body::json(body).await?;
    let revoked = match (request.actor, request.id, request.everybody) {
        (Some(actor), None, false) => {
            let identity = WireIdentity { actor, ..WireIdentity::default() };
            let identity = Identity::try_from(identity).map_err(|error| Problem::malformed(error.to_string()))?;
            Revoked::Actor(identity.actor().to_owned())
        }
        (None, Some(id), false) => {
            let id = TokenId::parse(&id).map_err(|error| Problem::malformed(format!("`id` {error}")))?;
            Revoked::Session(id)
        }
        (None, None, true) => Revoked::Everybody,
        _ => return Err(Problem::malformed("say whose sessions: `actor`, `id` or `everybody`, one of them")),
    };
    let longest = app.live.load().session_max;
    app.access.end_sessions_of_others(revoked, longest).await?;
    Ok(Json(EndAnswer { kept: app.access.store().is_kept() }))
}

async fn of_anybody(State(app): State<Arc<App>>, body: Body) -> Result<Json<ExplainAnswer>, Problem> {
    let request: ExplainRequest = body::json(body).await?;
    let answer = explain(&app, &request).await.map(Some);
    audit("operator", request.actor.as_deref().unwrap_or_default(), &answer);
    answer?.map(Json).ok_or_else(Problem::internal)
}
