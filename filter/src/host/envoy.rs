//! How a permitted request is changed on Envoy: by header edits.
//!
//! The addresses to try travel in three headers, which `header_to_metadata` turns into metadata and
//! removes, so that jobs never see them (`envoy-config/static.yaml`).

use std::io::Write as _;

use taskgate_core::assertion::ASSERTION_HEADER;
use taskgate_core::audit::{Audit, Rule};
use taskgate_core::denial::Denial;
use taskgate_core::edit::{CANDIDATES, FieldEdit, RequestEdits};
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::visitor::VISITOR_HEADER;

use super::{remove_header, set_header, set_property};

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

/// In filter state, where `%FILTER_STATE(wasm.tg_service:PLAIN)%` and its like in the access log find it.
pub(super) fn audit(audit: &Audit) {
    let told = [
        ("tg_service", audit.service.as_deref()),
        ("tg_level", audit.level.map(AccessLevel::code)),
        ("tg_rule", audit.rule.map(Rule::code)),
        ("tg_actor", audit.actor.as_deref()),
        ("tg_denial", audit.denial.map(Denial::code)),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            set_property(&[name], value.as_bytes());
        }
    }
}

fn edit(name: &[u8], edit: &FieldEdit) -> bool {
    match edit {
        FieldEdit::Keep => true,
        FieldEdit::Remove => remove_header(name),
        FieldEdit::Set(value) => set_header(name, value),
    }
}

fn identify(edits: &RequestEdits) -> bool {
    let Some(identity) = edits.identity() else { return true };
    let groups = identity.groups();
    let uuid = identity.arvados_user_uuid();
    let assertion = edits.assertion.as_ref();
    set_header(b"x-forwarded-user", identity.actor().as_bytes())
        && identity.email().is_none_or(|email| set_header(b"x-forwarded-email", email.as_bytes()))
        && (groups.is_empty() || set_header(b"x-forwarded-groups", groups.as_bytes()))
        && uuid.is_none_or(|uuid| set_header(b"x-arvados-user-uuid", uuid.as_bytes()))
        && assertion.is_none_or(|text| set_header(ASSERTION_HEADER.as_bytes(), text.as_bytes()))
        && edits.vouch.as_ref().is_none_or(|vouch| set_header(VISITOR_HEADER.as_bytes(), vouch.as_bytes()))
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
