//! Whether a cluster asks for credentials at all.
//!
//! One that does not (`require_authentication=false`) says `root` to anybody, whatever they show: what it
//! says about credentials is worth nothing. So it is asked without one, before anything that it says counts
//! and now and then afterwards.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::retry;
use crate::ytsaurus::client::error::CallError;

/// How often the cluster is asked again.
const PERIOD: Duration = Duration::from_secs(600);
/// The longest pause after it could not be asked.
const RETRY: Duration = Duration::from_secs(10);
/// Why nothing that the cluster says counts.
const OPEN: &str = "the cluster asks nobody for a credential (`require_authentication` is off): anybody would be \
                    `root`; switch authentication on there, or set `allow_unauthenticated_cluster` for a test cluster";

/// What is known of a cluster.
#[derive(Debug, Default)]
pub(super) struct Doorway {
    allows_open: bool,
    known: Mutex<Known>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// How often the cluster was asked.
    asked: u64,
    /// What it last said; none: nothing yet.
    door: Option<Door>,
    /// Why it last could not be asked.
    failure: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// It wants a credential.
    Guarded,
    /// It lets everybody in.
    Open,
}

impl Doorway {
    /// Nothing is known yet; with `allows_open`, a cluster that lets everybody in is believed.
    pub(super) fn new(allows_open: bool) -> Self {
        Self { allows_open, ..Self::default() }
    }

    /// Whether what the cluster says counts. Where that is not known yet, `ask` is carried out, once for
    /// all who want to know at that time: it asks who one is without a credential.
    ///
    /// # Errors
    /// Why it does not count, for the log.
    pub(super) async fn check<F>(&self, deadline: Instant, ask: impl FnOnce() -> F) -> Result<(), String>
    where
        F: Future<Output = Result<String, CallError>>,
    {
        let before = self.known().clone();
        if self.allows_open || before.door.is_some() {
            return self.verdict(before.door);
        }
        let Ok(_place) = tokio::time::timeout_at(deadline, self.asking.lock()).await else {
            return Err("the cluster did not say in time whether it asks for credentials".into());
        };
        if self.known().asked == before.asked {
            let late = || CallError::Exchange("no answer in time".into());
            self.learn(tokio::time::timeout_at(deadline, ask()).await.unwrap_or_else(|_| Err(late())));
        }
        let known = self.known().clone();
        match known.door {
            Some(door) => self.verdict(Some(door)),
            None => Err(format!("the cluster can't say whether it asks for credentials: {}", known.failure)),
        }
    }

    /// Keeps what is known up to date until `stop`.
    pub(super) async fn follow<F>(&self, stop: CancellationToken, ask: impl Fn() -> F)
    where
        F: Future<Output = Result<String, CallError>>,
    {
        loop {
            let pause = {
                let _place = self.asking.lock().await;
                let answer = ask().await;
                if self.learn(answer) { PERIOD } else { retry::fraction(RETRY) }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn verdict(&self, door: Option<Door>) -> Result<(), String> {
        if door == Some(Door::Open) && !self.allows_open { Err(OPEN.into()) } else { Ok(()) }
    }

    /// Takes what came of asking; whether it says anything.
    fn learn(&self, answer: Result<String, CallError>) -> bool {
        let mut known = self.known();
        known.asked = known.asked.wrapping_add(1);
        let door = match answer {
            Ok(_) => Door::Open,
            Err(CallError::Credential(_)) => Door::Guarded,
            Err(error) => {
                // What it said before stays: that it is down says nothing else.
                known.failure = error.to_string();
                return false;
            }
        };
        match (known.door.replace(door), door) {
            (Some(Door::Open), Door::Guarded) => tracing::info!("the cluster asks for credentials now"),
            (Some(Door::Guarded) | None, Door::Open) if self.allows_open => {
                tracing::warn!("the cluster asks nobody for a credential: everybody is who it says, as a rule `root`");
            }
            (Some(Door::Guarded) | None, Door::Open) => tracing::error!(reason = OPEN, "no credential is accepted"),
            (Some(Door::Open), Door::Open) | (Some(Door::Guarded) | None, Door::Guarded) => {}
        }
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ytsaurus::client::error::{YtError, code};

    const OK: Result<(), String> = Ok(());

    fn guarded() -> Result<String, CallError> {
        Err(CallError::Credential(YtError::new(code::AUTHENTICATION, "Client is missing credentials")))
    }

    fn open() -> Result<String, CallError> {
        Ok("root".into())
    }

    fn down() -> Result<String, CallError> {
        Err(CallError::Exchange("can't connect".into()))
    }

    async fn check(doorway: &Doorway, answer: Result<String, CallError>) -> Result<(), String> {
        doorway.check(Instant::now() + Duration::from_secs(1), async || answer).await
    }

    #[tokio::test]
    async fn nothing_counts_before_the_cluster_said_that_it_asks() {
        let doorway = Doorway::new(false);
        let reason = check(&doorway, down()).await.expect_err("not known");
        assert!(reason.ends_with("can't connect"), "{reason}");
        assert_eq!(check(&doorway, guarded()).await, OK);
        // It is known now, and being down says nothing else.
        assert_eq!(check(&doorway, open()).await, OK);
        assert!(!doorway.learn(down()));
        assert_eq!(check(&doorway, down()).await, OK);
    }

    #[tokio::test]
    async fn an_open_cluster_counts_for_nothing_unless_allowed() {
        let doorway = Doorway::new(false);
        for answer in [open(), guarded()] {
            let reason = check(&doorway, answer).await.expect_err("open");
            assert!(reason.contains("allow_unauthenticated_cluster"), "{reason}");
        }
        assert!(doorway.learn(guarded()));
        assert_eq!(check(&doorway, down()).await, OK);
        assert!(doorway.learn(open()));
        assert!(check(&doorway, down()).await.is_err());
        assert_eq!(check(&Doorway::new(true), open()).await, OK);
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_want_to_know_ask_once() {
        for (answer, is_known) in [(guarded(), true), (down(), false)] {
            let (doorway, asked) = (Doorway::new(false), AtomicUsize::new(0));
            let checks = (0..50).map(|_| {
                let answer = answer.clone();
                let ask = async || {
                    asked.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    answer
                };
                doorway.check(Instant::now() + Duration::from_millis(600), ask)
            });
            let known = futures_util::future::join_all(checks).await;
            assert!(known.iter().all(|known| known.is_ok() == is_known), "{known:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_has_a_deadline() {
        let doorway = Doorway::new(false);
        let (first, second) = tokio::join!(
            doorway.check(Instant::now() + Duration::from_secs(2), std::future::pending),
            doorway.check(Instant::now() + Duration::from_millis(600), async || guarded()),
        );
        assert!(first.is_err() && second.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_every_ten_minutes_and_soon_after_a_failure() {
        let (doorway, asked, stop) = (Doorway::new(false), AtomicUsize::new(0), CancellationToken::new());
        let follow = doorway.follow(stop.clone(), async || match asked.fetch_add(1, Ordering::SeqCst) {
            0 => down(),
            1 | 2 => guarded(),
            _ => open(),
        });
        let count = || asked.load(Ordering::SeqCst);
        let look = async {
            let mut seen = Vec::new();
            for pause in [1, 10_001, 600_000, 600_000, 600_000] {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                seen.push((count(), check(&doorway, down()).await.is_ok()));
            }
            stop.cancel();
            seen
        };
        let ((), seen) = tokio::join!(follow, look);
        assert_eq!(seen, [(1, false), (2, true), (3, true), (4, false), (5, false)]);
    }
}
