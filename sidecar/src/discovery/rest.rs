//! How long a provider rests between two rounds.

use std::time::Duration;

use crate::retry;

/// The shortest rest between two rounds, whatever they take.
const LEAST_REST: Duration = Duration::from_millis(500);
/// The longest rest after rounds that failed.
const LONGEST_REST: Duration = Duration::from_secs(120);

/// How long to rest after a round that took so long, so many having failed in a row. A platform that is slow or down is
/// asked less, and no two sidecars ask in step.
#[must_use]
pub fn rest(period: Duration, took: Duration, failures: u32) -> Duration {
    let rest = match failures {
        0 => period.saturating_sub(took).max(took / 2),
        _ => period.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_REST.max(period)),
    };
    // Up to a fifth less.
    (rest * 4 / 5 + retry::fraction(rest / 5)).max(LEAST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

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
