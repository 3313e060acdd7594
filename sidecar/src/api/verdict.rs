//! `POST /internal/verdict`: may the holder of this credential use that service?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use taskgate_core::feed::ANSWER_HEADER;
use taskgate_core::verdict::{VERDICT_ANSWER, VerdictQuery};

use crate::api::body;
use crate::api::problem::Problem;
use crate::app::App;
use crate::auth::judge::is_askable;

pub(super) async fn decide(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let bytes = body::bytes(body).await?;
    let query = VerdictQuery::decode(&bytes).ok_or_else(|| {
        Problem::malformed("the body is no question of this release; filter and sidecar must be of the same one")
    })?;
    if !is_askable(&query.credential) {
        return Err(Problem::malformed("the credential is empty or too long"));
    }
    let verdict = app.verdict(&query).await;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/octet-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        (ANSWER_HEADER, VERDICT_ANSWER),
    ];
    Ok((headers, verdict.encode()).into_response())
}
