//! How long to wait before a call is repeated.

use std::time::Duration;

use crate::random;

/// The longest first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait of all.
const LONGEST: Duration = Duration::from_secs(5);

/// A random wait before attempt `attempt` (1 is the first repetition): up to twice as long each time,
/// and never the same for two callers that failed together ("full jitter").
#[must_use]
pub fn wait(attempt: u32) -> Duration {
    let most = FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST);
    fraction(most)
}

/// A random share of a time, at least a tenth of it.
#[must_use]
pub fn fraction(most: Duration) -> Duration {
    // Without randomness the longest wait is the safe one.
    let Ok(random) = random::non_zero() else { return most };
    let thousandths = u32::try_from(random % 900).unwrap_or(0).saturating_add(100);
    most.saturating_mul(thousandths) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        for attempt in 0..100 {
            let wait = wait(attempt);
            assert!(wait >= FIRST / 10 && wait <= LONGEST, "{attempt}: {wait:?}");
        }
        let longest = (0..50).map(|_| wait(3)).max().expect("a wait");
        assert!(longest > wait(1).min(FIRST), "{longest:?}");
        assert!((0..50).map(|_| wait(30)).any(|one| one > LONGEST / 4));
    }
}
