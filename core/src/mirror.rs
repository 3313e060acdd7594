//! How a table is kept outside one worker's memory, so that a worker that restarts serves at once.
//!
//! The table is mirrored in [`crate::table::PARTS`] parts, each under its own key in the proxy's shared
//! data. A part carries its own key (some hosts find values by a hash of the key alone) and its
//! version at both ends (some copy a value while another worker writes it): a part that does not agree
//! with itself is no part.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::feed::{Control, Cursor};
use crate::time::{Moment, UnixTime};

const FORMAT: u8 = 4;

/// One part of a mirrored table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorPart<'a> {
    format: u8,
    key: &'a str,
    /// The version of the table that the rows are of.
    pub cursor: Cursor,
    /// When the sidecar had last confirmed that table.
    pub confirmed: UnixTime,
    /// The rows, packed.
    #[serde(borrow)]
    pub rows: Vec<&'a [u8]>,
    end: Cursor,
}

impl<'a> MirrorPart<'a> {
    /// A part to be kept under `key`.
    #[must_use]
    pub fn new(key: &'a str, cursor: Cursor, confirmed: UnixTime, rows: Vec<&'a [u8]>) -> Self {
        Self { format: FORMAT, key, cursor, confirmed, rows, end: cursor }
    }

    /// The part's bytes; none only where memory is short.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads what was kept under `key`.
    #[must_use]
    pub fn decode(key: &str, bytes: &'a [u8]) -> Option<Self> {
        match postcard::take_from_bytes::<Self>(bytes) {
            Ok((part, [])) if part.format == FORMAT && part.key == key && part.cursor == part.end => Some(part),
            _ => None,
        }
    }

    /// Whether this part is at least as new as a table at `cursor`, confirmed at `confirmed`.
    #[must_use]
    pub fn covers(&self, cursor: Cursor, confirmed: UnixTime) -> bool {
        covers((self.cursor, self.confirmed), (cursor, confirmed))
    }
}

/// Whether a version is at least as new as another, each with the time of the last word of its sidecar.
/// Numbers of different epochs can't be compared; then the later word counts.
fn covers(kept: (Cursor, UnixTime), other: (Cursor, UnixTime)) -> bool {
    if kept.0.epoch == other.0.epoch { kept.0.number >= other.0.number } else { kept.1 > other.1 }
}

/// Keys and epochs, as they are mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorControl<'a> {
    format: u8,
    key: &'a str,
    epoch: u64,
    confirmed: UnixTime,
    /// What is mirrored.
    pub control: Control,
    end: u64,
}

impl<'a> MirrorControl<'a> {
    /// What a table of that epoch, confirmed then, goes with; to be kept under `key`.
    #[must_use]
    pub fn new(key: &'a str, epoch: u64, confirmed: UnixTime, control: Control) -> Self {
        let end = control.number;
        Self { format: FORMAT, key, epoch, confirmed, control, end }
    }

    /// The bytes; none only where memory is short.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads what was kept under `key`.
    #[must_use]
    pub fn decode(key: &str, bytes: &'a [u8]) -> Option<Self> {
        match postcard::take_from_bytes::<Self>(bytes) {
            Ok((kept, [])) if kept.format == FORMAT && kept.key == key && kept.control.number == kept.end => Some(kept),
            _ => None,
        }
    }

    /// Whether this is at least as new as `other`; see [`MirrorPart::covers`].
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        covers(self.version(), other.version())
    }

    fn version(&self) -> (Cursor, UnixTime) {
        (Cursor { epoch: self.epoch, number: self.control.number, began: 0 }, self.confirmed)
    }
}

/// How old the mirrored table is: written often, while parts are only written when they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorAge {
    format: u8,
    /// Milliseconds since the sidecar had confirmed the table, when this was written.
    age_millis: u64,
    /// When this was written, by the wall clock.
    written_at: UnixTime,
    end: u64,
}

impl MirrorAge {
    /// A table that was confirmed at `confirmed`, written down at `now`.
    #[must_use]
    pub fn new(confirmed: UnixTime, now: Moment) -> Self {
        let age_millis = u64::try_from(now.steady.since(confirmed).as_millis()).unwrap_or(u64::MAX);
        Self { format: FORMAT, age_millis, written_at: now.wall, end: age_millis }
    }

    /// The bytes; none only where memory is short.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads what was kept.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<Self>(bytes) {
            Ok((kept, [])) if kept.format == FORMAT && kept.age_millis == kept.end => Some(kept),
            _ => None,
        }
    }

    /// How old the table is now. (It is written every second, so a clock that was set in between has
    /// little room.)
    #[must_use]
    pub fn age(&self, wall: UnixTime) -> Duration {
        Duration::from_millis(self.age_millis).saturating_add(wall.since(self.written_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURSOR: Cursor = Cursor { epoch: 3, number: 9, began: 0 };

    fn part() -> MirrorPart<'static> {
        MirrorPart::new("taskgate/x/7", CURSOR, UnixTime::from_millis(50), vec![b"one", b"two"])
    }

    #[test]
    fn reads_back_under_its_own_key_alone() {
        let bytes = part().encode().expect("encodes");
        assert_eq!(MirrorPart::decode("taskgate/x/7", &bytes), Some(part()));
        assert_eq!(MirrorPart::decode("taskgate/x/8", &bytes), None);
        for end in 0..bytes.len() {
            assert_eq!(MirrorPart::decode("taskgate/x/7", &bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_torn_value_is_no_part() {
        let older = part().encode().expect("encodes");
        let newer = Cursor { number: 10, ..CURSOR };
        let newer = MirrorPart::new("taskgate/x/7", newer, UnixTime::from_millis(50), vec![b"one", b"six"]);
        let newer = newer.encode().expect("encodes");
        assert_eq!(older.len(), newer.len());
        for at in 0..older.len() {
            let torn = [&newer[..at], &older[at..]].concat();
            let read = MirrorPart::decode("taskgate/x/7", &torn);
            assert!(read.is_none() || torn == older || torn == newer, "torn at {at}");
        }
    }

    #[test]
    fn newer_is_by_number_within_an_epoch_and_by_time_across() {
        let at = UnixTime::from_millis;
        assert!(part().covers(CURSOR, at(99)));
        assert!(!part().covers(Cursor { number: 10, ..CURSOR }, at(0)));
        assert!(part().covers(Cursor { epoch: 4, number: 99, began: 0 }, at(49)));
        assert!(!part().covers(Cursor { epoch: 4, number: 1, began: 0 }, at(50)));
    }

    fn control(epoch: u64, number: u64, confirmed: u64) -> MirrorControl<'static> {
        let gate = crate::config::GateConfig::for_domain("tasks.example.test");
        let control = Control { number, cache_key: [1; 32], keys: vec![], verdict_epoch: 2, revocations: vec![], gate };
        MirrorControl::new("k", epoch, UnixTime::from_millis(confirmed), control)
    }

    #[test]
    fn control_reads_back() {
        let bytes = control(3, 5, 0).encode().expect("encodes");
        assert_eq!(MirrorControl::decode("k", &bytes), Some(control(3, 5, 0)));
        assert_eq!(MirrorControl::decode("j", &bytes), None);
    }

    #[test]
    fn older_control_never_covers() {
        assert!(control(3, 5, 0).covers(&control(3, 5, 9)));
        assert!(!control(3, 5, 9).covers(&control(3, 6, 0)));
        assert!(control(3, 5, 9).covers(&control(4, 6, 8)));
        assert!(!control(3, 5, 9).covers(&control(4, 1, 9)));
    }

    #[test]
    fn an_age_grows_with_time_and_never_shrinks() {
        let at = UnixTime::from_millis;
        let kept = MirrorAge::new(at(1_000), Moment { wall: at(500_000), steady: at(4_000) });
        assert_eq!(MirrorAge::decode(&kept.encode().expect("encodes")), Some(kept));
        assert_eq!(kept.age(at(502_000)), Duration::from_secs(5));
        assert_eq!(kept.age(at(10)), Duration::from_secs(3), "set back");
    }
}
