//! Settings of tasks that hold.

use std::path::Path;
use std::time::Duration;

use crate::config::resolve::{Files, InvalidSetting, within};
use crate::config::tasks::TasksConfig;
use crate::digest::Digest;
use crate::hsds::client::settings::HsdsSettings;
use crate::http::parse_url;
use crate::secret::SecretText;
use crate::tasks::operations::configured::{ConfiguredOperation, resolve_operations};
use crate::tasks::store::{Limits, Retention};
use crate::tasks::worker::WorkerSettings;

/// The longest time that something may be kept or take, in seconds: ten years.
const LONGEST_SECS: u64 = 315_360_000;

/// Settings of tasks that hold.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// The store's address. It may have a password in it.
    pub store: SecretText,
    /// The server of the data.
    pub hsds: HsdsSettings,
    /// How workers work. Those of this process work on no task where it says 0 at one time.
    pub worker: WorkerSettings,
    /// How many tasks there may be.
    pub limits: Limits,
    /// How often a task may be begun.
    pub max_attempts: u32,
    /// How long one may take from when it is accepted; none: as long as it likes.
    pub deadline: Option<Duration>,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Operations that services and programs of the operator do.
    pub operations: Vec<ConfiguredOperation>,
    /// Differs when any of these does.
    pub fingerprint: Digest,
}

impl TaskSettings {
    /// Checks the section and reads what it points to.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn resolve(config: TasksConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let store = files
            .secret("tasks.store", config.store.clone(), config.store_file.as_deref())?
            .ok_or_else(|| InvalidSetting::new("tasks.store", "say where tasks are kept: `sqlite:tasks.db`, say"))?;
        let store = store_address("tasks.store", store, files)?;
        let text = format!("{config:?}");
        let (operations, secrets) = resolve_operations(config.operations, files)?;
        let fingerprint = Digest::of_parts(&[text.as_bytes(), store.expose().as_bytes(), secrets.as_bytes()]);
        let endpoint = parse_url(&config.hsds.endpoint)
            .map_err(|error| InvalidSetting::new("tasks.hsds.endpoint", error.to_string()))?;
        let mut hsds = HsdsSettings::new(endpoint);
        hsds.max_in_flight = between("tasks.hsds.requests", config.hsds.requests, 1, 90)?;
        hsds.timeout = within("tasks.hsds.timeout_secs", config.hsds.timeout_secs, 1, 3_600)?;
        let lease = within("tasks.workers.lease_secs", config.workers.lease_secs, 2, 3_600)?;
        let concurrent = between("tasks.workers.concurrent", config.workers.concurrent, 0, 1_000)?;
        let memory = between("tasks.workers.memory_mib", config.workers.memory_mib, 16, 65_536)? << 20;
        let worker = WorkerSettings { concurrent, memory, ..WorkerSettings::default() }.with_lease(lease);
        let limits = &config.limits;
        let limits = Limits {
            queued_per_user: at_least_one("tasks.limits.queued_per_user", limits.queued_per_user)?,
            running_per_user: at_least_one("tasks.limits.running_per_user", limits.running_per_user)?,
            queued: at_least_one("tasks.limits.queued", limits.queued)?,
            running: at_least_one("tasks.limits.running", limits.running)?,
        };
        let deadline = within("tasks.deadline_secs", config.deadline_secs, 0, LONGEST_SECS)?;
        let retention = Retention {
            finished: within("tasks.retention.finished_secs", config.retention.finished_secs, 0, LONGEST_SECS)?,
            tombstones: within("tasks.retention.tombstones_secs", config.retention.tombstones_secs, 0, LONGEST_SECS)?,
        };
        Ok(Self {
            store,
            hsds,
            worker,
            limits,
            max_attempts: at_least_one("tasks.attempts", config.attempts)?,
            deadline: (!deadline.is_zero()).then_some(deadline),
            retention,
            operations,
            fingerprint,
        })
    }
}

/// The address of a store, where a relative path of a file is meant from the configuration file.
pub(crate) fn store_address(key: &str, store: SecretText, files: &Files<'_>) -> Result<SecretText, InvalidSetting> {
    let address = store.expose();
    if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        return Ok(store);
    }
    let Some(path) = address.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) else {
        let reason = "is neither `sqlite:<path>` nor `postgres://<user>@<host>/<database>`";
        return Err(InvalidSetting::new(key, reason));
    };
    if path.is_empty() {
        return Err(InvalidSetting::new(key, "names no file: write `sqlite:<path>`"));
    }
    let path = std::path::absolute(files.path(Path::new(path)))
        .map_err(|error| InvalidSetting::new(key, error.to_string()))?;
    Ok(SecretText::from(format!("sqlite:{}", path.display())))
}

fn between(key: &str, value: usize, least: usize, most: usize) -> Result<usize, InvalidSetting> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(InvalidSetting::new(key, format!("{value} is not between {least} and {most}")))
    }
}

fn at_least_one(key: &str, value: u32) -> Result<u32, InvalidSetting> {
    // The databases count in signed numbers.
    if value == 0 || i32::try_from(value).is_err() {
        return Err(InvalidSetting::new(key, format!("{value} is not between 1 and {}", i32::MAX)));
    }
    Ok(value)
}
