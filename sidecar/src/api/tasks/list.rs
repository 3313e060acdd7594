//! `GET /tasks`: one's own tasks, the newest first; administrators see those of others too.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use taskgate_core::task::Status;

use crate::api::problem::Problem;
use crate::api::tasks::caller;
use crate::api::tasks::form::{TaskForm, TaskList};
use crate::tasks::identity::Caller;
use crate::tasks::reception::Reception;
use crate::tasks::row::{Owner, TaskId};
use crate::tasks::store::Selection;

/// How many tasks a page has where the client does not say.
const USUAL_LIMIT: u32 = 50;
/// How many a page may have.
const MAX_LIMIT: u32 = 500;
/// How many are read from the store at one time: a task can be large, what is shown of it here is not.
const AT_ONCE: u32 = 25;
/// Everybody's tasks.
const EVERYBODY: &str = "*";

pub(super) async fn page(
    State(reception): State<Arc<Reception>>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = caller::of(&reception, &method, &headers).await?;
    let parameters = caller::parameters(query.as_deref(), &["limit", "after", "status", "owner"])?;
    let given = |name: &str| parameters.get(name).map(String::as_str);
    let limit = given("limit").map_or(Ok(USUAL_LIMIT), limit)?;
    let mut selection = Selection {
        owner: owner(&caller, given("owner"))?,
        statuses: given("status").map_or(Ok(Vec::new()), statuses)?,
        after: given("after").map(cursor).transpose()?,
        limit: 0,
    };
    let mut tasks: Vec<TaskForm> = Vec::new();
    let mut is_more = false;
    while !is_more {
        let missing = limit.saturating_sub(u32::try_from(tasks.len()).unwrap_or(limit));
        // One more than is shown: whether there is another page.
        selection.limit = missing.min(AT_ONCE).saturating_add(1);
        let found = reception.store.list(&selection).await?;
        let is_last = found.len() < usize::try_from(selection.limit).unwrap_or(usize::MAX);
        let shown = missing.min(AT_ONCE);
        tasks.extend(found.iter().take(usize::try_from(shown).unwrap_or(usize::MAX)).map(TaskForm::brief));
        selection.after = tasks.last().map(|task| task.taskid).or(selection.after);
        if is_last {
            break;
        }
        is_more = missing <= AT_ONCE;
    }
    let next = is_more.then_some(selection.after).flatten().map(|last| {
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.append_pair("limit", &limit.to_string()).append_pair("after", &last.to_string());
        for name in ["status", "owner"] {
            if let Some(value) = given(name) {
                next.append_pair(name, value);
            }
        }
        format!("/tasks?{}", next.finish())
    });
    let link = next.as_ref().and_then(|next| format!("<{next}>; rel=\"next\"").parse().ok());
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Json(TaskList { tasks, next })).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Whose tasks are listed; none is everybody's.
fn owner(caller: &Caller, named: Option<&str>) -> Result<Option<Owner>, Problem> {
    match named {
        None => Ok(Some(caller.owner.clone())),
        Some(name) if name == caller.owner.as_str() => Ok(Some(caller.owner.clone())),
        Some(_) if !caller.is_admin => {
            let detail = "only administrators can list the tasks of others";
            Err(Problem::new(StatusCode::FORBIDDEN, "not-an-administrator", detail))
        }
        Some(EVERYBODY) => Ok(None),
        // PostgreSQL knows no such text, and nobody has such a name.
        Some(name) if name.is_empty() || name.contains('\0') => Err(Problem::malformed("`owner` is no name of a user")),
        Some(name) => Ok(Some(Owner::new(name))),
    }
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| Problem::malformed(format!("`limit` must be a number from 1 to {MAX_LIMIT}")))
}

fn cursor(text: &str) -> Result<TaskId, Problem> {
    TaskId::parse(text).map_err(|_| Problem::malformed("`after` must be the id of a task: the last of the page before"))
}

/// States by name, with commas between them.
fn statuses(text: &str) -> Result<Vec<Status>, Problem> {
    let known = || Status::ALL.map(Status::as_str).join("`, `");
    text.split(',')
        .map(|name| Status::parse(name.trim()))
        .collect::<Option<_>>()
        .ok_or_else(|| Problem::malformed(format!("`status` must be of `{}`, with commas between them", known())))
}
