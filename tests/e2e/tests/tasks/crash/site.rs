//! A sidecar that works on nothing itself, workers beside it, and who asks for tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser, Sidecar, TaskWorker};
use tokio::time::Instant;

use super::TASKS;
use super::dice::Dice;
use super::ledger::{Entry, Ledger, Row};
use super::logs::Logs;
use super::service::{Done, Service};
use crate::support::setup::Setup;

/// How long workers hold a task without prolonging that, in seconds: the least that there is.
const LEASE_SECS: u64 = 2;
/// How many tasks a worker works on at one time.
const CONCURRENT: &str = "6";
/// How long one task may take to be accepted, while the file is kept by a worker that is frozen, say.
const PATIENCE: Duration = Duration::from_secs(60);
/// What fails for a moment is tried again after that.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Site {
    pub(super) service: Service,
    pub(super) ledger: Ledger,
    pub(super) sidecar: Sidecar,
    pub(super) workers: Vec<TaskWorker>,
    _hsds: Hsds,
}

/// What all witnesses say in the end.
pub(super) struct Testimony {
    done: Vec<Done>,
    entries: Vec<Entry>,
    rows: Vec<Row>,
    logs: String,
}

/// Who asks for tasks.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
}

impl Site {
    pub(super) async fn start(store: &str, dice: Dice) -> anyhow::Result<Self> {
        let hsds = Hsds::start().await?;
        let service = Service::start(dice).await?;
        let operation = json!({
            "name": "outside",
            "summary": "Is done by a service that keeps a note of it.",
            "arguments": {"type": "object"},
            "http": {"url": format!("http://{}/", service.address)},
        });
        let setup = Setup::new([]).configure(|config| {
            config["public"] = json!({});
            config["tasks"] = json!({
                "store": store,
                "hsds": {"endpoint": hsds.url()},
                "workers": {"concurrent": 0, "lease_secs": LEASE_SECS},
                "limits": {"queued_per_user": 2 * TASKS, "running_per_user": TASKS},
                "attempts": 1_000,
                "operations": [operation],
            });
        });
        let sidecar = setup.start_sidecar().await?;
        let ledger = Ledger::open(store, sidecar.home().directory()).await?;
        Ok(Self { service, ledger, sidecar, workers: Vec::new(), _hsds: hsds })
    }

    /// Starts one more worker on the database.
    pub(super) fn start_worker(&mut self) -> anyhow::Result<()> {
        self.start_worker_with(&["--concurrent", CONCURRENT])
    }

    /// Starts one more worker that reaches the tasks through the sidecar.
    pub(super) fn start_remote_worker(&mut self, more: &[&str]) -> anyhow::Result<()> {
        let sidecar = format!("http://{}", self.sidecar.internal_address());
        self.start_worker_with(&[&["--sidecar", &sidecar], more].concat())
    }

    fn start_worker_with(&mut self, more: &[&str]) -> anyhow::Result<()> {
        let name = format!("worker-{}", self.workers.len());
        self.workers.push(TaskWorker::start(self.sidecar.home(), &name, more)?);
        Ok(())
    }

    pub(super) fn client(&self) -> Client {
        let url = format!("http://{}/tasks", self.sidecar.home().public_address());
        Client { http: reqwest::Client::new(), url }
    }

    /// Has every worker say what it still has to say, and collects what everybody knows.
    pub(super) async fn end(self) -> anyhow::Result<Testimony> {
        let mut logs = Vec::new();
        for worker in self.workers {
            logs.push(worker.stop().await?);
        }
        logs.push(self.sidecar.log());
        let (entries, rows) = (self.ledger.entries().await?, self.ledger.rows().await?);
        Ok(Testimony { done: self.service.done(), entries, rows, logs: logs.concat() })
    }
}

impl Client {
    /// Asks for a task until it is accepted, by a name that makes it the same each time.
    pub(super) async fn submit(&self, number: usize, is_held: bool) -> anyhow::Result<()> {
        let body = json!({"operation": "outside", "args": {"number": number, "held": is_held}});
        let end = Instant::now() + PATIENCE;
        loop {
            let request = self.http.post(&self.url).header("idempotency-key", format!("task-{number}"));
            let request = request.header("authorization", HsdsUser::One.authorization()).json(&body);
            let outcome = match request.timeout(PATIENCE).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status() == 503 => "503".to_owned(),
                Ok(answer) => bail!("{}: {}", answer.status(), answer.text().await?),
                Err(error) => format!("{error:?}"),
            };
            ensure!(Instant::now() < end, "task {number} is not accepted: {outcome}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Testimony {
    /// Whether every task was done, and completed once by whoever held it.
    pub(super) fn agree(&self, secret: Option<&str>) -> anyhow::Result<()> {
        assert_eq!(self.rows.len(), TASKS, "as many as were asked for");
        let mut entries: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        self.entries.iter().for_each(|entry| entries.entry(&entry.id).or_default().push(entry));
        let logs = Logs::read(&self.logs);
        let completions = logs.transitions("complete");
        for (id, status, epoch, attempts, _, result, is_closed) in &self.rows {
            assert_eq!((status.as_str(), *is_closed), ("complete", 1), "{id}");
            let noted = entries.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let [entry] = noted else { bail!("{id} became complete {} times: {noted:?}", noted.len()) };
            assert_eq!((entry.epoch, &entry.result), (*epoch, result), "{id}: nobody wrote after its completion");
            let result: Value = serde_json::from_str(result.as_deref().context("no result")?)?;
            assert_eq!(result["epoch"].as_i64(), Some(*epoch), "{id}: the result is that of whoever held it");
            let epochs: Vec<u64> = self.done.iter().filter(|done| done.task == *id).map(|done| done.epoch).collect();
            let different: BTreeSet<u64> = epochs.iter().copied().collect();
            assert_eq!(different.len(), epochs.len(), "{id}: nobody did it twice under one hold");
            assert!(different.contains(&u64::try_from(*epoch)?), "{id} was not done: {epochs:?}");
            assert!(epochs.len() <= usize::try_from(*attempts)?, "{id}: {epochs:?} in {attempts} attempts");
            // The line of a worker that was killed after its write is missing.
            let lines = completions.get(id.as_str()).copied().unwrap_or_default();
            assert!(lines <= 1, "{id}: {lines} lines of its completion");
        }
        let credential = HsdsUser::One.authorization();
        let credential = credential.trim_start_matches("Basic ");
        for hidden in secret.into_iter().chain([credential]) {
            assert!(!self.logs.contains(hidden), "a secret is in a log");
        }
        Ok(())
    }

    fn refused(&self) -> i64 {
        self.rows.iter().map(|row| row.4).sum()
    }
}

impl fmt::Display for Testimony {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let logs = Logs::read(&self.logs);
        let sum = |counts: BTreeMap<&str, usize>| counts.values().sum::<usize>();
        let (lost, lines) = (sum(logs.transitions("lease-ended")), sum(logs.transitions("complete")));
        let (tasks, done, refused) = (self.rows.len(), self.done.len(), self.refused());
        write!(
            formatter,
            "{tasks} tasks complete, done {done} times; {lines} lines of completions, {lost} of leases that ended, \
             {refused} writes refused"
        )
    }
}
