//! The questions under way.
//!
//! Whoever asks what is being asked already waits for the same answer. A question does not end when
//! those who asked it have no more time: it goes on, so that on a slow platform the answer is there when
//! they ask again. That has bounds, in time and in number.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::auth::judge::{Decision, Undecided};
use crate::digest::Digest;
use crate::lifecycle::Tasks;
use crate::telemetry::trace;

/// The longest a question may take, whoever waits.
const LONGEST: Duration = Duration::from_secs(10);
/// The most questions that go on with nobody waiting.
const MAX_UNATTENDED: usize = 1_000;

/// What becomes of a question.
pub(super) type Answer = Result<Decision, Undecided>;

type UnderWay = HashMap<Digest, Arc<watch::Sender<Option<Answer>>>>;

/// The questions under way.
pub struct Docket {
    under_way: Mutex<UnderWay>,
    unattended: Semaphore,
    tasks: Tasks,
}

/// Someone who waits for an answer.
pub(super) struct Asker(watch::Receiver<Option<Answer>>);

/// One question under way. However it ends, it is off the docket then.
struct Case {
    docket: Arc<Docket>,
    key: Digest,
    answer: Arc<watch::Sender<Option<Answer>>>,
}

impl Docket {
    /// No questions yet.
    #[must_use]
    pub fn new(tasks: Tasks) -> Self {
        Self::with_unattended(MAX_UNATTENDED, tasks)
    }

    pub(super) fn with_unattended(most: usize, tasks: Tasks) -> Self {
        Self { under_way: Mutex::default(), unattended: Semaphore::new(most), tasks }
    }

    /// Asks, or joins those who ask the same. What `inquiry` decides must be kept when it ends: the
    /// next one to ask may come between its end and the answer.
    pub(super) fn ask<F>(self: &Arc<Self>, key: Digest, inquiry: impl FnOnce() -> F) -> Asker
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut under_way = self.under_way();
        if let Some(answer) = under_way.get(&key) {
            return Asker(answer.subscribe());
        }
        let (answer, asker) = watch::channel(None);
        let answer = Arc::new(answer);
        under_way.insert(key, Arc::clone(&answer));
        drop(under_way);
        let case = Case { docket: Arc::clone(self), key, answer };
        // It belongs to the trace of who asked first.
        self.tasks.spawn("verdict", trace::carried(case.run(inquiry())));
        Asker(asker)
    }

    /// How many questions are under way, and how many wait for their answers.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let under_way = self.under_way();
        (under_way.len(), under_way.values().map(|answer| answer.receiver_count()).sum())
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asker {
    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Answer {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => Err(Undecided { source: "none", reason: "the question broke off".into() }),
        }
    }
}

impl Case {
    async fn run(self, inquiry: impl Future<Output = Answer>) {
        let answer = tokio::select! {
            biased;
            answer = tokio::time::timeout(LONGEST, inquiry) => answer,
            () = self.given_up() => return,
        };
        let answer = answer.unwrap_or_else(|_| {
            Err(Undecided { source: "none", reason: format!("took longer than {} s", LONGEST.as_secs()) })
        });
        self.close(|_| true);
        if let Err(Undecided { source, reason }) = &answer
            && self.answer.is_closed()
        {
            tracing::info!(source, reason, "nothing was decided after all who asked had left");
        }
        self.answer.send_replace(Some(answer));
    }

    /// Waits until nobody waits and the question may not go on without.
    async fn given_up(&self) {
        self.answer.closed().await;
        if let Ok(_place) = self.docket.unattended.try_acquire() {
            self.docket.tasks.stop().cancelled().await;
        }
        while !self.close(|answer| answer.is_closed()) {
            self.answer.closed().await;
        }
    }

    /// Takes the question off the docket, if that holds; nobody can join it then.
    fn close(&self, condition: impl FnOnce(&watch::Sender<Option<Answer>>) -> bool) -> bool {
        let mut under_way = self.docket.under_way();
        let is_this = under_way.get(&self.key).is_some_and(|answer| Arc::ptr_eq(answer, &self.answer));
        let closes = condition(&self.answer);
        if is_this && closes {
            under_way.remove(&self.key);
        }
        closes
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.close(|_| true);
    }
}

impl fmt::Debug for Docket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Docket").field("under_way", &self.under_way().len()).finish_non_exhaustive()
    }
}
