//! Times as signatures write them: whole seconds of UTC.

use std::time::Duration;

use jiff::Timestamp;
use taskgate_core::time::UnixTime;

/// From when until when a URL can be used.
///
/// Invariant: both are whole seconds, and the end is after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: UnixTime,
    secs: u64,
}

impl Span {
    /// From now on for so long, but not beyond the end of the credential; none where that is less than a second.
    /// Parts of a second are not counted.
    pub(crate) fn new(now: UnixTime, wanted: Duration, ends: Option<UnixTime>) -> Option<Self> {
        let start = UnixTime::from_millis(now.as_millis() / 1000 * 1000);
        let left = ends.map_or(wanted, |ends| wanted.min(ends.since(start)));
        let secs = left.as_secs();
        (secs > 0).then_some(Self { start, secs })
    }

    /// When it starts.
    pub(crate) fn start(self) -> UnixTime {
        self.start
    }

    /// How many seconds it lasts.
    pub(crate) fn secs(self) -> u64 {
        self.secs
    }

    /// When it ends.
    pub(crate) fn end(self) -> UnixTime {
        self.start.after(Duration::from_secs(self.secs))
    }
}

/// `20130524`.
pub(crate) fn day(time: UnixTime) -> String {
    format(time, "%Y%m%d")
}

/// `20130524T000000Z`.
pub(crate) fn basic(time: UnixTime) -> String {
    format(time, "%Y%m%dT%H%M%SZ")
}

/// `2013-05-24T00:00:00Z`.
pub(crate) fn extended(time: UnixTime) -> String {
    format(time, "%Y-%m-%dT%H:%M:%SZ")
}

fn format(time: UnixTime, form: &str) -> String {
    let secs = i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(secs).unwrap_or(Timestamp::MAX).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_whole_seconds_and_ends_with_the_credential() {
        let at = UnixTime::from_millis;
        let span = |secs, ends| Span::new(at(10_900), Duration::from_secs(secs), ends).map(|span| span.end());
        assert_eq!(span(60, None), Some(at(70_000)));
        assert_eq!(span(60, Some(at(90_000))), Some(at(70_000)));
        assert_eq!(span(60, Some(at(30_999))), Some(at(30_000)));
        assert_eq!(span(60, Some(at(10_950))), None, "less than a second is left");
        assert_eq!(span(60, Some(at(5))), None, "it is over");
        assert_eq!(span(0, None), None);
    }

    #[test]
    fn times_are_written_in_utc() {
        let time = UnixTime::from_millis(1_369_353_600_999);
        assert_eq!(day(time), "20130524");
        assert_eq!(basic(time), "20130524T000000Z");
        assert_eq!(extended(time), "2013-05-24T00:00:00Z");
    }
}
