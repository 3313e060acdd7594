//! The internal API of tasks: what workers on other machines ask.
//!
//! Owners' credentials go out here. So it asks for the internal secret, as its neighbours do, which guard the key
//! ring.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use taskgate_core::task::Progress;
use tokio_util::sync::CancellationToken;

use crate::api::body;
use crate::api::problem::Problem;
use crate::app::App;
use crate::tasks::queue::wire::{
    CHECK_PATH, CHECKPOINT_PATH, CLAIM_PATH, CheckpointMessage, ClaimMessage, NEWS_PATH, NewsMessage, RENEW_PATH,
    RenewMessage, SETTLE_PATH, SettleMessage, WireRenewed, WireSettled, WireTaken,
};
use crate::tasks::queue::{Office, Queue as _, QueueError};
use crate::tasks::store::{Claimant, Hold, Renewed};
use crate::tasks::work::MAX_CHECKPOINT;

/// The most bytes of a message: a checkpoint in base64, and room.
const MAX_MESSAGE: usize = MAX_CHECKPOINT / 3 * 4 + (1 << 20);
/// How long a message may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(30);
/// The most tasks of one claim: their checkpoints are in the answer.
const MAX_CLAIM: u32 = 100;
/// The most operations of a worker.
const MAX_OPERATIONS: usize = 10_000;
/// The most holds of one message.
const MAX_HOLDS: usize = 10_000;
/// The longest lease.
const MAX_LEASE: Duration = Duration::from_hours(1);
/// The longest wait for news.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The longest name of a worker.
const MAX_NAME: usize = 200;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(CLAIM_PATH, post(claim))
        .route(NEWS_PATH, post(news))
        .route(RENEW_PATH, post(renew))
        .route(CHECK_PATH, post(check))
        .route(CHECKPOINT_PATH, post(checkpoint))
        .route(SETTLE_PATH, post(settle))
}

async fn claim(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: ClaimMessage = read(body).await?;
    if message.worker.is_empty() || message.worker.len() > MAX_NAME || message.worker.chars().any(char::is_control) {
        return Err(Problem::malformed(format!("`worker` must be a name of at most {MAX_NAME} bytes")));
    }
    if message.operations.len() > MAX_OPERATIONS {
        return Err(Problem::malformed(format!("`operations` must be at most {MAX_OPERATIONS} names")));
    }
    // A worker that is told that this process is about to end asks another one.
    if app.stop.is_cancelled() {
        return Ok(Json(Vec::<WireTaken>::new()).into_response());
    }
    let claimant = Claimant { name: message.worker, operations: message.operations };
    let (most, lease) = (message.most.min(MAX_CLAIM), lease(message.lease_ms)?);
    let taken = office(&app)?.claim(&claimant, most, lease).await.map_err(|error| problem(&error))?;
    let mut answer = Json(taken.into_iter().map(WireTaken::from).collect::<Vec<WireTaken>>()).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(answer)
}

async fn news(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: NewsMessage = read(body).await?;
    let mut work = office(&app)?.store().changes().work();
    let wait = Duration::from_millis(message.wait_ms).min(MAX_WAIT);
    unless_ending(&app.stop, tokio::time::timeout(wait, work.wait())).await;
    Ok(Json(()).into_response())
}

async fn renew(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: RenewMessage = read(body).await?;
    let lease = lease(message.lease_ms)?;
    let holds = holds(message)?;
    let renewed = office(&app)?.renew(&holds, lease).await.map_err(|error| problem(&error))?;
    Ok(answers(renewed))
}

async fn check(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: RenewMessage = read(body).await?;
    let holds: Vec<Hold> = holds(message)?.into_iter().map(|(hold, _)| hold).collect();
    let found = office(&app)?.check(&holds).await.map_err(|error| problem(&error))?;
    Ok(answers(found))
}

async fn checkpoint(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: CheckpointMessage = read(body).await?;
    let bytes = message.bytes().map_err(|error| Problem::malformed(error.to_string()))?;
    let (hold, progress) = message.hold.into();
    let renewed = office(&app)?.checkpoint(hold, bytes, progress).await.map_err(|error| problem(&error))?;
    Ok(Json(WireRenewed::from(renewed)).into_response())
}

async fn settle(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let message: SettleMessage = read(body).await?;
    let (mut held, ending, ran) = message.read();
    // It becomes the value of a label.
    if app.desk.as_ref().is_none_or(|desk| desk.operations.named(&held.operation).is_none()) {
        held.operation = "unknown".to_owned();
    }
    let settled = office(&app)?.settle(&held, &ending, ran).await.map_err(|error| problem(&error))?;
    Ok(Json(WireSettled::from(settled)).into_response())
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = body::bytes_within(body, MAX_MESSAGE, MAX_TIME).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::malformed(format!("the message is not what is expected here, at line {line} column {column}"))
    })
}

fn office(app: &App) -> Result<&Arc<Office>, Problem> {
    let desk = app.desk.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no-tasks", "this sidecar has no tasks: its configuration has no `tasks`")
    })?;
    Ok(&desk.office)
}

fn lease(millis: u64) -> Result<Duration, Problem> {
    let lease = Duration::from_millis(millis);
    if lease.is_zero() || lease > MAX_LEASE {
        return Err(Problem::malformed(format!("`lease_ms` must be between 1 and {}", MAX_LEASE.as_millis())));
    }
    Ok(lease)
}

fn holds(message: RenewMessage) -> Result<Vec<(Hold, Progress)>, Problem> {
    if message.holds.len() > MAX_HOLDS {
        return Err(Problem::malformed(format!("at most {MAX_HOLDS} holds at one time")));
    }
    Ok(message.holds.into_iter().map(Into::into).collect())
}

fn answers(renewed: Vec<Renewed>) -> Response {
    Json(renewed.into_iter().map(WireRenewed::from).collect::<Vec<WireRenewed>>()).into_response()
}

fn problem(error: &QueueError) -> Problem {
    tracing::warn!(%error, "a worker was not answered");
    match error {
        QueueError::Unavailable(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "the task store can't be reached now")
        }
        QueueError::Refused(_) => Problem::internal(),
    }
}

async fn unless_ending<T>(stop: &CancellationToken, something: impl Future<Output = T>) {
    tokio::select! {
        _ = something => {}
        () = stop.cancelled() => {}
    }
}
