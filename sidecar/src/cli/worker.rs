//! `taskgate worker`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::clock::SystemClock;
use crate::config::load::load;
use crate::config::logs::LogsConfig;
use crate::config::resolve::{MAX_SECRET_BYTES, Settings};
use crate::file;
use crate::hsds::client::Hsds;
use crate::hsds::client::settings::HsdsSettings;
use crate::http::parse_url;
use crate::lifecycle::Tasks;
use crate::lifecycle::signals::{Request, Signals};
use crate::secret::SecretText;
use crate::tasks::desk::{Desk, start, worker_name};
use crate::tasks::operations::Operations;
use crate::tasks::queue::{Queue, RemoteQueue};
use crate::tasks::worker::{Means, Worker as TaskWorker, WorkerSettings};
use crate::telemetry::logs::Logs;
use crate::telemetry::metrics::Metrics;

/// The default grace at the end, in seconds.
const GRACE: Duration = Duration::from_secs(crate::config::defaults::SHUTDOWN_GRACE_SECS);

#[derive(Debug, Args)]
pub(super) struct Worker {
    /// the configuration file: says which database, which server and which operations
    #[arg(long, value_name = "FILE", required_unless_present = "sidecar")]
    config: Option<PathBuf>,
    /// a sidecar's internal listener, to get tasks from instead of from the database: `http://host:port`
    #[arg(long, value_name = "URL")]
    sidecar: Option<String>,
    /// a file with that sidecar's `internal.secret`
    #[arg(long, value_name = "FILE", requires = "sidecar")]
    secret_file: Option<PathBuf>,
    /// the HSDS server, where there is no configuration file
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    hsds: Option<String>,
    /// how many tasks to work on at one time
    #[arg(long, value_name = "NUMBER")]
    concurrent: Option<usize>,
    /// for how long to hold a task without prolonging that, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=3_600))]
    lease_secs: Option<u64>,
}

/// What is needed to work, and what to wait for at the end.
struct Plan {
    means: Means,
    grace: Duration,
    store: Option<Arc<Desk>>,
}

impl Worker {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("can't start")?;
        let outcome = runtime.block_on(self.work());
        // Whatever still blocks a thread does not keep the process.
        runtime.shutdown_background();
        outcome
    }

    async fn work(self) -> anyhow::Result<()> {
        let settings = match &self.config {
            Some(path) => Some(load(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let logs = settings.as_ref().map_or_else(LogsConfig::default, |settings| settings.logs.clone());
        let _logs = Logs::start(&logs, std::io::stderr)?;
        let mut signals = Signals::listen().context("can't listen for signals")?;
        // The store outlives the work: what is held is given back through it.
        let (working, keeping) = (Tasks::new(), Tasks::new());
        let plan = self.plan(settings, &keeping).await?;
        let worker = TaskWorker::new(plan.means, working.clone());
        start(&worker, &working);
        end(&mut signals).await;
        tracing::info!(running = worker.running(), "ending; tasks under way are given back");
        let ended = tokio::select! {
            ended = working.end(plan.grace) => ended,
            () = end(&mut signals) => bail!("ended at once by a second signal"),
        };
        keeping.end(plan.grace).await;
        if let Some(desk) = plan.store {
            desk.store().close().await;
        }
        if !ended {
            tracing::warn!("some tasks were not given back in time; they go on when their leases end");
        }
        Ok(())
    }

    async fn plan(&self, settings: Option<Settings>, keeping: &Tasks) -> anyhow::Result<Plan> {
        let of_tasks = match &settings {
            Some(settings) => Some(settings.tasks.clone().context("the configuration has no `tasks`")?),
            None => None,
        };
        let mut how = of_tasks.as_ref().map_or_else(WorkerSettings::default, |tasks| tasks.worker);
        // In a sidecar's configuration 0 says that such processes as this one do the work.
        how.concurrent = self.concurrent.unwrap_or(how.concurrent);
        if how.concurrent == 0 {
            how.concurrent = WorkerSettings::default().concurrent;
        }
        if let Some(secs) = self.lease_secs {
            how = how.with_lease(Duration::from_secs(secs));
        }
        let grace = settings.as_ref().map_or(GRACE, |settings| settings.grace);
        let name = worker_name()?;
        if let Some(sidecar) = &self.sidecar {
            let sidecar = parse_url(sidecar).with_context(|| format!("`--sidecar {sidecar}`"))?;
            let queue: Arc<dyn Queue> = Arc::new(RemoteQueue::new(sidecar, self.secret()?)?);
            let configured = of_tasks.as_ref().map_or(&[][..], |tasks| &tasks.operations);
            let operations = Arc::new(Operations::built_in().with_configured(configured)?);
            let server = match (of_tasks, &self.hsds) {
                (Some(tasks), _) => Some(Hsds::new(tasks.hsds)?),
                (None, Some(url)) => {
                    let url = parse_url(url).with_context(|| format!("`--hsds {url}`"))?;
                    Some(Hsds::new(HsdsSettings::new(url))?)
                }
                (None, None) => bail!("say where the data is: `--hsds URL` or `--config FILE`"),
            };
            return Ok(Plan { means: Means { name, settings: how, queue, operations, server }, grace, store: None });
        }
        let (Some(settings), Some(tasks)) = (settings, of_tasks) else {
            bail!("say where the tasks are: `--config FILE` or `--sidecar URL`");
        };
        let clock = Arc::new(SystemClock);
        let desk = Desk::open(&tasks, &settings.keys, clock, Arc::new(Metrics::new()), keeping).await?;
        let means = Means {
            name,
            settings: how,
            queue: Arc::clone(&desk.office) as Arc<dyn Queue>,
            operations: Arc::clone(&desk.operations),
            server: Some(desk.server.clone()),
        };
        Ok(Plan { means, grace, store: Some(desk) })
    }

    fn secret(&self) -> anyhow::Result<Option<SecretText>> {
        let Some(path) = &self.secret_file else { return Ok(None) };
        let text = file::read_text(path, MAX_SECRET_BYTES)?;
        Ok(Some(SecretText::from(text.trim_end_matches(['\r', '\n']).to_owned())))
    }
}

async fn end(signals: &mut Signals) {
    while signals.next().await != Request::End {}
}
