//! What stands in for a cluster: as much of its API as logs of pods need.
//!
//! Kubernetes' own client judges it ([`super::judge`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The token that it knows.
pub(super) const TOKEN: &str = "token-of-the-sidecar";
/// The namespace that nobody may read.
pub(super) const CLOSED: &str = "closed";

/// How a pod does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// What one container wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    lines: Vec<(Timestamp, String)>,
    /// That the connection breaks after them.
    breaks: bool,
}

#[derive(Clone, Debug)]
struct PodState {
    phase: Phase,
    /// By the names of containers; none: it has not begun.
    containers: Vec<(String, Option<Written>)>,
}

/// What it is asked, and what changes.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pods: Mutex<BTreeMap<(String, String), PodState>>,
    asked: Mutex<Vec<String>>,
    changes: watch::Sender<u64>,
    /// How many logs are being followed.
    readers: watch::Sender<usize>,
}

/// Somebody who follows a log.
struct Reader(Arc<Shared>);

impl Reader {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.readers.send_modify(|count| *count += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.send_modify(|count| *count -= 1);
    }
}

impl Cluster {
    /// Starts it, with no pods.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            pods: Mutex::default(),
            asked: Mutex::default(),
            changes: watch::Sender::new(0),
            readers: watch::Sender::new(0),
        });
        let app = Router::new()
            .route("/api/v1/namespaces/{namespace}/pods/{name}", get(pod))
            .route("/api/v1/namespaces/{namespace}/pods/{name}/log", get(log))
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), enter))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// Adds a pod of namespace `jobs` whose containers have written nothing; in a pod that waits they have not begun.
    pub(super) fn add(&self, name: &str, phase: Phase, containers: &[&str]) {
        self.add_in("jobs", name, phase, containers);
    }

    pub(super) fn add_in(&self, namespace: &str, name: &str, phase: Phase, containers: &[&str]) {
        let written = (phase != Phase::Pending).then(Written::default);
        let containers = containers.iter().map(|name| ((*name).to_owned(), written.clone())).collect();
        lock(&self.shared.pods).insert((namespace.into(), name.into()), PodState { phase, containers });
    }

    /// Has the first container of a pod of `jobs` write a line now.
    pub(super) fn write(&self, pod: &str, line: &str) {
        self.write_at(pod, Timestamp::now(), line);
    }

    pub(super) fn write_at(&self, pod: &str, time: Timestamp, line: &str) {
        self.change(pod, |pod| first(pod).lines.push((time, line.into())));
    }

    /// Has a pod of `jobs` come into another phase.
    pub(super) fn turn(&self, pod: &str, phase: Phase) {
        self.change(pod, |pod| pod.phase = phase);
    }

    /// Breaks the connections of those who read the first container's log.
    pub(super) fn break_off(&self, pod: &str) {
        self.change(pod, |pod| first(pod).breaks = true);
    }

    /// Where it was asked for logs, with the queries.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.asked))
    }

    /// Waits until so many logs are being followed.
    pub(super) async fn has_readers(&self, count: usize) {
        let mut readers = self.shared.readers.subscribe();
        let all = readers.wait_for(|now| *now == count);
        tokio::time::timeout(super::PATIENCE, all).await.expect("in time").expect("lives");
    }

    fn change(&self, pod: &str, change: impl FnOnce(&mut PodState)) {
        change(lock(&self.shared.pods).get_mut(&("jobs".to_owned(), pod.to_owned())).expect("a pod"));
        self.shared.changes.send_modify(|count| *count += 1);
    }
}

fn first(pod: &mut PodState) -> &mut Written {
    pod.containers.first_mut().expect("a container").1.get_or_insert_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test broke")
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status.as_u16(),
    });
    (status, axum::Json(body)).into_response()
}

/// What stands before every question.
async fn enter(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // Queries may begin with nothing.
    lock(&shared.asked).push(request.uri().to_string().replace("?&", "?"));
    let expected = format!("Bearer {TOKEN}");
    if request.headers().get("authorization").is_none_or(|value| value.as_bytes() != expected.as_bytes()) {
        return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    }
    if request.uri().path().contains(&format!("/namespaces/{CLOSED}/")) {
        let message = "pods is forbidden: User \"system:serviceaccount:taskgate:default\" cannot get resource";
        return refusal(StatusCode::FORBIDDEN, "Forbidden", message);
    }
    next.run(request).await
}

async fn pod(State(shared): State<Arc<Shared>>, Path(place): Path<(String, String)>) -> Response {
    let Some(found) = lock(&shared.pods).get(&place).cloned() else { return no_pod(&place.1) };
    let (namespace, name) = place;
    let containers: Vec<_> =
        found.containers.iter().map(|(name, _)| json!({"name": name, "image": "busybox", "resources": {}})).collect();
    axum::Json(json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": containers}, "status": {"phase": format!("{:?}", found.phase)},
    }))
    .into_response()
}

fn no_pod(name: &str) -> Response {
    refusal(StatusCode::NOT_FOUND, "NotFound", &format!("pods \"{name}\" not found"))
}

async fn log(
    State(shared): State<Arc<Shared>>,
    Path(place): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let Some(found) = lock(&shared.pods).get(&place).cloned() else { return no_pod(&place.1) };
    let bad = |message: String| refusal(StatusCode::BAD_REQUEST, "BadRequest", &message);
    let name = &place.1;
    let index = match query.get("container") {
        Some(wanted) => found.containers.iter().position(|(name, _)| name == wanted),
        None if found.containers.len() == 1 => Some(0),
        None => return bad(format!("a container name must be specified for pod {name}")),
    };
    let Some(index) = index else { return bad(format!("container is not valid for pod {name}")) };
    let (container, written) = &found.containers[index];
    let Some(written) = written else {
        return bad(format!("container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating"));
    };
    let since = query.get("sinceTime").map(|text| text.parse::<Timestamp>().expect("a date"));
    let since = since.or_else(|| {
        let seconds = query.get("sinceSeconds")?.parse().expect("a number");
        Some(Timestamp::now() - SignedDuration::from_secs(seconds))
    });
    let is_new = |(time, _): &&(Timestamp, String)| since.is_none_or(|since| *time >= since);
    let skipped = written.lines.len() - written.lines.iter().filter(is_new).count();
    let tail = query.get("tailLines").map_or(usize::MAX, |text| text.parse().expect("a number"));
    let position = skipped.max(written.lines.len().saturating_sub(tail));
    // As Go reads what is true.
    let is = |name: &str| query.get(name).is_some_and(|value| ["1", "t", "true", "True"].contains(&value.as_str()));
    let reading = Reading {
        changes: shared.changes.subscribe(),
        _reader: is("follow").then(|| Reader::new(&shared)),
        shared,
        place,
        index,
        position,
        follows: is("follow"),
        has_dates: is("timestamps"),
    };
    let lines = stream::unfold(reading, |mut reading| async move { Some((reading.next().await?, reading)) });
    ([("content-type", "text/plain")], Body::from_stream(lines)).into_response()
}

struct Reading {
    shared: Arc<Shared>,
    changes: watch::Receiver<u64>,
    place: (String, String),
    index: usize,
    position: usize,
    follows: bool,
    has_dates: bool,
    _reader: Option<Reader>,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        loop {
            self.changes.mark_unchanged();
            let pod = lock(&self.shared.pods).get(&self.place).cloned()?;
            let written = pod.containers[self.index].1.clone()?;
            if let Some((time, line)) = written.lines.get(self.position) {
                self.position += 1;
                let date = if self.has_dates { format!("{time:.9} ") } else { String::new() };
                return Some(Ok(format!("{date}{line}\n").into()));
            }
            if written.breaks {
                return Some(Err(std::io::Error::other("broken")));
            }
            if !self.follows || pod.phase != Phase::Running {
                return None;
            }
            self.changes.changed().await.ok()?;
        }
    }
}
