//! By which clock ports rest: the wall clock, which all sidecars share, but one that can't hurry.
//!
//! Until when a port rests is written down as a time of day, since other processes read it, and the next life of this
//! one. So whoever sets the clock of a machine ahead would end every rest at once, and strangers would get ports to
//! which clients of somebody else still connect. This clock follows the wall clock, never faster than twice the time
//! that really passed: a rest is cut to half of it at worst. Back it follows at once, which makes rests longer, up to
//! what the back end takes for the longest.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;

/// A wall clock that is ahead by more than this was wrong until now, as that of a machine is before it asked anybody for
/// the time. To follow it slowly would take half as long.
const TOO_FAR: Duration = Duration::from_secs(86_400);

/// The clock by which ports rest.
#[derive(Debug)]
pub(super) struct RestClock {
    clock: SharedClock,
    last: Mutex<Reading>,
}

/// What it said last.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// What time it was.
    time: UnixTime,
    /// When that was, by the clock that never jumps.
    passed: Duration,
}

impl RestClock {
    /// One that agrees with the wall clock.
    pub(super) fn new(clock: SharedClock) -> Self {
        let last = Mutex::new(Reading { time: clock.now(), passed: clock.passed() });
        Self { clock, last }
    }

    /// What time it is: rests that last until then are over.
    pub(super) fn now(&self) -> UnixTime {
        // Who panicked left a whole value.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, passed) = (self.clock.now(), self.clock.passed());
        let really = passed.saturating_sub(last.passed);
        let soonest = last.time.after(really.saturating_mul(2));
        let time = if wall.since(soonest) > TOO_FAR {
            tracing::warn!(
                ahead_secs = wall.since(last.time).as_secs(),
                "the clock of this machine was set ahead by more than a day: ports that rest may be free at once"
            );
            wall
        } else {
            wall.min(soonest)
        };
        *last = Reading { time, passed };
        time
    }

    /// Until when something rests that begins to now, as every process reads it. The rest really lasts half as long at
    /// least, whatever happens to the clock.
    pub(super) fn until(&self, rest: Duration) -> UnixTime {
        // Time that nobody asked for is not saved up: it would let the clock jump later.
        self.now();
        self.clock.now().after(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    const START: UnixTime = UnixTime::from_millis(1_800_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn clocks() -> (RestClock, Arc<ManualClock>) {
        let wall = Arc::new(ManualClock::new(START));
        (RestClock::new(Arc::<ManualClock>::clone(&wall)), wall)
    }

    #[test]
    fn it_is_the_wall_clock_as_long_as_that_does_not_jump() {
        let (clock, wall) = clocks();
        for step in [Duration::from_millis(1), MINUTE, HOUR, HOUR * 720] {
            wall.advance(step);
            assert_eq!(clock.now(), wall.now(), "{step:?}");
        }
        // One that runs a little fast, or is set a little ahead, is right again in a moment.
        wall.set(wall.now().after(MINUTE / 60));
        wall.advance(MINUTE / 60);
        assert_eq!(clock.now(), wall.now());
    }

    #[test]
    fn a_jump_ahead_is_followed_at_twice_the_speed_of_time_and_no_faster() {
        let (clock, wall) = clocks();
        wall.set(START.after(HOUR));
        assert_eq!(clock.now(), START);
        wall.advance(MINUTE);
        assert_eq!(clock.now(), START.after(MINUTE * 2));
        // However often it is asked.
        for _ in 0..600 {
            wall.advance(MINUTE / 600);
            clock.now();
        }
        assert_eq!(clock.now(), START.after(MINUTE * 4));
        wall.advance(HOUR);
        assert_eq!(clock.now(), wall.now(), "it has caught up");
    }

    #[test]
    fn a_rest_lasts_half_of_it_at_least_also_where_nobody_asked_for_long() {
        let (clock, wall) = clocks();
        wall.advance(HOUR * 5);
        let until = clock.until(HOUR);
        assert_eq!(until, wall.now().after(HOUR));
        wall.set(wall.now().after(HOUR * 5));
        assert!(clock.now() < until);
        wall.advance(HOUR / 2 - MINUTE);
        assert!(clock.now() < until);
        wall.advance(MINUTE);
        assert!(clock.now() >= until);
    }

    #[test]
    fn it_is_never_later_than_the_wall_clock_so_what_begins_to_rest_rests_for_others_too() {
        let (clock, wall) = clocks();
        wall.set(START.before(HOUR));
        assert_eq!(clock.now(), START.before(HOUR), "back at once");
        assert_eq!(clock.until(MINUTE), START.before(HOUR).after(MINUTE));
        wall.set(START);
        assert_eq!(clock.now(), START.before(HOUR), "and ahead slowly");
        assert_eq!(clock.until(MINUTE), START.after(MINUTE), "as every other sidecar reads it");
    }

    #[test]
    fn a_clock_that_was_wrong_by_more_than_a_day_is_followed_at_once() {
        let (clock, wall) = clocks();
        wall.set(START.after(HOUR * 24));
        assert_eq!(clock.now(), START);
        wall.set(START.after(HOUR * 24 + Duration::from_millis(1)));
        assert_eq!(clock.now(), wall.now());
    }
}
