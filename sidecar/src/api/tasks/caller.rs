//! Who asks, and which task they may see.

use std::collections::HashMap;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::api::problem::Problem;
use crate::api::tasks::refusal;
use crate::secret::SecretText;
use crate::tasks::identity::Caller;
use crate::tasks::reception::Reception;
use crate::tasks::row::{Task, TaskId};

/// Where a browser says that another site has it ask.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who asks.
///
/// # Errors
/// A [`Problem`] if nobody knows, and where another site has somebody's browser change something.
pub(super) async fn of(reception: &Reception, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    let is_foreign = headers.get(FETCH_SITE).is_some_and(|site| !["same-origin", "none"].iter().any(|own| site == own));
    if is_foreign && !method.is_safe() {
        let detail = "a page of another site can't do this with a password that the browser remembers";
        return Err(Problem::new(StatusCode::FORBIDDEN, "cross-site-request", detail));
    }
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => line,
        (None, _) => return Err(refusal::unauthorised("credential-missing", "`Authorization` is missing")),
        (Some(_), Some(_)) => return Err(Problem::malformed("there are two `Authorization` headers")),
    };
    let text = line.to_str().map_err(|_| Problem::malformed("`Authorization` has other than visible ASCII"))?;
    Ok(reception.identities.of(SecretText::from(text.to_owned())).await?)
}

/// What stands in the address in place of an id or a name.
pub(super) type Place = Result<Path<String>, PathRejection>;

/// The task with that id, if there is one that `caller` may see; deleted ones too.
///
/// # Errors
/// A [`Problem`] if there is none.
pub(super) async fn task(reception: &Reception, caller: &Caller, place: &Place) -> Result<Task, Problem> {
    let id = place.as_ref().ok().and_then(|Path(id)| TaskId::parse(id).ok()).ok_or_else(refusal::no_such_task)?;
    seen(caller, reception.store.get(id).await?)
}

/// The task, if `caller` may see it.
///
/// # Errors
/// A [`Problem`] if not, or if there is none: nobody can tell which.
pub(super) fn seen(caller: &Caller, task: Option<Task>) -> Result<Task, Problem> {
    task.filter(|task| caller.is_admin || task.owner == caller.owner).ok_or_else(refusal::no_such_task)
}

/// The query parameters of these names. Others are passed over.
///
/// # Errors
/// A [`Problem`] if one of them is there twice.
pub(super) fn parameters(
    query: Option<&str>,
    known: &[&'static str],
) -> Result<HashMap<&'static str, String>, Problem> {
    let mut parameters = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(name) = known.iter().find(|known| **known == name) else { continue };
        if parameters.insert(*name, value.into_owned()).is_some() {
            return Err(Problem::malformed(format!("there are two parameters `{name}`")));
        }
    }
    Ok(parameters)
}
