//! Tasks that do nothing: from the moment that the first one is asked for until the last one is complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::lifecycle::Tasks;
use taskgate::random;
use taskgate::secret::SecretText;
use taskgate::tasks::desk;
use taskgate::tasks::operations::Operations;
use taskgate::tasks::queue::{Office, Queue};
use taskgate::tasks::request::Request;
use taskgate::tasks::row::{Owner, TaskId};
use taskgate::tasks::seal::Vault;
use taskgate::tasks::store::{self, Limits, NewTask, Settings, Store, Submitted};
use taskgate::tasks::worker::{Means, Worker, WorkerSettings};
use taskgate::telemetry::metrics::Metrics;
use taskgate_core::key::{KeyId, Secret};
use taskgate_test_kit::Postgres;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::screen;
use crate::tasks::arguments::Options;
use crate::tasks::timed::Timed;

/// How many ask at one time.
const CLIENTS: u32 = 64;
/// How many tasks the worker works on at one time.
const CONCURRENT: usize = 64;
/// Limits that nobody meets.
const ROOM: Limits = Limits { queued_per_user: 2_000_000, running_per_user: 1_000, queued: 2_000_000, running: 1_000 };
/// A credential as long as many are.
const CREDENTIAL: usize = 900;
/// How long a round may take.
const ROUND: Duration = Duration::from_secs(300);
/// How long the end may take.
const END: Duration = Duration::from_secs(10);

/// Where tasks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Sqlite,
    Postgres,
}

/// What a round on a database came to.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) database: Database,
    /// Tasks accepted in a second.
    pub(super) accepted: f64,
    /// Tasks done in a second, from asking to completion.
    pub(super) done: f64,
    /// How long claims took.
    pub(super) claims: Vec<Duration>,
}

/// What submits.
struct Client {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    owners: u32,
    next: AtomicU32,
    total: u32,
}

impl Database {
    pub(super) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Rounds on both databases in turns, each with a new one.
pub(super) async fn measure(options: &Options) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for round in 1..=options.rounds() {
        for database in Database::ALL {
            let sample = match database {
                Database::Sqlite => {
                    let directory = tempfile::tempdir()?;
                    let address = format!("sqlite:{}", directory.path().join("tasks.db").display());
                    sample(database, &address, options).await?
                }
                Database::Postgres => {
                    let server = Postgres::start()?;
                    sample(database, &server.url(), options).await?
                }
            };
            screen::line(&format!("round {round}, {:<12}{:>8.0} tasks/s", database.name(), sample.done));
            samples.push(sample);
        }
    }
    Ok(samples)
}

async fn sample(database: Database, address: &str, options: &Options) -> anyhow::Result<Sample> {
    let (working, keeping) = (Tasks::new(), Tasks::new());
    let store = store::open(address, &Settings::default(), &keeping).await?;
    let vault = Arc::new(Vault::new(&[(KeyId::parse("bench")?, Secret::new(random::bytes()?))]));
    let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::new()));
    let office = Office::new(Arc::clone(&store), Arc::clone(&vault), clock, metrics, ROOM);
    let queue = Arc::new(Timed::new(Arc::new(office)));
    let means = Means {
        name: "bench".to_owned(),
        settings: WorkerSettings { concurrent: CONCURRENT, ..WorkerSettings::default() },
        queue: Arc::clone(&queue) as Arc<dyn Queue>,
        operations: Arc::new(Operations::built_in()),
        server: None,
    };
    desk::start(&Worker::new(means, working.clone()), &working);

    let (owners, total) = (options.owners, options.tasks());
    let client = Arc::new(Client { store: Arc::clone(&store), vault, owners, next: AtomicU32::new(0), total });
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = Arc::clone(&client);
        clients.spawn(async move { client.submit().await });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let accepted = start.elapsed();
    timeout(ROUND, queue.wait(total)).await.context("not all tasks are done")?;
    let done = start.elapsed();
    ensure!(working.end(END).await, "the worker does not end");
    ensure!(keeping.end(END).await, "the store does not end");
    store.close().await;
    let rate = |time: Duration| f64::from(total) / time.as_secs_f64();
    Ok(Sample { database, accepted: rate(accepted), done: rate(done), claims: queue.claims() })
}

impl Client {
    async fn submit(&self) -> anyhow::Result<()> {
        let credential = SecretText::from(format!("Bearer {}", "x".repeat(CREDENTIAL)));
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.total {
                return Ok(());
            }
            // No two are the same: of equal ones one is accepted.
            let source = json!([{"domain": format!("/home/bench/{number}.h5"), "h5path": "/"}]);
            let request: Request = serde_json::from_value(json!({"operation": "noop", "src": source, "args": {}}))?;
            let owner = Owner::new(format!("user{}", number % self.owners));
            let now = SystemClock.now();
            let id = TaskId::new(now, random::bytes()?);
            let task = NewTask {
                id,
                digest: request.digest(owner.as_str()),
                credential: self.vault.seal(id, &owner, &credential)?,
                owner,
                request,
                idempotency: None,
                credential_expires: None,
                deadline: Some(now.after(ROUND)),
                max_attempts: 3,
            };
            match self.store.submit(task, &ROOM, now).await? {
                Submitted::Accepted(_) => {}
                other => bail!("a task was not accepted: {other:?}"),
            }
        }
    }
}
