//! `POST /v1/sessions/end`: ends all of one's own sessions, everywhere.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use taskgate_core::revocation::Revoked;

use crate::api::access::v1::AccessApi;
use crate::api::body;
use crate::api::problem::Problem;

/// What is to end. There is nothing to choose: `{}`, or no body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndRequest {}

/// What was ended.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    actor: String,
}

pub(super) async fn end(State(api): State<AccessApi>, headers: HeaderMap, body: Body) -> Result<Json<Ended>, Problem> {
    let actor = api.actor(&headers).await?;
    let bytes = body::bytes(body).await?;
    if !bytes.is_empty() {
        let EndRequest {} = body::parse(&bytes)?;
    }
    let longest = api.app.live.load().session_max;
    let name = actor.name().to_owned();
    api.app.access.end_sessions(Revoked::Actor(name.clone()), &name, longest).await?;
    Ok(Json(Ended { actor: name }))
}
