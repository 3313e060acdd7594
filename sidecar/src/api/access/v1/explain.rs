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
    let subject = request.actor.clone().unwrap_or_else(|| asker.name().to_owned());
    let answer = explain_to(&api.app, &asker, request).await;
    audit(asker.name(), &subject, &answer);
    match answer? {
        Some(answer) => Ok(Json(answer)),
        None => {
            let detail =
                "what somebody else may do is for who can manage the service; leave `as` out to ask for yourself";
            Err(Problem::new(StatusCode::FORBIDDEN, "access-denied", detail))
        }
    }
}

/// Says who asked about whom, and what they were told.
pub(super) fn audit(asker: &str, subject: &str, answer: &Result<Option<ExplainAnswer>, Unexplained>) {
    let told = answer.as_ref().ok().and_then(Option::as_ref);
    tracing::info!(
        audit = true,
        event = "explained",
        actor.id = asker,
        subject,
        service.id = told.and_then(|told| told.service.as_deref()).unwrap_or_default(),
        verdict = if told.is_some() { "allow" } else { "deny" },
        outcome = told.map_or("", |told| told.outcome.as_str()),
        code = told.map_or("", |told| told.code.as_str()),
        "a decision was asked about"
    );
}

impl From<Unexplained> for Problem {
    fn from(error: Unexplained) -> Self {
        match error {
            Unexplained::Invalid(reason) => Self::malformed(reason),
            Unexplained::Unavailable(reason) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason),
        }
    }
}
