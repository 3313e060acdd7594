//! `POST /v1/explain`: why one may use a service or may not; and why others may, for who manages it.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::access::explain::{ExplainAnswer, ExplainRequest, Unexplained, explain_to};
use crate::api::access::v1::AccessApi;
use crate::api::body;
use crate::api::problem::Problem;

pub(super) async fn explain(
    State(api): State<AccessApi>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ExplainAnswer>, Problem> {
    let asker = api.actor(&headers).await?;
    let request: ExplainRequest = body::json(body).await?;
    tracing::info!(
        audit = true,
        event = "explained",
        actor.id = asker.name(),
        subject = request.actor.as_deref().unwrap_or(asker.name()),
        "a decision was explained"
    );
    match explain_to(&api.app, &asker, request).await? {
        Some(answer) => Ok(Json(answer)),
        None => {
            let detail =
                "what somebody else may do is for who can manage the service; leave `as` out to ask for yourself";
            Err(Problem::new(StatusCode::FORBIDDEN, "access-denied", detail))
        }
    }
}

impl From<Unexplained> for Problem {
    fn from(error: Unexplained) -> Self {
        match error {
            Unexplained::Invalid(reason) => Self::malformed(reason),
            Unexplained::Unavailable(reason) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason),
        }
    }
}
