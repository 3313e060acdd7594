//! How a permitted request is changed on NGINX with `WasmX`: by variables alone.
//!
//! `WasmX` can't remove a request header, and one that it tried to remove can't even be replaced by the
//! configuration any more. So the filter sets variables, and `nginx-config/wasmx.conf` puts them into
//! headers with `proxy_set_header`, which drops whatever the client sent. The variable with the
//! upstream comes last: until it is set, there is nowhere to go.

use taskgate_core::edit::{FieldEdit, RequestEdits};

use super::set_property;

/// `:authority` is made of the server's name there; `Host` is the client's.
pub(super) fn correct_headers(headers: &mut Vec<(&[u8], &[u8])>) {
    headers.retain(|(name, _)| *name != b":authority");
}

/// Sets the variables; the upstream last.
pub(super) fn permit(edits: &RequestEdits) -> bool {
    let identity = edits.identity();
    let actor = identity.map_or("", |identity| identity.actor());
    let email = identity.and_then(|identity| identity.email()).unwrap_or_default();
    let groups = identity.map_or("", |identity| identity.groups());
    let [first, next, _] = edits.upstream.candidates;
    set("tg_user", actor.as_bytes())
        && set("tg_email", email.as_bytes())
        && set("tg_groups", groups.as_bytes())
        && edits.vouch.as_ref().is_none_or(|vouch| set("tg_visitor", vouch.as_bytes()))
        && edit("tg_authorization", &edits.authorization)
        && edit("tg_cookie", &edits.cookie)
        && set("tg_next", next.to_string().as_bytes())
        && set("tg_upstream", first.to_string().as_bytes())
}

/// The configuration gives these variables the client's own header, so that `Keep` has nothing to do.
fn edit(variable: &str, edit: &FieldEdit) -> bool {
    match edit {
        FieldEdit::Keep => true,
        FieldEdit::Remove => set(variable, b""),
        FieldEdit::Set(value) => set(variable, value),
    }
}

fn set(variable: &str, value: &[u8]) -> bool {
    set_property(&["ngx", variable], value)
}
