//! The table in shared data: kept by whichever worker is ahead, read by a VM that starts.
//!
//! A VM that died takes its table with it; the next one serves from here at once. A part is written
//! only where the one that is kept is older, and only so much at a time, so that nothing takes long: a
//! small table is kept as soon as it is there, a large one over some ticks.

use std::time::Duration;

use taskgate_core::feed::Cursor;
use taskgate_core::gate::Gate;
use taskgate_core::mirror::{MirrorAge, MirrorControl, MirrorPart};
use taskgate_core::table::PARTS;
use taskgate_core::time::Moment;

use crate::host::{self, Shared};

/// About how many bytes are read or written at a time: a worker serves nobody meanwhile.
const BYTES_AT_A_TIME: usize = 64 << 10;
/// Every how many ticks keys and the table's age are looked at.
const TICKS_PER_AGE: u64 = 10;

/// Keeps what has changed, as far as this worker's table is whole and of one life of the sidecar.
pub fn keep(gate: &mut Gate, sidecar: &str, ticks: u64, now: Moment) {
    if !gate.table().is_complete() || gate.table().is_sweeping() {
        return;
    }
    let dirty = gate.table().dirty_parts();
    let is_dirty = |part: &u32| dirty.checked_shr(*part).is_some_and(|bits| bits & 1 == 1);
    let mut bytes = 0_usize;
    for part in (0..PARTS).filter(is_dirty) {
        if let Some(size) = keep_part(gate, sidecar, part) {
            gate.table_mut().mark_mirrored(part);
            bytes = bytes.saturating_add(size);
        }
        if bytes > BYTES_AT_A_TIME {
            break;
        }
    }
    if dirty != 0 || ticks.is_multiple_of(TICKS_PER_AGE) {
        keep_control(gate, sidecar);
        keep_age(gate, sidecar, now);
    }
}

/// The size of the part, where it is now kept as this worker has it, or newer.
fn keep_part(gate: &Gate, sidecar: &str, part: u32) -> Option<usize> {
    let key = part_key(sidecar, part);
    let cursor = gate.table().cursor();
    let confirmed = gate.table().confirmed()?;
    let covers = |kept: &[u8]| MirrorPart::decode(&key, kept).is_some_and(|kept| kept.covers(cursor, confirmed));
    replace_unless(&key, covers, || {
        let rows = gate.table().part(part).map(|row| row.as_bytes()).collect();
        MirrorPart::new(&key, cursor, confirmed, rows).encode()
    })
}

fn keep_control(gate: &Gate, sidecar: &str) {
    let key = control_key(sidecar);
    let (Some(control), Some(confirmed)) = (gate.control(), gate.table().confirmed()) else { return };
    let ours = MirrorControl::new(&key, gate.table().cursor().epoch, confirmed, control.clone());
    let covers = |kept: &[u8]| MirrorControl::decode(&key, kept).is_some_and(|kept| kept.covers(&ours));
    replace_unless(&key, covers, || ours.encode());
}

fn keep_age(gate: &Gate, sidecar: &str, now: Moment) {
    let Some(confirmed) = gate.table().confirmed() else { return };
    let ours = MirrorAge::new(confirmed, now);
    let is_younger = |kept: &[u8]| MirrorAge::decode(kept).is_some_and(|kept| kept.age(now.wall) < ours.age(now.wall));
    replace_unless(&age_key(sidecar), is_younger, || ours.encode());
}

/// Writes a value, unless what is kept is good enough or somebody else writes it meanwhile. The size of
/// what is kept then; none where it may be older.
fn replace_unless(
    key: &str,
    is_good: impl FnOnce(&[u8]) -> bool,
    encode: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<usize> {
    let cas = match host::shared(key) {
        Shared::Absent => 0,
        Shared::Failed => return None,
        Shared::Value(kept, _) if is_good(&kept) => return Some(kept.len()),
        Shared::Value(_, cas) => cas,
    };
    let bytes = encode()?;
    host::set_shared(key, &bytes, cas).then_some(bytes.len())
}

/// Fills a new gate with what is kept.
pub fn restore(gate: &mut Gate, sidecar: &str, now: Moment) {
    let (Some(control), Some(age)) = (kept_control(sidecar), kept_age(sidecar, now)) else { return };
    if gate.set_control(control).is_err() {
        return;
    }
    let kept: Vec<(String, Vec<u8>)> = (0..PARTS)
        .filter_map(|part| {
            let key = part_key(sidecar, part);
            let bytes = value(&key)?;
            Some((key, bytes))
        })
        .collect();
    let parts: Vec<MirrorPart<'_>> = kept.iter().filter_map(|(key, bytes)| MirrorPart::decode(key, bytes)).collect();
    let is_whole = u32::try_from(parts.len()) == Ok(PARTS);
    // Of a table with holes, news alone would never fill them.
    let cursor = if is_whole { resume_at(&parts) } else { Cursor::default() };
    let rows = parts.iter().flat_map(|part| part.rows.iter().copied());
    gate.table_mut().restore(rows, cursor, now.steady.before(age), is_whole);
}

fn kept_control(sidecar: &str) -> Option<taskgate_core::feed::Control> {
    let key = control_key(sidecar);
    Some(MirrorControl::decode(&key, &value(&key)?)?.control)
}

fn kept_age(sidecar: &str, now: Moment) -> Option<Duration> {
    Some(MirrorAge::decode(&value(&age_key(sidecar))?)?.age(now.wall))
}

fn value(key: &str) -> Option<Vec<u8>> {
    match host::shared(key) {
        Shared::Value(bytes, _) => Some(bytes),
        Shared::Absent | Shared::Failed => None,
    }
}

/// Where the feed goes on from: the oldest part's version, where all are of one epoch, else anew.
fn resume_at(parts: &[MirrorPart<'_>]) -> Cursor {
    let Some(first) = parts.first() else { return Cursor::default() };
    if parts.iter().any(|part| part.cursor.epoch != first.cursor.epoch) {
        return Cursor::default();
    }
    let number = parts.iter().map(|part| part.cursor.number).min().unwrap_or(0);
    Cursor { epoch: first.cursor.epoch, number, began: 0 }
}

fn part_key(sidecar: &str, part: u32) -> String {
    format!("taskgate/{sidecar}/{part}")
}

fn control_key(sidecar: &str) -> String {
    format!("taskgate/{sidecar}/control")
}

fn age_key(sidecar: &str) -> String {
    format!("taskgate/{sidecar}/age")
}
