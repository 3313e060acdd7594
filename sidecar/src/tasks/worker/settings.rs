//! How a worker works.

use std::time::Duration;

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How many tasks it works on at one time.
    pub concurrent: usize,
    /// For how long it takes a task, and prolongs that.
    pub lease: Duration,
    /// How often it prolongs its leases, and looks whether the owners may still do what they asked for.
    pub renew: Duration,
    /// How often it looks whether its tasks were deleted.
    pub look: Duration,
    /// How long before the end of a lease it stops its own I/O.
    pub margin: Duration,
    /// How long it waits at most before it looks for work that nobody told it of.
    pub poll: Duration,
    /// The longest pause before the second attempt; each later one may be twice as long.
    pub first_pause: Duration,
    /// The longest pause before any attempt.
    pub longest_pause: Duration,
    /// How long an operation that is told to stop may take before it is cut off.
    pub stopping: Duration,
    /// The bytes that all tasks share for their slabs.
    pub memory: usize,
}

impl WorkerSettings {
    /// Those of a lease: what depends on it is in proportion.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, renew: lease / 3, margin: lease / 6, ..self }
    }

    /// The longest pause after attempt `attempt`, from 1.
    #[must_use]
    pub fn longest_pause_after(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.first_pause.saturating_mul(doubled).min(self.longest_pause)
    }
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrent: 4,
            lease: Duration::from_secs(30),
            renew: Duration::from_secs(10),
            look: Duration::from_millis(500),
            margin: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(300),
            stopping: Duration::from_millis(500),
            memory: 64 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let settings = WorkerSettings::default();
        let secs = |attempt| settings.longest_pause_after(attempt).as_secs();
        assert_eq!([0, 1, 2, 3, 9, 1_000].map(secs), [2, 2, 4, 8, 300, 300]);
    }
}
