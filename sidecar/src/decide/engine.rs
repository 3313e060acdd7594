//! Gates that decide: several, so that requests on several cores do not wait for each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskgate_core::gate::{Decision, Gate, Step};
use taskgate_core::request::Request;
use taskgate_core::time::{Moment, UnixTime};
use taskgate_core::verdict::{VerdictAnswer, VerdictQuery};
use tokio::sync::Semaphore;

use crate::feed::Ask;
use crate::random::{self, NoRandomness};
use crate::replica::{NotTaken, Replica};

/// The most requests that wait for verdicts.
const MAX_WAITING: usize = 10_000;

/// The most gates. Each has the whole table, 20 MiB at 100,000 services, and reads every change of it; a decision takes
/// microseconds, so that these are more than what answers over HTTP can keep busy.
const MAX_GATES: usize = 4;

/// Gates that decide.
#[derive(Debug)]
pub struct Engine {
    first: Mutex<Replica>,
    others: Vec<Mutex<Replica>>,
    turn: AtomicUsize,
    waiting: Semaphore,
}

impl Engine {
    /// As many gates as are of use on so many processors; they know nothing yet and refuse everything.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(processors: usize) -> Result<Self, NoRandomness> {
        let gates = processors.min(MAX_GATES);
        let replica = |_| Ok(Mutex::new(Replica::new(random::non_zero()?)));
        Ok(Self {
            first: replica(0)?,
            others: (1..gates).map(replica).collect::<Result<_, _>>()?,
            turn: AtomicUsize::new(0),
            waiting: Semaphore::new(MAX_WAITING),
        })
    }

    /// How many gates there are.
    #[must_use]
    pub fn gates(&self) -> usize {
        self.others.len() + 1
    }

    /// What one of the gates asks the feed next.
    #[must_use]
    pub fn ask(&self, gate: usize) -> Ask {
        self.replica(gate).ask()
    }

    /// Gives one of the gates the page that came to its question.
    ///
    /// # Errors
    /// [`NotTaken`]; then it begins anew, and what it knew serves meanwhile.
    pub fn take(&self, gate: usize, page: &[u8], now: UnixTime) -> Result<bool, NotTaken> {
        self.replica(gate).take(page, now)
    }

    /// Decides about a request that came at `now`. `rewrites_path` says whether its ingress can change a path; `ask`
    /// gets a verdict where one is needed. Nobody holds a gate while that takes its time.
    pub async fn decide(
        &self,
        request: &Request<'_>,
        rewrites_path: bool,
        now: Moment,
        ask: impl AsyncFnOnce(VerdictQuery) -> VerdictAnswer,
    ) -> Decision {
        let nth = self.turn.fetch_add(1, Ordering::Relaxed);
        let step = self.at(nth, |gate| {
            gate.set_rewrites_path(rewrites_path);
            gate.on_request(request, now)
        });
        let question = match step {
            Step::Done(decision) => return decision,
            Step::Ask(question) => *question,
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            return self.at(nth, |gate| gate.on_overload(question.pending));
        };
        let answer = ask(question.query).await;
        self.at(nth, |gate| {
            let learned = gate.learn(question.key, answer, now.steady);
            gate.on_verdict(question.pending, &learned)
        })
    }

    fn at<T>(&self, nth: usize, act: impl FnOnce(&mut Gate) -> T) -> T {
        act(self.replica(nth).gate())
    }

    /// One of the gates, whatever the number. What was asked of it last may have broken, but a gate is whole after
    /// each of its methods.
    fn replica(&self, nth: usize) -> MutexGuard<'_, Replica> {
        let replica = match nth % self.gates() {
            0 => &self.first,
            nth => self.others.get(nth - 1).unwrap_or(&self.first),
        };
        replica.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_machine_holds_no_more_tables_than_decide() {
        for (processors, gates) in [(0, 1), (1, 1), (3, 3), (64, MAX_GATES)] {
            assert_eq!(Engine::new(processors).expect("randomness").gates(), gates, "{processors}");
        }
    }
}
