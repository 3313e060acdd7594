//! What visitors were let in with, to ask the master again while what they opened lasts.
//!
//! The gate asks about somebody who has a stream open without their credential: it has none. So what somebody was let in
//! with is remembered here, for that person at that task alone, in memory, wiped when it goes. Whoever has several
//! sessions, as a browser's and the command line's, goes on as long as one of them is good: the last few are kept.
//!
//! A no is remembered in their place. Were they only forgotten, nothing would be known of whoever was refused, and what
//! they have open would stay. Never: written, or shown to anybody but the master.

use std::future::ready;
use std::time::Duration;

use moka::Entry;
use moka::future::Cache;
use moka::ops::compute::Op;

use crate::determined::shown::Shown;

/// The most people at tasks that are remembered.
const MAX: u64 = 10_000;
/// The most sessions of one person at one task.
const MAX_SESSIONS: usize = 4;
/// How long somebody is remembered at most without being asked about again.
const LIFETIME: Duration = Duration::from_hours(24);

/// What visitors were let in with.
#[derive(Clone, Debug)]
pub struct Lent {
    /// Of a person at a task, the newest first. None left: the master refused them.
    kept: Cache<(Box<str>, Box<str>), Vec<Shown>>,
}

/// What is known of somebody at a task.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing: they came another way, or before there was this sidecar.
    Nothing,
    /// The master refused them, and has not let them in since.
    Refused,
    /// They were let in with that, last of what is still good.
    Shown(Shown),
}

impl Default for Lent {
    fn default() -> Self {
        Self { kept: Cache::builder().max_capacity(MAX).time_to_idle(LIFETIME).build() }
    }
}

impl Lent {
    /// Somebody was let in with that.
    pub async fn remember(&self, actor: &str, task: &str, shown: Shown) {
        self.change(actor, task, |kept| {
            let mut kept = kept.unwrap_or_default();
            kept.retain(|one| !one.is(&shown));
            kept.truncate(MAX_SESSIONS - 1);
            kept.insert(0, shown);
            Some(kept)
        })
        .await;
    }

    /// What somebody was let in with is nobody's any more. Where nothing else is left, they are refused.
    pub async fn end(&self, actor: &str, task: &str, shown: &Shown) {
        self.change(actor, task, |kept| Some(kept?.into_iter().filter(|one| !one.is(shown)).collect())).await;
    }

    /// Somebody is not let in any more, whatever they show. Whoever never was has nothing open, and is not remembered.
    pub async fn refuse(&self, actor: &str, task: &str) {
        self.change(actor, task, |kept| kept.map(|_| Vec::new())).await;
    }

    /// What is known of somebody.
    pub async fn of(&self, actor: &str, task: &str) -> Known {
        match self.kept.get(&(actor.into(), task.into())).await.as_deref() {
            None => Known::Nothing,
            Some([]) => Known::Refused,
            Some([newest, ..]) => Known::Shown(newest.clone()),
        }
    }

    /// Forgets what is for tasks that are not there any more.
    pub async fn keep(&self, is_there: impl Fn(&str) -> bool) {
        let gone: Vec<_> = self.kept.iter().filter(|(key, _)| !is_there(&key.1)).map(|(key, _)| key).collect();
        for key in gone {
            self.kept.invalidate(&*key).await;
        }
    }

    /// Makes something else of what is kept, in one step: questions about one person end side by side.
    async fn change(&self, actor: &str, task: &str, change: impl FnOnce(Option<Vec<Shown>>) -> Option<Vec<Shown>>) {
        let entry = self.kept.entry((actor.into(), task.into()));
        entry.and_compute_with(|kept| ready(change(kept.map(Entry::into_value)).map_or(Op::Nop, Op::Put))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(text: &str) -> Shown {
        Shown::Session(text.to_owned().into())
    }

    async fn is(lent: &Lent, actor: &str, task: &str, expected: &str) -> bool {
        match lent.of(actor, task).await {
            Known::Nothing => expected == "nothing",
            Known::Refused => expected == "refused",
            Known::Shown(shown) => shown.is(&session(expected)),
        }
    }

    #[tokio::test]
    async fn it_is_one_persons_at_one_task_until_either_goes() {
        let lent = Lent::default();
        for task in ["a", "b", "c"] {
            lent.remember("alice", task, session("s3cret")).await;
        }
        assert!(is(&lent, "alice", "a", "s3cret").await);
        assert!(is(&lent, "bob", "a", "nothing").await && is(&lent, "alice", "d", "nothing").await);
        lent.keep(|task| task != "b").await;
        assert!(is(&lent, "alice", "b", "nothing").await && is(&lent, "alice", "c", "s3cret").await);
        assert!(!format!("{lent:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn a_no_stays_until_there_is_a_yes() {
        let lent = Lent::default();
        lent.remember("alice", "a", session("1")).await;
        lent.remember("alice", "a", session("2")).await;
        lent.refuse("alice", "a").await;
        lent.end("alice", "a", &session("1")).await;
        assert!(is(&lent, "alice", "a", "refused").await);
        lent.remember("alice", "a", session("3")).await;
        assert!(is(&lent, "alice", "a", "3").await);
        // Nothing is kept of whoever was never let in.
        lent.refuse("bob", "a").await;
        lent.end("bob", "a", &session("1")).await;
        assert!(is(&lent, "bob", "a", "nothing").await);
    }

    #[tokio::test]
    async fn of_several_sessions_the_newest_that_is_good_counts_and_the_last_few_are_kept() {
        let lent = Lent::default();
        let numbers: Vec<String> = (1..=MAX_SESSIONS + 1).map(|number| number.to_string()).collect();
        for number in &numbers {
            lent.remember("alice", "a", session(number)).await;
        }
        // Shown again: the newest, and there once.
        lent.remember("alice", "a", session("2")).await;
        for expected in ["2", "5", "4", "3"] {
            assert!(is(&lent, "alice", "a", expected).await, "{expected}");
            lent.end("alice", "a", &session(expected)).await;
        }
        assert!(is(&lent, "alice", "a", "refused").await);
    }
}
