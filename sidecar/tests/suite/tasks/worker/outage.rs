//! A server that can't be asked, or says that an owner may not go on: what is told to operations, and what it costs.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::work::StopReason;
use taskgate_core::task::Status;

use crate::kit::serve;
use crate::tasks::worker::stage::{Play, Stage, quick, server};

/// The root of the only domain that there is.
const ROOT: &str = "g-11111111-11111111-0000-000000-000000";

/// What is played.
#[derive(Debug)]
struct Server {
    /// The status of all answers where it is an error.
    status: AtomicU16,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let status = StatusCode::from_u16(server.status.load(Ordering::SeqCst)).expect("a status");
    let is_domain = request.uri().path() == "/";
    if !status.is_success() {
        return status.into_response();
    }
    match *request.method() {
        Method::GET => json!({"owner": "alice", "class": "domain", "root": ROOT}).to_string().into_response(),
        Method::POST if is_domain => {
            let body = axum::body::to_bytes(request.into_body(), 9_999).await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let path = body["h5paths"][0].as_str().expect("a path");
            let object = json!({"id": ROOT, "root": ROOT, "domain": "/home/alice/a.h5", "class": "group"});
            json!({"h5paths": {path: object}}).to_string().into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn play() -> (Arc<Server>, String) {
    let server = Arc::new(Server { status: AtomicU16::new(200) });
    let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
    (server, serve(router).await)
}

fn locations() -> Value {
    json!({"src": [{"domain": "/home/alice/a.h5", "h5path": "/x"}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_told_that_nobody_goes_on_with_what_is_forbidden() {
    for (status, expected) in [(403, StopReason::Forbidden), (401, StopReason::CredentialEnded)] {
        let stage = Stage::new().await;
        let (played, url) = play().await;
        let why = Arc::new(Mutex::new(None));
        let told = Arc::clone(&why);
        let play = Play::new(move |work| {
            let (played, told) = (Arc::clone(&played), Arc::clone(&told));
            Box::pin(async move {
                played.status.store(status, Ordering::SeqCst);
                work.stop().cancelled().await;
                *told.lock().expect("a lock") = work.stop_reason();
                Err(WorkError::Stopped)
            })
        });
        let settings = quick().with_lease(Duration::from_millis(1_500));
        let running = stage.work_with(settings, play, Arc::clone(&stage.office) as _, Some(server(&url)));
        let id = stage.submit(stage.task("alice", locations())).await;
        stage.until(id, if status == 401 { Status::Paused } else { Status::Failed }).await;
        assert_eq!(*why.lock().expect("a lock"), Some(expected));
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_can_not_be_asked_costs_no_attempt() {
    let stage = Stage::new().await;
    let (played, url) = play().await;
    played.status.store(500, Ordering::SeqCst);
    let running = stage.work_with(quick(), Play::done(), Arc::clone(&stage.office) as _, Some(server(&url)));
    let id = stage.submit(stage.task("alice", locations())).await;
    let mut late = stage.task("alice", locations());
    late.deadline = Some(SystemClock.now().after(Duration::from_secs(2)));
    let late = stage.submit(late).await;
    let mut following = stage.store.changes().follow(id);
    // More often than it may be attempted.
    while stage.now(id).await.epoch < 5 {
        following.changed().await;
    }
    let waiting = stage.now(id).await;
    assert!(waiting.finished.is_none() && waiting.attempts <= 1, "{waiting:?}");
    let failure = waiting.failure.expect("it says what is in its way");
    assert_eq!((failure.code.as_str(), failure.is_final), ("unavailable", false));
    assert_eq!(stage.until(late, Status::Failed).await.failure.expect("a failure").code, "deadline-exceeded");
    played.status.store(200, Ordering::SeqCst);
    assert_eq!(stage.until(id, Status::Complete).await.attempts, 1);
    running.end().await;
}
