//! A store with a database of its own, and short ways to say things to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::tasks::claimant;
use serde_json::{Value, json};
use sqlx::Connection as _;
use taskgate::digest::Digest;
use taskgate::lifecycle::Tasks;
use taskgate::tasks::row::{Failure, Owner, Sealed, Task, TaskId};
use taskgate::tasks::store::{
    self, Claim, Claimed, Claims, Hold, Idempotency, Limits, NewTask, Outcome, Settings, Settled, Store, StoreError,
    Submitted,
};
use taskgate_core::time::UnixTime;
use taskgate_test_kit::Postgres;
use tempfile::TempDir;

/// Limits that nobody meets.
pub(super) const ROOM: Limits =
    Limits { queued_per_user: 10_000, running_per_user: 10_000, queued: 10_000, running: 10_000 };

/// How long a lease is.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// A store and what is below it.
pub(super) struct Stage {
    pub(super) home: Home,
    pub(super) tasks: Tasks,
    pub(super) store: Arc<dyn Store>,
    made: AtomicU64,
}

/// Where the tasks are.
pub(super) enum Home {
    File(TempDir),
    Server(Postgres),
}

impl Stage {
    pub(super) async fn sqlite() -> Self {
        Self::on(Home::File(tempfile::tempdir().expect("a directory"))).await
    }

    pub(super) async fn postgres() -> Self {
        let server = tokio::task::spawn_blocking(Postgres::start).await.expect("no panic").expect("PostgreSQL");
        Self::on(Home::Server(server)).await
    }

    async fn on(home: Home) -> Self {
        let tasks = Tasks::new();
        let store = open(&home, &tasks).await.expect("a store");
        Self { home, tasks, store, made: AtomicU64::new(0) }
    }

    /// The same database as another process sees it.
    pub(super) async fn another(&self) -> Arc<dyn Store> {
        open(&self.home, &self.tasks).await.expect("a store")
    }

    /// The next task, `number` of which says what is asked for.
    pub(super) fn task(&self, owner: &str, number: u64) -> NewTask {
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        let request = serde_json::from_value(json!({"operation": "factor", "args": {"number": number}}));
        let request: taskgate::tasks::request::Request = request.expect("a request");
        let mut random = [0; 10];
        random[..8].copy_from_slice(&(made << 8).to_be_bytes());
        NewTask {
            id: TaskId::new(at(made), random),
            owner: Owner::new(owner),
            digest: request.digest(owner),
            request,
            idempotency: None,
            credential: Sealed::new(format!("of {owner}").into_bytes()),
            credential_expires: None,
            deadline: None,
            max_attempts: 3,
        }
    }

    /// Submits a task that must be accepted.
    pub(super) async fn accepted(&self, task: NewTask, now: UnixTime) -> Task {
        match self.store.submit(task, &ROOM, now).await {
            Ok(Submitted::Accepted(task)) => *task,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Submits a task of an owner, unlike any other.
    pub(super) async fn any(&self, owner: &str, now: UnixTime) -> Task {
        let number = self.made.load(Ordering::SeqCst) + 1_000_000;
        self.accepted(self.task(owner, number), now).await
    }

    pub(super) async fn claims(&self, max: u32, limits: &Limits, now: UnixTime) -> Claims {
        let claim = Claim { claimant: claimant("worker"), max, lease_until: now.after(LEASE) };
        self.store.claim(&claim, limits, now).await.expect("claims")
    }

    /// Claims the one task that is due.
    pub(super) async fn claimed(&self, now: UnixTime) -> Claimed {
        let mut claims = self.claims(10, &ROOM, now).await;
        assert_eq!(claims.tasks.len(), 1, "one task is due");
        claims.tasks.pop().expect("one")
    }

    pub(super) async fn settle(&self, hold: Hold, outcome: Outcome, now: UnixTime) -> Settled {
        self.store.settle(hold, outcome, now).await.expect("an answer")
    }

    /// How many tasks have a credential in the database.
    pub(super) async fn credentials(&self) -> i64 {
        let count = "SELECT count(*) FROM task WHERE credential IS NOT NULL";
        let count = match &self.home {
            Home::File(_) => {
                let mut file = sqlx::SqliteConnection::connect(&address(&self.home)).await.expect("a connection");
                sqlx::query_scalar(count).fetch_one(&mut file).await
            }
            Home::Server(_) => {
                let mut server = sqlx::PgConnection::connect(&address(&self.home)).await.expect("a connection");
                sqlx::query_scalar(count).fetch_one(&mut server).await
            }
        };
        count.expect("a number")
    }

    pub(super) async fn task_now(&self, id: TaskId) -> Task {
        self.store.get(id).await.expect("an answer").expect("a task")
    }
}

pub(super) async fn open(home: &Home, tasks: &Tasks) -> Result<Arc<dyn Store>, StoreError> {
    let settings = Settings { poll: Duration::from_millis(20), ..Settings::default() };
    store::open(&address(home), &settings, tasks).await
}

fn address(home: &Home) -> String {
    match home {
        Home::File(directory) => format!("sqlite:{}", directory.path().join("tasks.db").display()),
        Home::Server(server) => server.url(),
    }
}

/// A time, in seconds after an arbitrary one.
pub(super) fn at(secs: u64) -> UnixTime {
    UnixTime::from_millis(1_800_000_000_000 + secs * 1000)
}

pub(super) fn named(key: &str, what: &str) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), digest: Digest::of(what.as_bytes()) })
}

pub(super) fn failure(code: &str) -> Failure {
    Failure { code: code.to_owned(), detail: format!("it is {code}"), is_final: false }
}

pub(super) fn complete() -> Outcome {
    Outcome::Complete(Value::from("done"))
}
