//! How the process lives: tasks, listeners, signals, reload and the end.

pub mod address;
pub mod fleet;
pub mod listener;
pub mod reload;
pub mod signals;

use std::fmt;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one sidecar.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the tasks should end.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Runs a task in the background. The only place that does.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = tokio::spawn(task);
        // The second task sees to it that a broken one does not go unnoticed.
        self.tracker.spawn(async move {
            if running.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = name, "a background task broke; please report this and restart the sidecar");
            }
        });
    }

    /// Asks the tasks to end and waits for them up to `grace`; whether all ended.
    pub async fn end(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tasks").field("running", &self.tracker.len()).finish()
    }
}
