//! `GET /v1/data/actions/{project}/{domain}/{run}/{action}/inputs` and `…/outputs`: Flyte's messages, as they are.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::data::place::{self, Parts};
use crate::api::problem::Problem;
use crate::data::service::{ActionBytes, DataService};

/// The names in an address.
type Names = (String, String, String, String);

pub(super) async fn inputs(
    State(service): State<Arc<DataService>>,
    place: Parts<Names>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = read(&service, place, query.as_deref(), &headers).await?;
    answer(found.inputs, "the action has no inputs")
}

pub(super) async fn outputs(
    State(service): State<Arc<DataService>>,
    place: Parts<Names>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = read(&service, place, query.as_deref(), &headers).await?;
    answer(found.outputs, "the action has no outputs, or none yet")
}

async fn read(
    service: &DataService,
    place: Parts<Names>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<ActionBytes, Problem> {
    let caller = service.caller(headers).await?;
    let (project, domain, run, name) = place::parts(place)?;
    let organization = place::parameter(query, "organization")?;
    let action = place::action(organization, &project, &domain, run, name)?;
    Ok(service.action_data(&caller, &action).await?)
}

fn answer(found: Option<(String, Bytes)>, missing: &'static str) -> Result<Response, Problem> {
    let (_, bytes) = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not-found", missing))?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-protobuf"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    Ok((headers, bytes).into_response())
}
