//! Reading and changing lists of headers.
//!
//! What happens to headers that are no longer the filter's follows Envoy: once a request continued,
//! reading a value or changing anything is `BadArgument`, while reading all pairs is an empty list with
//! `Ok`. A reply leaves the list in place until the stream is deleted, so changes still answer `Ok`
//! there and have no effect. Never touches a list that is not open.

use super::call::{Call, Slice, Stop, Target};
use crate::headers::pairs;
use crate::{Headers, Status};

/// The highest map type of the ABI.
const LAST_MAP: u32 = 7;

pub(super) fn pairs(call: &mut Call<'_>, map: u32, target: Target) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let flavour = call.state().flavour;
    let bytes = call.state().map(map).map(|headers| match (flavour.keeps_case(), map) {
        (true, 0 | 2) => pairs::encode_as_written(headers, flavour.shown_headers()),
        (true, 6) => pairs::encode(&with_dispatch_status(call, headers)),
        _ => pairs::encode(headers),
    });
    call.give(&bytes.unwrap_or_default(), target)
}

pub(super) fn set_pairs(call: &mut Call<'_>, map: u32, list: Slice) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let new = pairs::decode(&call.read(list)?);
    let mut renamed = Headers::new();
    for (name, value) in new.iter() {
        renamed.add(&own_name(call, map, name), value);
    }
    let message = call.state_mut().map_mut(map).ok_or(Status::BadArgument)?;
    message.headers = renamed;
    Ok(())
}

pub(super) fn size(call: &mut Call<'_>, map: u32, size: u32) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let bytes = call.state().map(map).ok_or(Status::BadArgument)?.byte_size();
    call.write_number(size, u32::try_from(bytes).unwrap_or(u32::MAX))
}

pub(super) fn value(call: &mut Call<'_>, map: u32, key: Slice, target: Target) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let name = call.read(key)?;
    let name = own_name(call, map, &name);
    let status = call.state().readable_answer().and_then(|answer| answer.dispatch_status);
    if let Some(status) = status.filter(|_| map == 6 && name == b":dispatch_status") {
        return call.give(status.as_bytes(), target);
    }
    let headers = call.state().map(map).ok_or(Status::BadArgument)?;
    let found = headers.iter().find(|(known, _)| *known == name).ok_or(Status::NotFound)?.1.to_vec();
    call.give(&found, target)
}

pub(super) fn add(call: &mut Call<'_>, map: u32, key: Slice, value: Slice) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let (name, value) = (call.read(key)?, call.read(value)?);
    let name = own_name(call, map, &name);
    let message = call.state_mut().map_mut(map).ok_or(Status::BadArgument)?;
    message.headers.add(&name, &value);
    Ok(())
}

pub(super) fn replace(call: &mut Call<'_>, map: u32, key: Slice, value: Slice) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let (name, value) = (call.read(key)?, call.read(value)?);
    let name = own_name(call, map, &name);
    let leaks = call.state().flavour.leaks_removed_headers();
    if leaks && map == 0 && name == b":authority" {
        return Err(Status::BadArgument.into());
    }
    let message = call.state_mut().map_mut(map).ok_or(Status::BadArgument)?;
    if leaks {
        message.headers.replace_first(&name, &value);
    } else {
        message.headers.replace(&name, &value);
    }
    Ok(())
}

pub(super) fn remove(call: &mut Call<'_>, map: u32, key: Slice) -> Result<(), Stop> {
    known(map)?;
    supported(call, map)?;
    let name = call.read(key)?;
    let name = own_name(call, map, &name);
    let leaks = map == 0 && call.state().flavour.leaks_removed_headers();
    let message = call.state_mut().map_mut(map).ok_or(Status::BadArgument)?;
    if leaks {
        let removed = message.headers.iter().filter(|(known, _)| *known == name);
        message.leaked.extend(removed.map(|(name, value)| (name.to_vec(), value.to_vec())).collect::<Vec<_>>());
    }
    message.headers.remove(&name);
    Ok(())
}

/// `:dispatch_status` is among the headers that are shown, where there is such a thing.
fn with_dispatch_status(call: &Call<'_>, headers: &Headers) -> Headers {
    let status = call.state().readable_answer().and_then(|answer| answer.dispatch_status);
    status.iter().fold(headers.clone(), |headers, status| headers.with(":dispatch_status", status))
}

/// Trailers are a trap on WasmX.
fn supported(call: &Call<'_>, map: u32) -> Result<(), Stop> {
    let is_trailers = matches!(map, 1 | 3 | 5 | 7);
    if is_trailers && call.state().flavour.traps_on_unsupported() { Err(call.unsupported()) } else { Ok(()) }
}

fn known(map: u32) -> Result<(), Stop> {
    if map > LAST_MAP { Err(Status::BadArgument.into()) } else { Ok(()) }
}

/// The name under which the host keeps a header: lower case, and `host` of a request is `:authority`
/// where the host does not keep them apart.
fn own_name(call: &Call<'_>, map: u32, name: &[u8]) -> Vec<u8> {
    let name = name.to_ascii_lowercase();
    if map == 0 && name == b"host" && !call.state().flavour.separates_host() { b":authority".to_vec() } else { name }
}
