//! `DELETE /tasks/{id}`: cancels a task, and forgets it after a while.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::problem::Problem;
use crate::api::tasks::form::TaskForm;
use crate::api::tasks::{caller, refusal};
use crate::tasks::reception::Reception;
use crate::tasks::store::Deleted;

pub(super) async fn task(
    State(reception): State<Arc<Reception>>,
    place: caller::Place,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller::of(&reception, &method, &headers).await?;
    let task = caller::task(&reception, &caller, &place).await?;
    match reception.delete(task.id).await? {
        Deleted::Now(task) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(TaskForm::whole(&task))).into_response()),
        Deleted::Before => Err(refusal::deleted(task.id)),
        Deleted::Unknown => Err(refusal::no_such_task()),
    }
}
