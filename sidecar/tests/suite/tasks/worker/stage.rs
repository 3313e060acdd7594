//! A store in a file, workers on it, and an operation that does what it is told.

#![expect(clippy::panic, reason = "a test that can't go on says why")]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::hsds::client::Hsds;
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::lifecycle::Tasks;
use taskgate::secret::SecretText;
use taskgate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use taskgate::tasks::operations::Operations;
use taskgate::tasks::queue::{Ending, Held, Office, Queue, QueueError, Taken};
use taskgate::tasks::request::Request;
use taskgate::tasks::row::{Owner, Task, TaskId};
use taskgate::tasks::seal::Vault;
use taskgate::tasks::store::{self, Claimant, Hold, Limits, NewTask, Renewed, Settled, Store, Submitted};
use taskgate::tasks::work::Work;
use taskgate::tasks::worker::{Means, Worker, WorkerSettings};
use taskgate::telemetry::metrics::Metrics;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::task::{Progress, Status};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Limits that nobody meets.
pub(super) const ROOM: Limits =
    Limits { queued_per_user: 10_000, running_per_user: 10_000, queued: 10_000, running: 10_000 };
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where tasks are, and what may be done.
pub(super) struct Stage {
    pub(super) directory: TempDir,
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) office: Arc<Office>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: Tasks,
    made: AtomicU64,
}

/// A worker that runs.
pub(super) struct Running {
    pub(super) worker: Arc<Worker>,
    pub(super) stop: CancellationToken,
    pub(super) ended: tokio::task::JoinHandle<()>,
}

type Act = dyn for<'a> Fn(&'a mut Work) -> BoxFuture<'a, Result<Value, WorkError>> + Send + Sync;

/// An operation `play` that does what a test wants.
pub(super) struct Play {
    description: Description,
    act: Box<Act>,
}

/// A queue that can't be reached when a test wants it so.
#[derive(Debug)]
pub(super) struct Line {
    queue: Arc<dyn Queue>,
    pub(super) is_cut: AtomicBool,
}

pub(super) fn keys(ids: &[(&str, u8)]) -> Vec<(KeyId, Secret)> {
    ids.iter().map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([*byte; 32]))).collect()
}

/// Settings for tests: everything is quick.
pub(super) fn quick() -> WorkerSettings {
    WorkerSettings {
        look: Duration::from_millis(200),
        poll: Duration::from_millis(200),
        first_pause: Duration::from_millis(20),
        stopping: Duration::from_millis(100),
        ..WorkerSettings::default()
    }
}

/// A task with the credential `Bearer one`.
pub(super) fn new_task(vault: &Vault, id: TaskId, owner: &str, request: Request) -> NewTask {
    let owner = Owner::new(owner);
    let credential = SecretText::from("Bearer one".to_owned());
    NewTask {
        id,
        digest: request.digest(owner.as_str()),
        credential: vault.seal(id, &owner, &credential).expect("sealed"),
        owner,
        request,
        idempotency: None,
        credential_expires: None,
        deadline: None,
        max_attempts: 3,
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let tasks = Tasks::new();
        let address = format!("sqlite:{}", directory.path().join("tasks.db").display());
        let store = store::open(&address, &store::Settings::default(), &tasks).await.expect("a store");
        let vault = Arc::new(Vault::new(&keys(&[("k1", 1)])));
        let metrics = Arc::new(Metrics::new());
        let office =
            Office::new(Arc::clone(&store), Arc::clone(&vault), Arc::new(SystemClock), Arc::clone(&metrics), ROOM);
        Self { directory, store, vault, office: Arc::new(office), metrics, tasks, made: AtomicU64::new(0) }
    }

    /// A task of `play` with the credential `Bearer one`.
    pub(super) fn task(&self, owner: &str, locations: Value) -> NewTask {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let mut request = json!({"operation": "play", "args": {"number": number}});
        let locations: Map<String, Value> = serde_json::from_value(locations).expect("an object");
        for (key, value) in locations {
            request[key] = value;
        }
        self.task_of(owner, serde_json::from_value(request).expect("a request"))
    }

    pub(super) fn task_of(&self, owner: &str, request: Request) -> NewTask {
        let random = self.made.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&(random << 8).to_be_bytes());
        new_task(&self.vault, TaskId::new(SystemClock.now(), bytes), owner, request)
    }

    pub(super) async fn submit(&self, task: NewTask) -> TaskId {
        match self.store.submit(task, &ROOM, SystemClock.now()).await {
            Ok(Submitted::Accepted(task)) => task.id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Submits a task of alice's.
    pub(super) async fn any(&self) -> TaskId {
        self.submit(self.task("alice", json!({}))).await
    }

    pub(super) async fn now(&self, id: TaskId) -> Task {
        self.store.get(id).await.expect("an answer").expect("a task")
    }

    /// Waits for a state.
    pub(super) async fn until(&self, id: TaskId, status: Status) -> Task {
        let mut following = self.store.changes().follow(id);
        let waiting = async {
            loop {
                let task = self.now(id).await;
                if task.status == status {
                    return task;
                }
                let _ = tokio::time::timeout(Duration::from_millis(200), following.changed()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(task) => task,
            Err(_) => panic!("not {status}: {:?}", self.now(id).await),
        }
    }

    /// Starts a worker.
    pub(super) fn work(&self, settings: WorkerSettings, play: Play) -> Running {
        self.work_with(settings, play, Arc::clone(&self.office) as Arc<dyn Queue>, None)
    }

    pub(super) fn work_with(
        &self,
        settings: WorkerSettings,
        play: Play,
        queue: Arc<dyn Queue>,
        server: Option<Hsds>,
    ) -> Running {
        let operations = Arc::new(Operations::built_in().with(Arc::new(play)));
        let name = "worker".to_owned();
        let worker = Worker::new(Means { name, settings, queue, operations, server }, self.tasks.clone());
        let stop = CancellationToken::new();
        let ended = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
        Running { worker, stop, ended }
    }
}

impl Running {
    /// Has it end, and waits for that.
    pub(super) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("ends in time").expect("no panic");
        assert_eq!(self.worker.running(), 0);
    }
}

impl Play {
    pub(super) fn new(
        act: impl for<'a> Fn(&'a mut Work) -> BoxFuture<'a, Result<Value, WorkError>> + Send + Sync + 'static,
    ) -> Self {
        let description = Description {
            name: "play".to_owned(),
            summary: "Does what a test wants.".to_owned(),
            arguments: json!({}),
            sources: 0..=8,
            destinations: 0..=8,
            writes: Writes::Updates,
        };
        Self { description, act: Box::new(act) }
    }

    /// One that is done at once.
    pub(super) fn done() -> Self {
        Self::new(|_| Box::pin(async { Ok(json!("done")) }))
    }

    /// One that goes on until it is stopped, and says so when it begins and when it is dropped.
    pub(super) fn endless(seen: &Arc<Seen>) -> Self {
        let seen = Arc::clone(seen);
        Self::new(move |_| {
            let seen = Arc::clone(&seen);
            Box::pin(async move {
                let _inside = Inside::new(seen);
                std::future::pending().await
            })
        })
    }
}

#[async_trait]
impl Operation for Play {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, _: &Preview<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        (self.act)(work).await
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Play")
    }
}

/// How many attempts are inside an operation, and were at most.
#[derive(Debug, Default)]
pub(super) struct Seen {
    counts: Mutex<(usize, usize)>,
    changed: tokio::sync::Notify,
}

/// One attempt inside an operation.
pub(super) struct Inside(Arc<Seen>);

impl Seen {
    pub(super) fn inside(&self) -> usize {
        self.counts.lock().expect("a lock").0
    }

    pub(super) fn most(&self) -> usize {
        self.counts.lock().expect("a lock").1
    }

    /// Waits until so many are inside.
    pub(super) async fn wait(&self, inside: usize) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if self.inside() == inside {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{} inside", self.inside()));
    }
}

impl Inside {
    pub(super) fn new(seen: Arc<Seen>) -> Self {
        {
            let mut counts = seen.counts.lock().expect("a lock");
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
        }
        seen.changed.notify_waiters();
        Self(seen)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.counts.lock().expect("a lock").0 -= 1;
        self.0.changed.notify_waiters();
    }
}

impl Line {
    pub(super) fn new(queue: Arc<dyn Queue>) -> Arc<Self> {
        Arc::new(Self { queue, is_cut: AtomicBool::new(false) })
    }

    fn open(&self) -> Result<(), QueueError> {
        if self.is_cut.load(Ordering::SeqCst) { Err(QueueError::Unavailable("cut".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Queue for Line {
    async fn claim(&self, claimant: &Claimant, most: u32, lease: Duration) -> Result<Vec<Taken>, QueueError> {
        self.open()?;
        self.queue.claim(claimant, most, lease).await
    }

    async fn news(&self, most: Duration) {
        self.queue.news(most).await;
    }

    async fn renew(&self, holds: &[(Hold, Progress)], lease: Duration) -> Result<Vec<Renewed>, QueueError> {
        self.open()?;
        self.queue.renew(holds, lease).await
    }

    async fn check(&self, holds: &[Hold]) -> Result<Vec<Renewed>, QueueError> {
        self.open()?;
        self.queue.check(holds).await
    }

    async fn checkpoint(&self, hold: Hold, bytes: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError> {
        self.open()?;
        self.queue.checkpoint(hold, bytes, progress).await
    }

    async fn settle(&self, held: &Held, ending: &Ending, ran: Duration) -> Result<Settled, QueueError> {
        self.open()?;
        self.queue.settle(held, ending, ran).await
    }
}

/// A client of a server, with little patience.
pub(super) fn server(endpoint: &str) -> Hsds {
    let mut settings = HsdsSettings::new(endpoint.parse().expect("a URL"));
    settings.patience = Duration::from_secs(5);
    Hsds::new(settings).expect("a client")
}
