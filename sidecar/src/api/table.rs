//! `GET /internal/table`: a page of the table.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use taskgate_core::feed::{ANSWER_HEADER, Cursor, TABLE_ANSWER};

use crate::api::problem::Problem;
use crate::app::App;
use crate::feed::Ask;
use crate::telemetry::metrics::Metrics;

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct TableQuery {
    #[serde(default)]
    epoch: u64,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    began: u64,
    #[serde(default)]
    control: u64,
    #[serde(default)]
    wait_ms: u64,
}

/// Counts a reader for as long as it waits.
struct Waiting(Arc<Metrics>);

impl Waiting {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.feed_readers.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.feed_readers.dec();
    }
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    query: Result<Query<TableQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| Problem::malformed("epoch, since, began, control and wait_ms are numbers"))?;
    let cursor = Cursor { epoch: query.epoch, number: query.since, began: query.began };
    let ask = Ask { cursor, control: query.control };
    let waiting = Waiting::new(&app.metrics);
    let page = app.feed.next_page(ask, Duration::from_millis(query.wait_ms), &app.stop).await;
    drop(waiting);
    let page = page.map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        Problem::internal()
    })?;
    app.metrics.feed_pages.inc();
    app.metrics.feed_bytes.inc_by(u64::try_from(page.bytes.len()).unwrap_or_default());
    if page.reset {
        app.metrics.feed_resets.inc();
    }
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/octet-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        (ANSWER_HEADER, TABLE_ANSWER),
    ];
    Ok((StatusCode::OK, headers, page.bytes).into_response())
}
