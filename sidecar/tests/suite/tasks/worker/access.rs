//! Whether owners may still do what they asked for. The server is played: its rights change when a test says so.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use taskgate::tasks::row::TaskId;
use taskgate_core::task::Status;

use crate::kit::serve;
use crate::tasks::worker::stage::{Play, Running, Seen, Stage, quick, server};

const ROOT: &str = "g-11111111-11111111-0000-000000-000000";
const LINKED_ROOT: &str = "g-22222222-22222222-0000-000000-000000";

/// What is played, and what was asked of it.
#[derive(Debug, Default)]
struct Server {
    /// The status of a domain.
    status: AtomicU16,
    /// The status of the domain that the source is in, through a link.
    linked: AtomicU16,
    /// The status of questions for the right to write.
    written: AtomicU16,
    domains: AtomicU32,
    flushes: AtomicU32,
    /// Who asked.
    credentials: Mutex<Vec<String>>,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let credential = request.headers().get("authorization").map(|value| value.to_str().expect("text").to_owned());
    server.credentials.lock().expect("a lock").extend(credential);
    // Other requests of these methods ask what may be done: they have nothing in them.
    let is_probe = request.uri().path() != "/";
    if is_probe && matches!(*request.method(), Method::PUT | Method::POST) {
        return StatusCode::from_u16(server.written.load(Ordering::SeqCst)).expect("a status").into_response();
    }
    if request.method() == Method::PUT {
        server.flushes.fetch_add(1, Ordering::SeqCst);
        return StatusCode::NO_CONTENT.into_response();
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    if request.method() == Method::POST {
        // `/x` is a link into another domain.
        let body = axum::body::to_bytes(request.into_body(), 9_999).await.expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let path = body["h5paths"][0].as_str().expect("a path").to_owned();
        let (root, domain) = if path == "/x" { (LINKED_ROOT, "/home/bob/c.h5") } else { (ROOT, "/home/alice/b.h5") };
        let object = json!({"id": root, "root": root, "domain": domain, "class": "group"});
        return axum::Json(json!({"h5paths": {path: object}})).into_response();
    }
    let is_linked = query.contains("bob");
    let status = if is_linked { &server.linked } else { &server.status };
    if !is_linked {
        server.domains.fetch_add(1, Ordering::SeqCst);
    }
    let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).expect("a status");
    let root = if is_linked { LINKED_ROOT } else { ROOT };
    (status, json!({"owner": "alice", "class": "domain", "root": root}).to_string()).into_response()
}

async fn play() -> (Arc<Server>, String) {
    let [status, linked, written] = [200, 200, 204].map(AtomicU16::new);
    let server = Arc::new(Server { status, linked, written, ..Server::default() });
    let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
    (server, serve(router).await)
}

fn locations() -> serde_json::Value {
    json!({
        "src": [{"domain": "/home/alice/a.h5", "h5path": "/x"}],
        "des": [{"domain": "/home/alice/b.h5", "h5path": "/y"}],
    })
}

/// A task that is worked on, with the server that is asked about it.
struct Begun {
    stage: Stage,
    played: Arc<Server>,
    seen: Arc<Seen>,
    running: Running,
    id: TaskId,
}

async fn begun() -> Begun {
    let stage = Stage::new().await;
    let (played, url) = play().await;
    let seen = Arc::new(Seen::default());
    let settings = quick().with_lease(Duration::from_millis(4_500));
    let queue = Arc::clone(&stage.office) as _;
    let running = stage.work_with(settings, Play::endless(&seen), queue, Some(server(&url)));
    let id = stage.submit(stage.task("alice", locations())).await;
    seen.wait(1).await;
    Begun { stage, played, seen, running, id }
}

/// How a task ends for which some requests are answered otherwise from some moment on.
async fn revoked(status: u16, of: fn(&Server) -> &AtomicU16) -> taskgate::tasks::row::Task {
    let Begun { stage, played, seen, running, id } = begun().await;
    assert!(played.domains.load(Ordering::SeqCst) >= 2, "both domains were asked for when it was claimed");
    of(&played).store(status, Ordering::SeqCst);
    seen.wait(0).await;
    let task = stage.until(id, if status == 401 { Status::Paused } else { Status::Failed }).await;
    assert!(played.credentials.lock().expect("a lock").iter().all(|credential| credential == "Bearer one"));
    running.end().await;
    task
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_that_is_taken_away_ends_the_task() {
    let failure = revoked(403, |server| &server.status).await.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), failure.is_final), ("forbidden", true));
    assert!(failure.detail.contains("/home/alice/a.h5"), "{}", failure.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_to_what_a_link_leads_to_that_is_taken_away_ends_the_task() {
    let failure = revoked(403, |server| &server.linked).await.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), failure.is_final), ("forbidden", true));
    assert!(failure.detail.contains("may not read `src[0]`"), "{}", failure.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_to_write_that_is_taken_away_ends_the_task() {
    let failure = revoked(403, |server| &server.written).await.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), failure.is_final), ("forbidden", true));
    assert!(failure.detail.contains("may not update `des[0]`"), "{}", failure.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_ends_pauses_the_task() {
    assert_eq!(revoked(401, |server| &server.status).await.failure.expect("a failure").code, "credential-ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_ends_no_work() {
    let Begun { stage, played, seen, running, id } = begun().await;
    played.status.store(503, Ordering::SeqCst);
    let before = played.domains.load(Ordering::SeqCst);
    while played.domains.load(Ordering::SeqCst) < before + 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((seen.inside(), stage.now(id).await.status), (1, Status::InProgress));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_complete_or_saved_was_flushed_before() {
    let stage = Stage::new().await;
    let (played, url) = play().await;
    let flushed = Arc::clone(&played);
    let play = Play::new(move |work| {
        let flushed = Arc::clone(&flushed);
        Box::pin(async move {
            work.save(&1).await?;
            Ok(json!(flushed.flushes.load(Ordering::SeqCst)))
        })
    });
    let running = stage.work_with(quick(), play, Arc::clone(&stage.office) as _, Some(server(&url)));
    let id = stage.submit(stage.task("alice", locations())).await;
    assert_eq!(stage.until(id, Status::Complete).await.result, Some(json!(1)), "before the checkpoint");
    assert_eq!(played.flushes.load(Ordering::SeqCst), 2, "and before it was complete");
    running.end().await;
}
