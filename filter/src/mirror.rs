//! The table in shared data: kept by whichever worker is ahead, read by a VM that starts.
//!
//! A VM that died takes its table with it; the next one serves from here at once. A part is written
//! only where the one that is kept is older, and a few parts a tick, so that no tick takes long.

use taskgate_core::feed::Cursor;
use taskgate_core::gate::Gate;
use taskgate_core::mirror::{MirrorPart, decode_control, encode_control};
use taskgate_core::table::PARTS;
use taskgate_core::time::UnixTime;

use crate::host;

/// How many parts one tick looks at.
const PARTS_PER_TICK: usize = 4;

/// Keeps what has changed, as far as this worker's table is whole.
pub fn keep(gate: &mut Gate, sidecar: &str) {
    if !gate.table().is_complete() {
        return;
    }
    let dirty = gate.table().dirty_parts();
    let is_dirty = |part: &u32| dirty.checked_shr(*part).is_some_and(|bits| bits & 1 == 1);
    let mut looked_at = 0_usize;
    for part in (0..PARTS).filter(is_dirty).take(PARTS_PER_TICK) {
        if keep_part(gate, sidecar, part) {
            gate.table_mut().mark_mirrored(part);
        }
        looked_at = looked_at.saturating_add(1);
    }
    if looked_at > 0 || dirty == 0 {
        keep_control(gate, sidecar);
    }
}

fn keep_part(gate: &Gate, sidecar: &str, part: u32) -> bool {
    let key = part_key(sidecar, part);
    let (cursor, confirmed) = (gate.table().cursor(), gate.table().confirmed());
    let (kept, cas) = host::shared(&key);
    if kept
        .as_deref()
        .and_then(|bytes| MirrorPart::decode(&key, bytes))
        .is_some_and(|kept| kept.covers(cursor, confirmed))
    {
        return true;
    }
    let rows = gate.table().part(part).map(|row| row.as_bytes()).collect();
    match MirrorPart::new(&key, cursor, confirmed, rows).encode() {
        Some(bytes) => host::set_shared(&key, &bytes, cas),
        None => false,
    }
}

fn keep_control(gate: &Gate, sidecar: &str) {
    let Some(control) = gate.control() else { return };
    let key = control_key(sidecar);
    let (kept, cas) = host::shared(&key);
    if kept.as_deref().and_then(|bytes| decode_control(&key, bytes)).as_ref() != Some(control)
        && let Some(bytes) = encode_control(&key, control)
    {
        host::set_shared(&key, &bytes, cas);
    }
}

/// Fills a new gate with what is kept.
pub fn restore(gate: &mut Gate, sidecar: &str) {
    let key = control_key(sidecar);
    let Some(control) = host::shared(&key).0.as_deref().and_then(|bytes| decode_control(&key, bytes)) else {
        return;
    };
    let kept: Vec<(String, Vec<u8>)> = (0..PARTS)
        .filter_map(|part| {
            let key = part_key(sidecar, part);
            let bytes = host::shared(&key).0?;
            Some((key, bytes))
        })
        .collect();
    let parts: Vec<MirrorPart<'_>> = kept.iter().filter_map(|(key, bytes)| MirrorPart::decode(key, bytes)).collect();
    let is_whole = u32::try_from(parts.len()) == Ok(PARTS);
    let cursor = resume_at(&parts);
    let confirmed = parts.iter().map(|part| part.confirmed).max().unwrap_or(UnixTime::default());
    if gate.set_control(control).is_err() {
        return;
    }
    gate.table_mut().restore(parts.iter().flat_map(|part| part.rows.iter().copied()), cursor, confirmed, is_whole);
}

/// Where the feed goes on from: the oldest part's version, where all are of one epoch, else anew.
fn resume_at(parts: &[MirrorPart<'_>]) -> Cursor {
    let Some(first) = parts.first() else { return Cursor::default() };
    if parts.iter().any(|part| part.cursor.epoch != first.cursor.epoch) {
        return Cursor::default();
    }
    let number = parts.iter().map(|part| part.cursor.number).min().unwrap_or(0);
    Cursor { epoch: first.cursor.epoch, number }
}

fn part_key(sidecar: &str, part: u32) -> String {
    format!("taskgate/{sidecar}/{part}")
}

fn control_key(sidecar: &str) -> String {
    format!("taskgate/{sidecar}/control")
}
