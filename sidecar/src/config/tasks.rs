//! `tasks`: durable long work that clients ask for.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::task_operations::TaskOperationConfig;
use crate::secret::SecretText;

/// Durable long work that clients ask for: where it is kept, which server it is done on, and by whom. With no such
/// section there are no tasks. It needs `keys`: the owners' credentials are sealed with them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TasksConfig {
    /// Where tasks are kept: `sqlite:<path>`, or `postgres://<user>@<host>/<database>` for several sidecars and
    /// workers on other machines. The file or the tables are made where they are missing.
    #[serde(default)]
    pub store: Option<SecretText>,
    /// A file with that address, where it has a password in it.
    #[serde(default)]
    pub store_file: Option<PathBuf>,
    /// The server of the data.
    pub hsds: HsdsConfig,
    /// The workers in this process.
    #[serde(default)]
    pub workers: WorkersConfig,
    /// How many tasks there may be.
    #[serde(default)]
    pub limits: TaskLimitsConfig,
    /// How often a task may be begun before it is given up, where what goes wrong may pass.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// How long a task may take from when it is accepted, in seconds; 0: as long as it likes.
    #[serde(default = "deadline_secs")]
    pub deadline_secs: u64,
    /// How long what is over is kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Operations that services and programs of yours do.
    #[serde(default)]
    pub operations: Vec<TaskOperationConfig>,
}

/// The HSDS server that holds the data.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HsdsConfig {
    /// Its address, `http://…` or `https://…`.
    pub endpoint: String,
    /// The most requests to it at one time from this process. HSDS answers 503 to what is too much for it.
    #[serde(default = "hsds_requests")]
    pub requests: usize,
    /// How long one request may take, in seconds.
    #[serde(default = "hsds_timeout_secs")]
    pub timeout_secs: u64,
}

/// The workers in this process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// How many tasks are worked on at one time; 0: none here, `taskgate worker` does it.
    pub concurrent: usize,
    /// For how long a worker holds a task unless it prolongs that, in seconds: how long nothing happens to the
    /// tasks of one that dies. It is prolonged three times as often.
    pub lease_secs: u64,
    /// The memory that all tasks of a worker share for data under way, in MiB.
    pub memory_mib: usize,
}

/// How many tasks there may be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaskLimitsConfig {
    /// Tasks of a user that wait, those that wait for a credential too.
    pub queued_per_user: u32,
    /// Tasks of a user that are worked on.
    pub running_per_user: u32,
    /// Tasks that wait, of all users.
    pub queued: u32,
    /// Tasks that are worked on, of all users by all workers.
    pub running: u32,
}

/// How long what is over is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Tasks that are complete or failed, in seconds; then there is no such task.
    pub finished_secs: u64,
    /// Tasks that were deleted, in seconds: for so long they are answered as gone, then there is no such task.
    pub tombstones_secs: u64,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self {
            concurrent: defaults::TASK_WORKERS_CONCURRENT,
            lease_secs: defaults::TASK_LEASE_SECS,
            memory_mib: defaults::TASK_MEMORY_MIB,
        }
    }
}

impl Default for TaskLimitsConfig {
    fn default() -> Self {
        Self {
            queued_per_user: defaults::TASKS_QUEUED_PER_USER,
            running_per_user: defaults::TASKS_RUNNING_PER_USER,
            queued: defaults::TASKS_QUEUED,
            running: defaults::TASKS_RUNNING,
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { finished_secs: defaults::TASKS_FINISHED_SECS, tombstones_secs: defaults::TASKS_TOMBSTONES_SECS }
    }
}

fn attempts() -> u32 {
    defaults::TASK_ATTEMPTS
}

fn deadline_secs() -> u64 {
    defaults::TASK_DEADLINE_SECS
}

fn hsds_requests() -> usize {
    defaults::HSDS_REQUESTS
}

fn hsds_timeout_secs() -> u64 {
    defaults::HSDS_TIMEOUT_SECS
}
