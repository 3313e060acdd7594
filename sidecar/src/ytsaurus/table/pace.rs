//! How fast things go.

use std::time::Duration;

use crate::retry;

/// How long giving back may take. Whoever stops has little time left.
pub(super) const GOODBYE: Duration = Duration::from_secs(3);
/// The longest first wait after something failed.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// How fast things go. Operators have nothing to choose here; tests have less patience.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the cluster keeps the lock of a writer that is silent.
    pub lease: Duration,
    /// How often a writer says that it is there.
    pub ping: Duration,
    /// The longest wait before someone without the lock tries again.
    pub candidacy: Duration,
    /// The shortest time between two rewrites. What changes meanwhile is one.
    pub rest: Duration,
    /// How long a rewrite may take, with all its attempts.
    pub rewrite: Duration,
    /// The longest wait after something failed.
    pub longest_backoff: Duration,
    /// How often a writer looks whether someone else changed the tables.
    pub audit: Duration,
}

impl Pace {
    /// How long to wait after so many failures in a row.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        retry::fraction(doubled.min(self.longest_backoff))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            ping: Duration::from_secs(5),
            candidacy: Duration::from_secs(10),
            rest: Duration::from_secs(1),
            rewrite: Duration::from_secs(60),
            longest_backoff: Duration::from_secs(60),
            audit: Duration::from_secs(300),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_failures_and_have_an_end() {
        let pace = Pace::default();
        for _ in 0..20 {
            assert!((Duration::from_millis(100)..=Duration::from_secs(1)).contains(&pace.backoff(1)));
            assert!((Duration::from_millis(800)..=Duration::from_secs(8)).contains(&pace.backoff(4)));
            assert!((Duration::from_secs(6)..=Duration::from_secs(60)).contains(&pace.backoff(1_000)));
        }
    }
}
