//! `POST` or `PUT /tasks/{id}/credential`: lets a paused task go on, with the credential of this very request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::problem::Problem;
use crate::api::tasks::form::TaskForm;
use crate::api::tasks::{caller, refusal, show};
use crate::tasks::reception::Reception;
use crate::tasks::store::Resumed;

pub(super) async fn replace(
    State(reception): State<Arc<Reception>>,
    place: caller::Place,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller::of(&reception, &method, &headers).await?;
    let task = caller::task(&reception, &caller, &place).await?;
    if task.owner != caller.owner {
        // What the work may do is what its owner may, not what whoever lets it go on may.
        let detail = "only its owner can let a task go on: it works with their credential";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not-the-owner", detail));
    }
    match reception.resume(task.id, &caller).await? {
        Resumed::Now(task) => {
            let mut fields = show::headers(&task, reception.now());
            fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            Ok((fields, Json(TaskForm::whole(&task))).into_response())
        }
        Resumed::NotPaused(status) => {
            let detail = format!("the task is {status}, and waits for no credential");
            Err(Problem::new(StatusCode::CONFLICT, "not-paused", detail).with("taskid", task.id.to_string()))
        }
        Resumed::Deleted => Err(refusal::deleted(task.id)),
        Resumed::Unknown => Err(refusal::no_such_task()),
    }
}
