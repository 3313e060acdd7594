//! Room for requests that are in memory whole: so many at a time, for so long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::api::problem::Problem;

/// How long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take from then until its answer begins, a slow client's sending included.
const LONGEST: Duration = Duration::from_secs(180);

/// Middleware: a request waits for room, and has it until its answer is sent or nobody wants that any more.
pub(super) async fn within(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(Ok(permit)) = timeout(PATIENCE, room.acquire_owned()).await else { return full() };
    match timeout(LONGEST, next.run(request)).await {
        Ok(answer) => answer.map(|body| keep(body, permit)),
        Err(_) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the request took too long").into_response()
        }
    }
}

/// Middleware: a request has room at once, until its answer is sent, or is told to come again.
pub(super) async fn now_or_never(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match room.try_acquire_owned() {
        Ok(permit) => next.run(request).await.map(|body| keep(body, permit)),
        Err(_) => full(),
    }
}

fn full() -> Response {
    let detail = "too many such requests are under way; try again in a while";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail);
    problem.with_header(header::RETRY_AFTER, "5").into_response()
}

/// Ties a permit to a body: it ends with it.
fn keep(body: Body, permit: OwnedSemaphorePermit) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _held = &permit;
        frame
    }))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_is_kept_until_the_answer_is_gone() {
        let room = Arc::new(Semaphore::new(1));
        let router = Router::new()
            .route("/", get(|| async { "whole" }))
            .route("/slow", get(|| async { std::future::pending::<()>().await }))
            .layer(from_fn_with_state(Arc::clone(&room), within));
        let ask = |path: &str| router.clone().oneshot(Request::get(path).body(Body::empty()).expect("a request"));
        let answer = ask("/").await.expect("an answer");
        assert_eq!(room.available_permits(), 0, "the answer is not sent yet");
        assert_eq!(ask("/").await.expect("an answer").status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(answer);
        assert_eq!(room.available_permits(), 1);
        assert_eq!(ask("/slow").await.expect("an answer").status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(room.available_permits(), 1);
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_at_once() {
        let room = Arc::new(Semaphore::new(1));
        let router = Router::new().route("/", get(|| async { "whole" }));
        let router = router.layer(from_fn_with_state(Arc::clone(&room), now_or_never));
        let ask = || router.clone().oneshot(Request::get("/").body(Body::empty()).expect("a request"));
        let first = ask().await.expect("an answer");
        let second = ask().await.expect("an answer");
        assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
        assert!(second.headers().contains_key(header::RETRY_AFTER));
        drop(first);
        assert_eq!(room.available_permits(), 1);
    }
}
