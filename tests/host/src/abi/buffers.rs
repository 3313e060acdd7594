//! Reading and changing buffers: configurations, bodies and the body of an answer.
//!
//! Never keeps a body between chunks: a filter sees the chunk it is being told about.

use super::call::{Call, Slice, Stop, Target};
use crate::Status;

/// The highest buffer type of the ABI.
const LAST_BUFFER: u32 = 8;

pub(super) fn read(call: &mut Call<'_>, buffer: u32, (start, length): (u32, u32), target: Target) -> Result<(), Stop> {
    let bytes = known(call, buffer)?;
    let end = u64::from(start) + u64::from(length);
    if u32::try_from(end).is_err() && length != u32::MAX {
        return Err(Status::BadArgument.into());
    }
    let wanted = clamp(bytes.len(), start, length);
    let part = bytes.get(wanted).unwrap_or_default().to_vec();
    call.give(&part, target)
}

/// Replaces `length` bytes from `start`, appending when `start` is the end.
pub(super) fn write(call: &mut Call<'_>, buffer: u32, (start, length): (u32, u32), data: Slice) -> Result<(), Stop> {
    let size = known(call, buffer)?.len();
    let data = call.read(data)?;
    let wanted = clamp(size, start, length);
    let stream = call.state_mut().stream_mut();
    let body = match (buffer, stream) {
        (0, Some(stream)) => stream.request.body.as_mut(),
        (1, Some(stream)) => stream.response.body.as_mut(),
        _ => None,
    };
    body.ok_or(Status::BadArgument)?.splice(wanted, data);
    Ok(())
}

pub(super) fn status(call: &mut Call<'_>, buffer: u32, length: u32, flags: u32) -> Result<(), Stop> {
    let size = known(call, buffer)?.len();
    call.write_number(length, u32::try_from(size).unwrap_or(u32::MAX))?;
    call.write_number(flags, 0)
}

fn known<'call>(call: &'call Call<'_>, buffer: u32) -> Result<&'call [u8], Stop> {
    if buffer > LAST_BUFFER {
        return Err(Status::BadArgument.into());
    }
    Ok(call.state().buffer(buffer).ok_or(Status::NotFound)?)
}

fn clamp(size: usize, start: u32, length: u32) -> std::ops::Range<usize> {
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(size);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    start..start.saturating_add(length).min(size)
}
