//! Decisions about streams, and callouts.
//!
//! Why deferred: a real host acts only when the callback has returned, so a filter that continues one
//! stream and then traps has still continued it. Never changes an outcome by itself.

use std::time::Duration;

use super::call::{Call, Slice, Stop};
use super::contexts::nanoseconds;
use crate::callout::{Callout, Owner};
use crate::headers::pairs;
use crate::state::{Action, Direction, Phase};
use crate::stream::Reply;
use crate::{Headers, Status};

/// What the filter passes to `proxy_send_local_response`.
pub(super) struct RawReply {
    pub(super) status: u32,
    pub(super) details: Slice,
    pub(super) body: Slice,
    pub(super) headers: Slice,
    pub(super) grpc_status: u32,
}

/// What the filter passes to `proxy_http_call`.
pub(super) struct RawCallout {
    pub(super) cluster: Slice,
    pub(super) headers: Slice,
    pub(super) body: Slice,
    pub(super) timeout_milliseconds: u32,
    pub(super) token: u32,
}

pub(super) fn reply(call: &mut Call<'_>, raw: &RawReply) -> Result<(), Stop> {
    refuse_foreign_stream(call, "a reply was sent for another stream")?;
    let mut headers = pairs::decode(&call.read(raw.headers)?);
    let mut body = call.read(raw.body)?;
    let details = call.read_text(raw.details)?;
    if call.state().flavour.rewrites_replies() {
        headers = last_of_each(&headers);
        if !body.is_empty() {
            body.push(b'\n');
        }
        if call.state().stream().is_some_and(|stream| stream.outcome.reply().is_some()) {
            return Err(Stop::trap("a reply was sent already"));
        }
    }
    let grpc_status = (raw.grpc_status != u32::MAX).then_some(raw.grpc_status);
    let reply = Reply { status: raw.status, headers, body, grpc_status, details };
    let state = call.state_mut();
    if let Some(stream) = state.stream_id() {
        state.actions.push(Action::Reply(stream, reply));
    }
    state.stop_iteration = true;
    Ok(())
}

/// On Envoy a root context has no stream to continue, and saying so is not an error.
pub(super) fn continue_stream(call: &mut Call<'_>, half: u32) -> Result<(), Stop> {
    let direction = match half {
        0 => Direction::Request,
        1 => Direction::Response,
        2 if call.state().stream().is_some_and(|stream| stream.is_connection) => Direction::Request,
        _ => return Err(Status::BadArgument.into()),
    };
    refuse_foreign_stream(call, "another stream was continued")?;
    let state = call.state_mut();
    if let Some(stream) = state.stream_id() {
        state.actions.push(Action::Continue(stream, direction));
        if let Some(stream) = state.streams.get_mut(&stream) {
            stream.request.open = false;
        }
    }
    Ok(())
}

pub(super) fn close_stream(call: &mut Call<'_>, half: u32) -> Result<(), Stop> {
    if call.state().flavour.traps_on_unsupported() {
        return Err(call.unsupported());
    }
    if half > 3 {
        return Err(Status::BadArgument.into());
    }
    let state = call.state_mut();
    let is_its_own = state.stream().is_some_and(|stream| stream.is_connection == (half == 2));
    if let Some(stream) = state.stream_id().filter(|_| is_its_own) {
        state.actions.push(Action::Close(stream));
    }
    Ok(())
}

pub(super) fn dispatch(call: &mut Call<'_>, raw: &RawCallout) -> Result<(), Stop> {
    if call.state().flavour.traps_on_unsupported() && call.state().phase == Phase::Configuring {
        return Err(call.unsupported());
    }
    let cluster = call.read_text(raw.cluster)?;
    let mut headers = pairs::decode(&call.read(raw.headers)?);
    let body = call.read(raw.body)?;
    call.write_number(raw.token, 0)?;
    let dials = call.state().flavour.dials_addresses() && cluster.contains(':');
    let known = dials || call.process().clusters.contains(&cluster);
    let addressed = headers.contains(":authority") || headers.contains("host");
    let complete = addressed && headers.contains(":path") && headers.contains(":method");
    if !known || !complete || i32::try_from(raw.timeout_milliseconds).is_err() {
        return Err(Status::BadArgument.into());
    }
    if call.state().flavour.forces_connection() {
        headers.remove(b":authority");
        headers.replace(b"host", cluster.as_bytes());
        headers.replace(b"connection", b"close");
    }
    let state = call.state_mut();
    let context = state.effective_context();
    let token = state.next_token();
    let owner = Owner { vm: state.vm, context, root: state.root_of(context), token };
    let timeout = (raw.timeout_milliseconds > 0).then(|| Duration::from_millis(u64::from(raw.timeout_milliseconds)));
    {
        let mut process = call.process();
        let id = process.next_callout();
        let deadline_ns = timeout.map(|timeout| process.clock_ns.saturating_add(nanoseconds(timeout)));
        let callout = Callout { id, cluster, headers, body, timeout, deadline_ns, owner };
        process.callouts.insert(id, callout);
    }
    call.write_number(raw.token, token)
}

/// Where the effective context is a fiction, acting on another stream kills the process.
fn refuse_foreign_stream(call: &Call<'_>, reason: &str) -> Result<(), Stop> {
    let state = call.state();
    if state.flavour.ignores_effective_context() && (state.is_misled() || state.stream_id().is_none()) {
        return Err(call.crash(reason));
    }
    Ok(())
}

fn last_of_each(headers: &Headers) -> Headers {
    let mut kept = Headers::new();
    for (name, value) in headers.iter() {
        kept.replace(name, value);
    }
    kept
}
