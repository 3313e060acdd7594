//! `GET /operations`: what can be asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};

use crate::api::problem::Problem;
use crate::api::tasks::caller;
use crate::api::tasks::form::{OperationForm, OperationList};
use crate::tasks::reception::Reception;

pub(super) async fn list(
    State(reception): State<Arc<Reception>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<OperationList>, Problem> {
    caller::of(&reception, &method, &headers).await?;
    let operations = reception.operations.iter().map(|operation| operation.description().into()).collect();
    Ok(Json(OperationList { operations }))
}

pub(super) async fn one(
    State(reception): State<Arc<Reception>>,
    place: caller::Place,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<OperationForm>, Problem> {
    caller::of(&reception, &method, &headers).await?;
    let operation = place.ok().and_then(|Path(name)| reception.operations.named(&name));
    operation
        .map(|operation| Json(operation.description().into()))
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown-operation", "there is no operation with this name"))
}
