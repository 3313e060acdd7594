//! `GET /v1/data/logs/{project}/{domain}/{run}/{action}/{attempt}`: a log as it grows.
//!
//! As server-sent events where that is asked for (`Accept: text/event-stream`), else as plain text. Events are
//! `line`, then one `end`, or one `error`: so a browser knows that it need not come again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::api::data::place::{self, Parts};
use crate::api::problem::Problem;
use crate::data::error::DataError;
use crate::data::service::{DataService, LogLine, LogStream};

/// How often a silent stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
struct LineForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    message: String,
}

pub(super) async fn tail(
    State(service): State<Arc<DataService>>,
    place: Parts<(String, String, String, String, u32)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let (project, domain, run, name, attempt) = place::parts(place)?;
    let organization = place::parameter(query.as_deref(), "organization")?;
    let action = place::action(organization, &project, &domain, run, name)?;
    let lines = service.tail_logs(&caller, &action, attempt).await?;
    let wants_events = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("text/event-stream")));
    let mut response = if wants_events { events(lines) } else { text(lines) };
    // A proxy that gathers the answer before it passes it on would hold lines back.
    for (name, value) in
        [("cache-control", "no-store"), ("x-accel-buffering", "no"), ("x-content-type-options", "nosniff")]
    {
        response.headers_mut().insert(HeaderName::from_static(name), header::HeaderValue::from_static(value));
    }
    Ok(response)
}

fn events(lines: LogStream) -> Response {
    // After an error comes no end.
    let whole = stream::unfold(Some(lines), |lines| async move {
        let mut lines = lines?;
        Some(match lines.next().await {
            Some(Ok(batch)) => (batch.into_iter().map(line_event).collect(), Some(lines)),
            Some(Err(error)) => (vec![error_event(&error)], None),
            None => (vec![Event::default().event("end").data("{}")], None),
        })
    });
    let events = whole.flat_map(|batch: Vec<Event>| stream::iter(batch.into_iter().map(Ok::<_, Infallible>)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn line_event(line: LogLine) -> Event {
    let form = LineForm { time: line.time.and_then(date), message: line.message };
    Event::default().event("line").data(serde_json::to_string(&form).unwrap_or_default())
}

fn error_event(error: &DataError) -> Event {
    #[derive(Serialize)]
    struct ErrorForm {
        detail: String,
    }
    let form = ErrorForm { detail: error.to_string() };
    Event::default().event("error").data(serde_json::to_string(&form).unwrap_or_default())
}

fn text(lines: LogStream) -> Response {
    let pieces = lines.map(|batch| {
        let mut text = String::new();
        for LogLine { time, message } in batch? {
            if let Some(date) = time.and_then(date) {
                text.push_str(&date);
                text.push(' ');
            }
            text.push_str(&message);
            text.push('\n');
        }
        Ok::<_, DataError>(Bytes::from(text))
    });
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(pieces)).into_response()
}

fn date((seconds, nanos): (i64, i32)) -> Option<String> {
    jiff::Timestamp::new(seconds, nanos).ok().map(|date| date.to_string())
}
