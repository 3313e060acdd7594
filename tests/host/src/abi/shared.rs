//! Shared data, shared queues and metrics: the functions over what all VMs share.
//!
//! Never interprets a value.

use super::call::{Call, Slice, Stop, Target};
use crate::Status;
use crate::process::shared::zone;

pub(super) fn read(call: &mut Call<'_>, key: Slice, target: Target, number: u32) -> Result<(), Stop> {
    let key = call.read(key)?;
    in_zone(call, &key)?;
    let flavour = call.state().flavour;
    let found = call.process().shared.read(flavour, &key).cloned();
    let (value, stored) = found.ok_or(Status::NotFound)?;
    call.give(&value, target)?;
    call.write_number(number, stored)
}

pub(super) fn write(call: &mut Call<'_>, key: Slice, value: Slice, number: u32) -> Result<(), Stop> {
    let (key, value) = (call.read(key)?, call.read(value)?);
    in_zone(call, &key)?;
    if value.len() > call.process().zone_bytes {
        return Err(call.unsupported());
    }
    let flavour = call.state().flavour;
    Ok(call.process().shared.write(flavour, &key, &value, number)?)
}

/// On WasmX a key that no zone has is a trap.
fn in_zone(call: &Call<'_>, key: &[u8]) -> Result<(), Stop> {
    let strict = call.state().flavour.traps_on_unsupported();
    let is_there = !strict || zone(&call.process().zones, key).is_some();
    if is_there { Ok(()) } else { Err(call.unsupported()) }
}

pub(super) fn register(call: &mut Call<'_>, name: Slice, number: u32) -> Result<(), Stop> {
    let name = call.read(name)?;
    let queue = call.process().queues.register(&name)?;
    call.write_number(number, queue)
}

pub(super) fn resolve(call: &mut Call<'_>, name: Slice, number: u32) -> Result<(), Stop> {
    if call.state().flavour.traps_on_unsupported() {
        return Err(call.unsupported());
    }
    let name = call.read(name)?;
    let queue = call.process().queues.resolve(&name)?;
    call.write_number(number, queue)
}

pub(super) fn enqueue(call: &mut Call<'_>, number: u32, value: Slice) -> Result<(), Stop> {
    let value = call.read(value)?;
    Ok(call.process().queues.enqueue(number, value)?)
}

pub(super) fn dequeue(call: &mut Call<'_>, number: u32, target: Target) -> Result<(), Stop> {
    let value = call.process().queues.dequeue(number)?;
    call.give(&value, target)
}

pub(super) fn define_metric(call: &mut Call<'_>, kind: u32, name: Slice, number: u32) -> Result<(), Stop> {
    let name = call.read_text(name)?;
    let metric = call.process().metrics.define(kind, &name)?;
    call.write_number(number, metric)
}

pub(super) fn increment_metric(call: &mut Call<'_>, number: u32, offset: i64) -> Result<(), Stop> {
    Ok(call.process().metrics.increment(number, offset)?)
}

pub(super) fn record_metric(call: &mut Call<'_>, number: u32, value: u64) -> Result<(), Stop> {
    Ok(call.process().metrics.record(number, value)?)
}

pub(super) fn metric(call: &mut Call<'_>, number: u32, target: u32) -> Result<(), Stop> {
    let value = call.process().metrics.value(number)?;
    call.write(target, &value.to_le_bytes())
}
