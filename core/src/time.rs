//! Wall-clock time as a value.
//!
//! `core` never reads a clock: whoever calls it says what time it is.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The time that is `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The time that is `nanos` nanoseconds after the epoch, as a proxy's clock gives it.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos / 1_000_000)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time and `duration` more; the far end of time where that does not fit.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This time and `duration` less; the beginning of time where that does not fit.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long ago `earlier` was; zero where it is not in the past (a clock may jump back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A point in time by two clocks: one that is right, and one that never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the wall clock says: for what was promised until a date.
    pub wall: UnixTime,
    /// What the steady clock says: for how long ago something was.
    pub steady: UnixTime,
}

impl From<UnixTime> for Moment {
    /// Both clocks say the same.
    fn from(time: UnixTime) -> Self {
        Self { wall: time, steady: time }
    }
}

/// A steady clock made of a wall clock that is read often.
///
/// Where the wall clock jumps back, this one stands still; where it jumps ahead, this one goes at most
/// [`SteadyClock::LONGEST_STEP`]. So a corrected clock neither expires a table nor keeps a verdict.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    steady: UnixTime,
    last_wall: Option<UnixTime>,
}

impl SteadyClock {
    /// The most that passes between two readings.
    pub const LONGEST_STEP: Duration = Duration::from_secs(10);

    /// A clock that starts out agreeing with the wall clock.
    #[must_use]
    pub fn new(wall: Option<UnixTime>) -> Self {
        // Without a wall clock it starts far from both ends of time, so that an age can be taken off.
        Self { steady: wall.unwrap_or(UnixTime(1 << 50)), last_wall: wall }
    }

    /// Reads the clock, now that the wall clock says `wall`. Where that fails, it is as late as it was
    /// last; and until it has worked once, no date is in the future.
    pub fn read(&mut self, wall: Option<UnixTime>) -> Moment {
        let Some(wall) = wall else {
            return Moment { wall: self.last_wall.unwrap_or(UnixTime(u64::MAX)), steady: self.steady };
        };
        let passed = self.last_wall.map_or(Duration::ZERO, |last| wall.since(last)).min(Self::LONGEST_STEP);
        self.steady = self.steady.after(passed);
        self.last_wall = Some(wall);
        Moment { wall, steady: self.steady }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_does_not_follow_jumps() {
        let at = UnixTime::from_millis;
        let mut clock = SteadyClock::new(Some(at(1_000_000)));
        assert_eq!(clock.read(Some(at(1_000_100))).steady, at(1_000_100));
        assert_eq!(clock.read(Some(at(500))), Moment { wall: at(500), steady: at(1_000_100) }, "back");
        assert_eq!(clock.read(Some(at(700))).steady, at(1_000_300));
        assert_eq!(clock.read(Some(at(9_000_000))).steady, at(1_010_300), "ahead");
        let failed = clock.read(None);
        assert_eq!((failed.wall, failed.steady), (at(9_000_000), at(1_010_300)), "the wall clock fails");
        assert_eq!(SteadyClock::new(None).read(None).wall, at(u64::MAX), "it has never worked");
    }

    #[test]
    fn time_has_a_far_end_and_no_negative() {
        assert_eq!(UnixTime::from_millis(5).after(Duration::MAX), UnixTime::from_millis(u64::MAX));
        assert_eq!(UnixTime::from_millis(5).since(UnixTime::from_millis(9)), Duration::ZERO);
        assert_eq!(UnixTime::from_nanos(1_999_999), UnixTime::from_millis(1));
    }
}
