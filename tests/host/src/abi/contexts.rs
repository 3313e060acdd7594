//! Contexts, time, logs and the other small functions.
//!
//! Never reads the real clock.

use std::time::Duration;

use super::call::{Call, Slice, Stop, Target};
use crate::process::LogLine;
use crate::{LogLevel, Status};

pub(super) fn choose(call: &mut Call<'_>, context: u32) -> Result<(), Stop> {
    let state = call.state_mut();
    if !state.flavour.ignores_effective_context() && !state.contexts.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    state.effective = context;
    Ok(())
}

/// The filter finished a context it had kept; nothing here waits for that.
pub(super) fn done(_call: &mut Call<'_>) -> Result<(), Stop> {
    Ok(())
}

pub(super) fn set_tick_period(call: &mut Call<'_>, milliseconds: u32) -> Result<(), Stop> {
    let now = call.process().clock_ns;
    let strict = call.state().flavour.traps_on_unsupported();
    let unsupported = call.unsupported();
    let state = call.state_mut();
    let context = state.effective_context();
    let in_stream = state.stream_of(context).is_some();
    let plugin = state.plugin_of(context).ok_or(Status::NotFound)?;
    let twice = plugin.tick_period.is_some() && milliseconds != 0;
    if strict && (in_stream || twice) {
        return Err(unsupported);
    }
    let period = Duration::from_millis(u64::from(milliseconds));
    plugin.tick_period = (milliseconds != 0).then_some(period);
    plugin.next_tick_ns = plugin.tick_period.map(|period| now.saturating_add(nanoseconds(period)));
    Ok(())
}

pub(super) fn time(call: &mut Call<'_>, target: u32) -> Result<(), Stop> {
    let now = call.process().clock_ns;
    call.write(target, &now.to_le_bytes())
}

pub(super) fn status(call: &mut Call<'_>, code: u32, target: Target) -> Result<(), Stop> {
    let (number, message) = call.state().status;
    call.write_number(code, number)?;
    call.give(message.as_bytes(), target)
}

/// The host has no foreign functions.
pub(super) fn foreign(call: &mut Call<'_>, name: Slice) -> Result<(), Stop> {
    call.read(name)?;
    if call.state().flavour.traps_on_unsupported() {
        return Err(call.unsupported());
    }
    Err(Status::NotFound.into())
}

pub(super) fn log(call: &mut Call<'_>, level: u32, message: Slice) -> Result<(), Stop> {
    let level = LogLevel::from_number(level).ok_or(Status::BadArgument)?;
    let message = call.read_text(message)?;
    let vm = call.state().vm;
    call.process().logs.push(LogLine { vm, level, message });
    Ok(())
}

pub(super) fn log_level(call: &mut Call<'_>, target: u32) -> Result<(), Stop> {
    let level = call.process().log_level;
    call.write_number(target, level as u32)
}

/// A duration on the manual clock.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
