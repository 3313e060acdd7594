//! Who waits for a task to change, or for work, and is woken.
//!
//! A wake-up says that it is worth looking, no more: it may come without a change. One may also be missed, where
//! the database was away. So nobody waits without a time limit of their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::tasks::row::TaskId;

/// What wakes those who wait for changes.
#[derive(Clone)]
pub struct Changes(Arc<Inner>);

struct Inner {
    work: watch::Sender<()>,
    tasks: Mutex<HashMap<TaskId, watch::Sender<()>>>,
}

/// Waits for work: tasks that were queued.
#[derive(Debug)]
pub struct NewWork(watch::Receiver<()>);

/// Waits for changes of one task.
pub struct Following {
    id: TaskId,
    changed: watch::Receiver<()>,
    changes: Changes,
}

impl Changes {
    /// Nobody waits yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner { work: watch::Sender::new(()), tasks: Mutex::default() }))
    }

    /// Waits for work that comes from now on.
    #[must_use]
    pub fn work(&self) -> NewWork {
        NewWork(self.0.work.subscribe())
    }

    /// Follows a task from now on. Look at it after this, then wait: nothing is missed in between.
    #[must_use]
    pub fn follow(&self, id: TaskId) -> Following {
        let changed = self.tasks().entry(id).or_insert_with(|| watch::Sender::new(())).subscribe();
        Following { id, changed, changes: self.clone() }
    }

    /// Wakes those who wait for work.
    pub fn tell_work(&self) {
        self.0.work.send_replace(());
    }

    /// Wakes those who follow a task.
    pub fn tell(&self, id: TaskId) {
        if let Some(followers) = self.tasks().get(&id) {
            followers.send_replace(());
        }
    }

    /// Wakes everybody: something changed, and nobody knows what.
    pub fn tell_all(&self) {
        self.tell_work();
        self.tasks().values().for_each(|followers| {
            followers.send_replace(());
        });
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, watch::Sender<()>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NewWork {
    /// Returns when there may be work that was not there at the last call.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // The store is gone, and with it all work.
            std::future::pending::<()>().await;
        }
    }
}

impl Following {
    /// Returns when the task may have changed since the last call.
    pub async fn changed(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut tasks = self.changes.tasks();
        // The last one is this one.
        if tasks.get(&self.id).is_some_and(|followers| followers.receiver_count() <= 1) {
            tasks.remove(&self.id);
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Changes").field("followed", &self.tasks().len()).finish()
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Following").field(&self.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use taskgate_core::time::UnixTime;

    use super::*;

    fn id(random: u8) -> TaskId {
        TaskId::new(UnixTime::from_millis(1), [random; 10])
    }

    #[test]
    fn followers_of_a_task_are_woken_and_leave_nothing_behind() {
        let changes = Changes::new();
        let (mut one, mut same, mut other) = (changes.follow(id(1)), changes.follow(id(1)), changes.follow(id(2)));
        changes.tell(id(1));
        assert!(one.changed().now_or_never().is_some() && same.changed().now_or_never().is_some());
        assert!(one.changed().now_or_never().is_none() && other.changed().now_or_never().is_none());
        changes.tell_all();
        assert!(one.changed().now_or_never().is_some() && other.changed().now_or_never().is_some());
        drop((one, other));
        assert_eq!(changes.tasks().len(), 1);
        drop(same);
        assert_eq!(changes.tasks().len(), 0);
    }

    #[test]
    fn work_that_came_before_the_wait_counts() {
        let changes = Changes::new();
        let mut work = changes.work();
        changes.tell_work();
        assert!(work.wait().now_or_never().is_some());
        assert!(work.wait().now_or_never().is_none());
    }
}
