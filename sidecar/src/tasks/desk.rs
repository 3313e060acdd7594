//! Tasks in one process: the store, what may be done, the server it is done on, and who works.

use std::sync::Arc;
use std::time::Duration;

use taskgate_core::key::{KeyId, Secret};
use taskgate_core::task::Status;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::file;
use crate::hsds::client::Hsds;
use crate::http::HttpError;
use crate::lifecycle::Tasks;
use crate::random::{self, NoRandomness};
use crate::tasks::identity::Identities;
use crate::tasks::operations::Operations;
use crate::tasks::queue::{Office, Queue};
use crate::tasks::reception::{Equipment, Reception, Terms};
use crate::tasks::seal::Vault;
use crate::tasks::settings::TaskSettings;
use crate::tasks::store::{self, Store, StoreError};
use crate::tasks::worker::{Means, Worker};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::tasks::OperationLabels;

/// How often tasks are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How many counts there are from one sweep to the next.
const COUNTS_A_SWEEP: u32 = 12;
/// How long to wait before the next part of a sweep, for others to come in between.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// Tasks in one process.
#[derive(Debug)]
pub struct Desk {
    /// Where workers get tasks.
    pub office: Arc<Office>,
    /// What can be done.
    pub operations: Arc<Operations>,
    /// The server of the data.
    pub server: Hsds,
    /// The settings.
    pub settings: TaskSettings,
    clock: SharedClock,
    metrics: Arc<Metrics>,
}

/// Why there are no tasks.
#[derive(Debug, Error)]
pub enum DeskError {
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The store can't be opened.
    #[error("`tasks.store`: {0}")]
    Store(#[from] StoreError),
}

impl Desk {
    /// Opens the store. Nobody works yet.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn open(
        settings: &TaskSettings,
        keys: &[(KeyId, Secret)],
        clock: SharedClock,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>, DeskError> {
        let server = Hsds::new(settings.hsds.clone())?;
        let store = store::open(settings.store.expose(), &store::Settings::default(), tasks).await?;
        let vault = Arc::new(Vault::new(keys));
        let office = Office::new(store, vault, Arc::clone(&clock), Arc::clone(&metrics), settings.limits);
        let (office, operations) =
            (Arc::new(office), Arc::new(Operations::built_in().with_configured(&settings.operations)?));
        Ok(Arc::new(Self { office, operations, server, settings: settings.clone(), clock, metrics }))
    }

    /// Where tasks are kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.office.store()
    }

    /// What seals credentials.
    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        self.office.vault()
    }

    /// Starts what counts and forgets tasks.
    pub fn keep_house(self: &Arc<Self>, tasks: &Tasks) {
        let (desk, stop) = (Arc::clone(self), tasks.stop().clone());
        tasks.keep("task sweeper", tasks.stop().clone(), move |_| {
            let (desk, stop) = (Arc::clone(&desk), stop.clone());
            async move {
                let keeping = desk.count_and_sweep();
                let _ = stop.run_until_cancelled(keeping).await;
            }
        });
    }

    /// Starts a worker in this process, where the settings say so.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn work(&self, tasks: &Tasks) -> Result<(), NoRandomness> {
        if self.settings.worker.concurrent == 0 {
            return Ok(());
        }
        let means = Means {
            name: worker_name()?,
            settings: self.settings.worker,
            queue: Arc::clone(&self.office) as Arc<dyn Queue>,
            operations: Arc::clone(&self.operations),
            server: Some(self.server.clone()),
        };
        start(&Worker::new(means, tasks.clone()), tasks);
        Ok(())
    }

    /// Where clients' tasks come in.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn reception(&self, stop: CancellationToken) -> Result<Reception, NoRandomness> {
        let TaskSettings { limits, max_attempts, deadline, .. } = self.settings;
        Ok(Reception::new(Equipment {
            store: Arc::clone(self.store()),
            operations: Arc::clone(&self.operations),
            identities: Identities::new(self.server.clone(), Arc::clone(&self.clock))?,
            vault: Arc::clone(self.vault()),
            terms: Terms { limits, max_attempts, deadline },
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            stop,
        }))
    }

    async fn count_and_sweep(&self) {
        let mut turn = 0_u32;
        loop {
            self.count().await;
            if turn.is_multiple_of(COUNTS_A_SWEEP) {
                self.sweep().await;
            }
            turn = turn.wrapping_add(1);
            sleep(COUNT_EVERY).await;
        }
    }

    async fn count(&self) {
        // What can't be counted now keeps its last number.
        let Ok(counts) = self.store().counts(self.clock.now()).await else { return };
        let metrics = &self.metrics.tasks;
        let gauges = [
            (&metrics.queued, Status::Queued),
            (&metrics.running, Status::InProgress),
            (&metrics.paused, Status::Paused),
        ];
        for (gauge, status) in gauges {
            for operation in self.operations.iter() {
                let name = &operation.description().name;
                let count = counts.tasks.get(&(name.clone(), status)).copied().unwrap_or_default();
                gauge.get_or_create(&OperationLabels::of(name)).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }

    async fn sweep(&self) {
        loop {
            match self.office.sweep(self.settings.retention).await {
                Ok(true) => return,
                Ok(false) => sleep(SWEEP_PAUSE).await,
                Err(error) => {
                    tracing::warn!(%error, "old tasks were not forgotten; it is tried again");
                    return;
                }
            }
        }
    }
}

/// Starts a worker among `tasks`.
pub fn start(worker: &Arc<Worker>, tasks: &Tasks) {
    let (worker, stop) = (Arc::clone(worker), tasks.stop().clone());
    tasks.keep("worker", tasks.stop().clone(), move |_| Arc::clone(&worker).run(stop.clone()));
}

/// A name that no other worker has, and that says which machine it is on.
///
/// # Errors
/// [`NoRandomness`].
pub fn worker_name() -> Result<String, NoRandomness> {
    let host = file::read_text(std::path::Path::new("/proc/sys/kernel/hostname"), 256).unwrap_or_default();
    let host = if host.trim().is_empty() { "worker" } else { host.trim() };
    let number = random::non_zero()? >> 32;
    Ok(format!("{host}-{}-{number:08x}", std::process::id()))
}
