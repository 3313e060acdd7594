//! How a permitted request is changed on Envoy: by header edits.
//!
//! The addresses to try travel in three headers, which `header_to_metadata` turns into metadata and
//! removes, so that jobs never see them (`envoy-config/static.yaml`).

use std::io::Write as _;

use taskgate_core::assertion::ASSERTION_HEADER;
use taskgate_core::edit::{CANDIDATES, FieldEdit, RequestEdits};
use taskgate_core::reply::Reply;
use taskgate_core::service::Protocol;
use taskgate_core::visitor::VISITOR_HEADER;

use super::{remove_header, send_reply, set_header, set_property};

/// The headers that carry the addresses, in order.
const CANDIDATE_HEADERS: [&[u8]; CANDIDATES] = [b"x-taskgate-up1", b"x-taskgate-up2", b"x-taskgate-up3"];
/// Says that the job speaks HTTP/2; absent for HTTP/1.1.
const PROTOCOL_HEADER: &[u8] = b"x-taskgate-protocol";

/// Candidates come last: a request whose earlier edits failed has no address to go to.
pub(super) fn permit(edits: &RequestEdits) -> bool {
    let removed = edits.remove.iter().all(|name| remove_header(name));
    let changed = edit(b"authorization", &edits.authorization) && edit(b"cookie", &edits.cookie);
    let path = edits.path.as_deref().is_none_or(|path| set_header(b":path", path));
    removed && changed && path && identify(edits) && route(edits)
}

/// Sends a reply; Envoy makes a gRPC status of it where one is given.
pub(super) fn reply(reply: &Reply) -> bool {
    let headers: Vec<(&[u8], &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    send_reply(reply.status, b"taskgate", reply.body.as_bytes(), &headers, reply.grpc_status)
}

/// In filter state, where `%FILTER_STATE(wasm.tg_service:PLAIN)%` and its like in the access log find it.
pub(super) fn tell(name: &str, value: &[u8]) -> bool {
    set_property(&[name], value)
}

fn edit(name: &[u8], edit: &FieldEdit) -> bool {
    match edit {
        FieldEdit::Keep => true,
        FieldEdit::Remove => remove_header(name),
        FieldEdit::Set(value) => set_header(name, value),
    }
}

fn identify(edits: &RequestEdits) -> bool {
    // Of a tunnel to a public service, it vouches for nobody.
    if edits.vouch.as_ref().is_some_and(|vouch| !set_header(VISITOR_HEADER.as_bytes(), vouch.as_bytes())) {
        return false;
    }
    let Some(identity) = edits.identity() else { return true };
    let groups = identity.groups();
    let uuid = identity.arvados_user_uuid();
    let assertion = edits.assertion.as_ref();
    set_header(b"x-forwarded-user", identity.actor().as_bytes())
        && identity.email().is_none_or(|email| set_header(b"x-forwarded-email", email.as_bytes()))
        && (groups.is_empty() || set_header(b"x-forwarded-groups", groups.as_bytes()))
        && uuid.is_none_or(|uuid| set_header(b"x-arvados-user-uuid", uuid.as_bytes()))
        && assertion.is_none_or(|text| set_header(ASSERTION_HEADER.as_bytes(), text.as_bytes()))
}

fn route(edits: &RequestEdits) -> bool {
    let is_http2 = edits.upstream.protocol == Protocol::Grpc;
    if is_http2 && !set_header(PROTOCOL_HEADER, b"h2") {
        return false;
    }
    let mut text = Vec::with_capacity(48);
    CANDIDATE_HEADERS.iter().zip(edits.upstream.candidates).all(|(name, address)| {
        text.clear();
        write!(text, "{address}").is_ok() && set_header(name, &text)
    })
}
