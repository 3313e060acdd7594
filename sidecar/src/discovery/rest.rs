//! How the rounds of a provider follow one another, and how long it rests in between.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use crate::discovery::inventory::Inventory;
use crate::discovery::publisher::Publisher;
use crate::retry;

/// The shortest rest between two rounds, whatever they take.
const LEAST_REST: Duration = Duration::from_millis(500);
/// The longest rest after rounds that failed.
const LONGEST_REST: Duration = Duration::from_secs(120);

/// The rounds of a provider that looks at its platform again and again.
#[derive(Debug)]
pub struct Rounds {
    period: Duration,
    publisher: Publisher,
    began: Instant,
    failures: u32,
}

impl Rounds {
    /// One each `period`; the first begins now.
    #[must_use]
    pub fn new(period: Duration, publisher: Publisher) -> Self {
        Self { period, publisher, began: Instant::now(), failures: 0 }
    }

    /// How long this one has taken so far.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// This one came to that: says so, and rests until the next begins.
    pub async fn end(&mut self, found: Result<Inventory, impl Display>) {
        match found {
            Ok(inventory) => {
                self.failures = 0;
                self.publisher.publish(inventory);
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.publisher.fail(error.to_string());
            }
        }
        tokio::time::sleep(rest(self.period, self.took(), self.failures)).await;
        self.began = Instant::now();
    }
}

/// How long to rest after a round that took so long, so many having failed in a row. A platform that is slow or down is
/// asked less, and no two sidecars ask in step.
fn rest(period: Duration, took: Duration, failures: u32) -> Duration {
    let rest = match failures {
        0 => period.saturating_sub(took).max(took / 2),
        _ => period.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_REST.max(period)),
    };
    // Up to a fifth less.
    (rest * 4 / 5 + retry::fraction(rest / 5)).max(LEAST_REST)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::discovery::publisher::{Mailbox, Report};

    #[tokio::test(start_paused = true)]
    async fn a_round_says_what_it_came_to_and_rests() {
        let mailbox = Arc::new(Mailbox::default());
        let mut rounds = Rounds::new(Duration::from_secs(5), Publisher::new("a", Arc::clone(&mailbox)));
        for (found, least) in [(Err("down"), 8), (Err("down"), 16), (Ok(Inventory::default()), 4)] {
            let began = Instant::now();
            let expected = match &found {
                Ok(inventory) => Report::Sees(inventory.clone()),
                Err(reason) => Report::Failed((*reason).to_owned()),
            };
            rounds.end(found).await;
            assert!(began.elapsed() >= Duration::from_secs(least), "{expected:?}");
            assert_eq!(mailbox.take().await.remove("a"), Some(expected));
            assert_eq!(rounds.took(), Duration::ZERO);
        }
    }

    #[test]
    fn rests_are_never_short_and_grow_with_failures() {
        let period = Duration::from_secs(5);
        let secs = Duration::from_secs;
        for _ in 0..20 {
            assert!((secs(4)..=secs(5)).contains(&rest(period, Duration::ZERO, 0)));
            assert!((secs(8)..=secs(10)).contains(&rest(period, secs(20), 0)));
            assert!((secs(8)..=secs(10)).contains(&rest(period, Duration::ZERO, 1)));
            assert!((secs(96)..=secs(120)).contains(&rest(period, Duration::ZERO, 30)));
            assert!(rest(Duration::from_millis(1), Duration::ZERO, 0) >= LEAST_REST);
        }
    }
}
