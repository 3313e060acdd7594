//! Properties: facts about a stream, and on NGINX also its variables.
//!
//! Tests supply the values; the host derives none by itself. Never invents an empty value: what nobody
//! supplied is `NotFound`.

use super::call::{Call, Slice, Stop, Target};
use crate::Status;
use crate::state::Phase;

/// The first part of the path of everything that belongs to NGINX itself.
const NGINX: &[u8] = b"ngx\0";

pub(super) fn read(call: &mut Call<'_>, path: Slice, target: Target) -> Result<(), Stop> {
    let path = call.read(path)?;
    let (flavour, in_root) = (call.state().flavour, call.state().stream_id().is_none());
    let name_while_starting = path == b"plugin_name" && call.state().phase == Phase::Configuring;
    if flavour.deadly_properties().contains(&path.as_slice()) || (flavour.has_variables() && name_while_starting) {
        return Err(call.crash("a property was read that WasmX has no memory of"));
    }
    if flavour.has_variables() && in_root && path.contains(&0) {
        return Err(Status::InternalFailure.into());
    }
    let own = call.state().stream().and_then(|stream| stream.properties.get(&path).cloned());
    let value = own.or_else(|| call.process().properties.get(&path).cloned()).or_else(|| variable(call, &path));
    call.give(&value.ok_or(Status::NotFound)?, target)
}

/// Envoy keeps any property of a stream and none of a root. WasmX keeps declared variables only.
pub(super) fn write(call: &mut Call<'_>, path: Slice, value: Slice) -> Result<(), Stop> {
    let (path, value) = (call.read(path)?, call.read(value)?);
    if call.state().flavour.has_variables() && !is_declared(call, &path) {
        return Err(Status::NotFound.into());
    }
    let stream = call.state_mut().stream_mut().ok_or(Status::NotFound)?;
    stream.properties.insert(path, value);
    Ok(())
}

fn variable(call: &Call<'_>, path: &[u8]) -> Option<Vec<u8>> {
    if !call.state().flavour.has_variables() || call.state().stream_id().is_none() {
        return None;
    }
    match path.strip_prefix(NGINX)? {
        b"pid" => Some(b"4711".to_vec()),
        _ => is_declared(call, path).then(Vec::new),
    }
}

fn is_declared(call: &Call<'_>, path: &[u8]) -> bool {
    let name = path.strip_prefix(NGINX).and_then(|name| str::from_utf8(name).ok());
    name.is_some_and(|name| call.process().variables.contains(name))
}
