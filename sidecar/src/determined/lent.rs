//! What visitors were let in with, to ask the master again while what they opened lasts.
//!
//! The gate asks about somebody who has a stream open without their credential: it has none. So what somebody was let in
//! with is remembered here, for that person at that task alone, in memory, wiped when it goes. Never: written, or shown
//! to anybody but the master.

use std::time::Duration;

use moka::future::Cache;

use crate::determined::shown::Shown;

/// The most that are remembered.
const MAX: u64 = 10_000;
/// How long one is remembered at most without being shown again.
const LIFETIME: Duration = Duration::from_hours(24);

/// What visitors were let in with.
#[derive(Clone, Debug)]
pub struct Lent {
    kept: Cache<(Box<str>, Box<str>), Shown>,
}

impl Default for Lent {
    fn default() -> Self {
        Self { kept: Cache::builder().max_capacity(MAX).time_to_idle(LIFETIME).build() }
    }
}

impl Lent {
    /// Somebody was let in with that.
    pub async fn remember(&self, actor: &str, task: &str, shown: Shown) {
        self.kept.insert((actor.into(), task.into()), shown).await;
    }

    /// Somebody is not let in any more.
    pub async fn forget(&self, actor: &str, task: &str) {
        self.kept.invalidate(&(actor.into(), task.into())).await;
    }

    /// What somebody was let in with last.
    pub async fn of(&self, actor: &str, task: &str) -> Option<Shown> {
        self.kept.get(&(actor.into(), task.into())).await
    }

    /// Forgets what is for tasks that are not there any more.
    pub async fn keep(&self, is_there: impl Fn(&str) -> bool) {
        let gone: Vec<_> = self.kept.iter().filter(|(key, _)| !is_there(&key.1)).map(|(key, _)| key).collect();
        for key in gone {
            self.kept.invalidate(&*key).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_one_persons_at_one_task_until_either_goes() {
        let lent = Lent::default();
        let shown = || Shown::Session("s3cret".to_owned().into());
        for task in ["a", "b", "c"] {
            lent.remember("alice", task, shown()).await;
        }
        assert!(lent.of("alice", "a").await.is_some());
        assert!(lent.of("bob", "a").await.is_none() && lent.of("alice", "d").await.is_none());
        lent.forget("alice", "a").await;
        lent.keep(|task| task != "b").await;
        assert!(lent.of("alice", "a").await.is_none() && lent.of("alice", "b").await.is_none());
        assert!(lent.of("alice", "c").await.is_some());
        assert!(!format!("{lent:?}").contains("s3cret"));
    }
}
