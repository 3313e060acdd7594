//! The operations API: `/healthz`, `/readyz`, `/metrics` and `/metrics/prometheus`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::api::problem::Problem;
use crate::api::{guard, problem};
use crate::app::App;

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    /// Who is missing, also where it is ready without them.
    reasons: BTreeMap<String, String>,
}

/// The operations API's routes.
pub fn router(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/metrics/prometheus", get(metrics_with_task_proxy))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        .with_state(Arc::clone(app));
    guard::net(routes, app)
}

/// Ready is who can serve what can be known now. A provider that is not heard is waited for as long as proxies wait for
/// it, and no longer: else one that is down would keep every new process, and with it the services of all others, away.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let mut reasons: BTreeMap<String, String> = app
        .registry
        .waits_for()
        .into_iter()
        .map(|(provider, reason)| (format!("provider {provider}"), reason))
        .collect();
    let is_ending = app.stop.is_cancelled();
    if is_ending {
        reasons.insert("process".into(), "is about to end".into());
    }
    let ready = app.feed.is_settled() && !is_ending;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons })).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    scraped(app.metrics.text())
}

/// With what Task proxy counts, under its path.
async fn metrics_with_task_proxy(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.judge.load().tell(&app.metrics.task_proxy);
    scraped(app.metrics.text_with_task_proxy())
}

fn scraped(text: Result<String, std::fmt::Error>) -> Result<Response, Problem> {
    let text = text.map_err(|_| Problem::internal())?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}
