//! `POST /tasks`: asks for a task.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::body;
use crate::api::problem::Problem;
use crate::api::tasks::form::{TaskForm, href};
use crate::api::tasks::prefer::{PREFERENCE_APPLIED, Preferences};
use crate::api::tasks::{caller, key, refusal, show};
use crate::tasks::reception::{Accepted, Reception, is_settled};
use crate::tasks::request::Request;

/// The most bytes of a request.
const MAX_BODY: usize = 1 << 20;
/// How long it may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(15);
/// The most characters of what is wrong with a request.
const MAX_REASON: usize = 300;
/// The longest part of it that says where, in characters.
const MAX_PLACE: usize = 100;

pub(super) async fn accept(
    State(reception): State<Arc<Reception>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = caller::of(&reception, &method, &headers).await?;
    is_json(&headers)?;
    let key = key::of(&headers)?;
    let preferences = Preferences::of(&headers);
    let accepted = {
        // The body is read once it is known whose it is, and of so many at one time, of one owner too.
        let _place = reception.place(&caller.owner).await?;
        let request = read(&body::bytes_within(body, MAX_BODY, MAX_TIME).await?)?;
        reception.accept(&caller, request, key).await?
    };
    let (Accepted::Now(mut task) | Accepted::Before(mut task)) = accepted;
    let mut waited = None;
    if let Some(wait) = preferences.wait
        && !is_settled(&task)
    {
        let (now, is_waited) = reception.wait(task.id, wait, is_settled).await?;
        // It may be forgotten by now, where nothing is kept; then what is known of it is what was accepted.
        task = now.map_or(task, Box::new);
        waited = is_waited.then_some(wait);
    }
    if task.deleted.is_some() {
        return Err(refusal::deleted(task.id));
    }
    let is_async = preferences.is_async && !(preferences.wait.is_some() && is_settled(&task));
    let status = if is_async { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = (status, show::headers(&task, reception.now()), Json(TaskForm::whole(&task))).into_response();
    let fields = [
        (header::LOCATION, Some(href(task.id))),
        (header::CACHE_CONTROL, Some("no-store".to_owned())),
        (PREFERENCE_APPLIED, Preferences::applied(is_async, waited)),
    ];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// JSON, or whatever a client does not say: the one that this is for sends no type.
fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type-unsupported", detail);
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(unsupported("the body must not be compressed"));
    }
    let Some(named) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = named.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(unsupported("the body must be `application/json`; with curl: `--json`"))
    }
}

/// Reads a request, and says where it is none.
fn read(bytes: &[u8]) -> Result<Request, Problem> {
    // A list of what an object has would be read too.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("the body must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let request: Request = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner().to_string());
        let place = match path.char_indices().nth(MAX_PLACE) {
            _ if path == "." => String::new(),
            Some((end, _)) => format!("`{}…`: ", &path[..end]),
            None => format!("`{path}`: "),
        };
        malformed(&format!("{place}{inner}"))
    })?;
    reader.end().map_err(|error| malformed(&error.to_string()))?;
    Ok(request)
}

/// What is wrong may quote what was sent: it is cut, and goes back to who sent it alone.
fn malformed(reason: &str) -> Problem {
    let reason: String = reason.chars().filter(|letter| !letter.is_control()).take(MAX_REASON).collect();
    Problem::malformed(reason)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn reason(text: &str) -> String {
        let problem = read(text.as_bytes()).expect_err("no request");
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
        serde_json::to_value(&problem).expect("JSON")["detail"].as_str().expect("a detail").to_owned()
    }

    #[test]
    fn what_is_no_request_says_where() {
        for (text, part) in [
            ("", "must be a JSON object"),
            (r#"["noop"]"#, "must be a JSON object"),
            (" {", "EOF"),
            ("{}", "missing field `operation`"),
            (r#"{"operation": "copy", "args": []}"#, "`args`: invalid type"),
            (r#"{"operation": "copy", "src": [{"domain": "/a"}]}"#, "`src[0]`: an object is named"),
            (r#"{"operation": "copy", "src": {}}"#, "`src`: "),
            (r#"{"operation": "copy", "code": 1}"#, "unknown field `code`"),
            (r#"{"operation": "copy"} {}"#, "trailing characters at line 1 column 23"),
            (r#"{"operation": "copy", "args": {"x": NaN}}"#, "line 1 column"),
            (r#"{"operation": "copy", "operation": "copy"}"#, "duplicate field"),
        ] {
            let reason = reason(text);
            assert!(reason.contains(part), "{text}: {reason}");
        }
        let deep = format!(r#"{{"operation": "copy", "args": {{"x": {}}}}}"#, "[".repeat(100_000));
        assert!(reason(&deep).contains("recursion limit"));
        let long = reason(&format!(r#"{{"operation": ["{}"]}}"#, "\\n".repeat(9_999)));
        assert!(long.chars().count() <= MAX_REASON && !long.contains('\n'), "{long}");
    }

    #[test]
    fn a_body_is_json_or_says_nothing() {
        let with = |value: &'static str| {
            is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert!(is_json(&HeaderMap::new()).is_ok());
        assert!(with("application/json").is_ok() && with("Application/JSON; charset=utf-8").is_ok());
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", ""] {
            assert!(with(other).is_err(), "{other}");
        }
    }
}
