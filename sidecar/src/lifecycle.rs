//! How the process lives: tasks, listeners, signals, reload and the end.

pub mod address;
pub mod files;
pub mod fleet;
pub mod front;
pub mod listener;
pub mod reload;
pub mod signals;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long after a kept task broke it is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

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
    #[expect(clippy::disallowed_methods, reason = "what the ban leads to")]
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = tokio::spawn(task);
        // The second task sees to it that a broken one does not go unnoticed.
        self.tracker.spawn(async move {
            if running.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = name, "a background task broke; please report this and restart the sidecar");
            }
        });
    }

    /// Runs a task in the background until `stop`. Where it breaks it is made and started again after a pause:
    /// what it follows would stand still for good otherwise. It is told whether it broke before.
    pub fn keep<F>(&self, name: &'static str, stop: CancellationToken, mut task: impl FnMut(bool) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(name, async move {
            let mut running = task(false);
            // Nothing of a task that broke is used again: it is made anew of what is shared, whose locks stand that.
            while AssertUnwindSafe(running).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a background task broke and is started again; please report this");
                tokio::select! {
                    () = tokio::time::sleep(RESTART_PAUSE) => {}
                    () = stop.cancelled() => return,
                }
                running = task(true);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kept_task_that_breaks_is_started_again() {
        let (tasks, starts) = (Tasks::new(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&starts);
        tasks.keep("breaks twice", CancellationToken::new(), move |broke| {
            let counted = Arc::clone(&counted);
            async move {
                let before = counted.fetch_add(1, Ordering::SeqCst);
                assert_eq!(broke, before > 0);
                assert!(before == 2, "breaks");
            }
        });
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_task_that_breaks_always_ends_with_the_others() {
        let tasks = Tasks::new();
        tasks.keep("breaks", tasks.stop().clone(), |_| async { panic!("breaks") });
        tokio::time::sleep(RESTART_PAUSE * 3).await;
        assert!(tasks.end(RESTART_PAUSE / 2).await);
    }
}
