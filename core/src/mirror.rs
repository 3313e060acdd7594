//! How a table is kept outside one worker's memory, so that a worker that restarts serves at once.
//!
//! The table is mirrored in [`crate::table::PARTS`] parts, each under its own key in the proxy's shared
//! data. A part carries its own key (some hosts find values by a hash of the key alone) and its
//! version at both ends (some copy a value while another worker writes it): a part that does not agree
//! with itself is no part.

use serde::{Deserialize, Serialize};

use crate::feed::{Control, Cursor};
use crate::time::UnixTime;

const FORMAT: u8 = 1;

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
    /// Numbers of different epochs can't be compared; then the later word of a sidecar counts.
    #[must_use]
    pub fn covers(&self, cursor: Cursor, confirmed: UnixTime) -> bool {
        if self.cursor.epoch == cursor.epoch { self.cursor.number >= cursor.number } else { self.confirmed > confirmed }
    }
}

/// The bytes under which [`Control`] is kept under `key`.
#[must_use]
pub fn encode_control(key: &str, control: &Control) -> Option<Vec<u8>> {
    postcard::to_allocvec(&(FORMAT, key, control, control.number)).ok()
}

/// Reads what [`encode_control`] made.
#[must_use]
pub fn decode_control(key: &str, bytes: &[u8]) -> Option<Control> {
    match postcard::take_from_bytes::<(u8, &str, Control, u64)>(bytes) {
        Ok(((FORMAT, found, control, end), [])) if found == key && control.number == end => Some(control),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURSOR: Cursor = Cursor { epoch: 3, number: 9 };

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
        assert!(part().covers(Cursor { epoch: 4, number: 99 }, at(49)));
        assert!(!part().covers(Cursor { epoch: 4, number: 1 }, at(50)));
    }

    #[test]
    fn control_reads_back() {
        let gate = crate::config::GateConfig::for_domain("tasks.example.test");
        let control = Control { number: 5, cache_key: [1; 32], keys: vec![], verdict_epoch: 2, gate };
        let bytes = encode_control("k", &control).expect("encodes");
        assert_eq!(decode_control("k", &bytes), Some(control));
        assert_eq!(decode_control("j", &bytes), None);
    }
}
