//! `GET /tasks/{id}`: how a task is doing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use taskgate_core::task::Status;
use taskgate_core::time::UnixTime;

use crate::api::problem::Problem;
use crate::api::tasks::form::TaskForm;
use crate::api::tasks::prefer::{PREFERENCE_APPLIED, Preferences};
use crate::api::tasks::{caller, refusal, tag};
use crate::tasks::reception::{Reception, is_settled};
use crate::tasks::row::Task;

pub(super) async fn task(
    State(reception): State<Arc<Reception>>,
    place: caller::Place,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller::of(&reception, &method, &headers).await?;
    let mut task = caller::task(&reception, &caller, &place).await?;
    let mut waited = None;
    if let Some(wait) = Preferences::of(&headers).wait {
        // Who says which version they have waits for another one; others wait for the end.
        let is_conditional = headers.contains_key(header::IF_NONE_MATCH);
        let is_awaited =
            |task: &Task| if is_conditional { !tag::is_known(&headers, &tag::of(task)) } else { is_settled(task) };
        let (now, is_waited) = reception.wait(task.id, wait, is_awaited).await?;
        task = caller::seen(&caller, now)?;
        waited = is_waited.then_some(wait);
    }
    if task.deleted.is_some() {
        return Err(refusal::deleted(task.id));
    }
    let fields = self::headers(&task, reception.now());
    let mut response = if tag::is_known(&headers, &tag::of(&task)) {
        (StatusCode::NOT_MODIFIED, fields).into_response()
    } else {
        (fields, Json(TaskForm::whole(&task))).into_response()
    };
    if let Some(applied) = Preferences::applied(false, waited).and_then(|applied| applied.parse().ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The headers of a task: its tag, and when to ask again.
pub(super) fn headers(task: &Task, now: UnixTime) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Only whoever asked may keep it, and must ask each time whether it is still so.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization"));
    if let Ok(tag) = HeaderValue::from_str(&tag::of(task)) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(secs) = retry_after(task, now) {
        headers.insert(header::RETRY_AFTER, secs.into());
    }
    headers
}

/// In how many seconds a task is worth another look: the older it is, the later. None where it is over.
fn retry_after(task: &Task, now: UnixTime) -> Option<u64> {
    if task.is_over() || task.deleted.is_some() {
        return None;
    }
    if task.status == Status::Paused {
        return Some(60);
    }
    Some((now.since(task.created).as_secs() / 10).clamp(1, 30))
}
