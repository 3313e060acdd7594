//! How requests are seen and changed on NGINX with `WasmX`: by variables alone.
//!
//! `WasmX` can't remove a request header, and one that it tried to remove can't even be replaced by the
//! configuration any more. So the filter sets variables, and `nginx-config/wasmx.conf` puts them into
//! headers with `proxy_set_header`, which drops whatever the client sent. The variable with the
//! upstream comes last: until it is set, there is nowhere to go.

use taskgate_core::audit::Rule;
use taskgate_core::edit::{FieldEdit, RequestEdits};
use taskgate_core::reply::Reply;
use taskgate_core::service::Protocol;

use super::{SET_COOKIE, property, send_reply, set_property};

/// `WasmX` shows no more headers than 100, five pseudo headers at most among them, and hides the rest.
const MAX_HEADERS: usize = 95;
/// What has `Set-Cookie` lines of ours for the job's answer, whichever job gives it.
const SET_COOKIES: [&str; 2] = ["tg_set_cookie_1", "tg_set_cookie_2"];

/// Whether the filter gets to see every header of a request with so many.
pub(super) const fn shows_headers(count: usize) -> bool {
    count <= MAX_HEADERS
}

/// The path and query as the client sent them, which is what the job gets.
pub(super) fn target() -> Option<Vec<u8>> {
    property(&["ngx", "request_uri"]).filter(|target| !target.is_empty())
}

/// `:authority` is made of the server's name there; `Host` is the client's. `:path` is decoded, and
/// dots and slashes in it are put in order: not what the job gets.
pub(super) fn correct_headers<'h>(headers: &mut Vec<(&'h [u8], &'h [u8])>, target: &'h [u8]) {
    headers.retain(|(name, _)| *name != b":authority" && *name != b":path");
    headers.push((b":path", target));
}

/// Sets the variables; the upstream last.
pub(super) fn permit(edits: &mut RequestEdits) -> bool {
    let cookies = edits.standing.take_cookies();
    let identity = edits.identity();
    let text = |value: Option<&str>| value.unwrap_or_default().as_bytes().to_vec();
    // The sidecar speaks both, and NGINX sends a body over HTTP/2 to gRPC's own location alone.
    let own = edits.vouch.is_some() || matches!(edits.audit.rule, Some(Rule::OwnPath | Rule::SignedUrl));
    let protocol = if edits.upstream.protocol == Protocol::Grpc && !own { "h2" } else { "h1" };
    let [first, next, third] = edits.upstream.candidates;
    set("tg_user", &text(identity.map(|identity| identity.actor())))
        && set("tg_email", &text(identity.and_then(|identity| identity.email())))
        && set("tg_groups", &text(identity.map(|identity| identity.groups())))
        && set("tg_uuid", &text(identity.and_then(|identity| identity.arvados_user_uuid())))
        && set("tg_assertion", &text(identity.and(edits.assertion.as_deref())))
        && set("tg_visitor", &text(edits.vouch.as_deref()))
        && edit("tg_authorization", &edits.authorization)
        && edit("tg_cookie", &edits.cookie)
        && set_cookies(&cookies)
        && set("tg_protocol", protocol.as_bytes())
        && set("tg_third", third.to_string().as_bytes())
        && set("tg_next", next.to_string().as_bytes())
        && set("tg_upstream", first.to_string().as_bytes())
}

/// Sends a reply. `WasmX` knows nothing of gRPC, makes the reason of the details, and keeps the last
/// `Set-Cookie` line alone: those are added when the reply passes by (`Streams::owe`).
pub(super) fn reply(reply: &Reply) -> bool {
    let headers = reply.headers.iter().filter(|(name, _)| name.as_bytes() != SET_COOKIE);
    let mut headers: Vec<(&[u8], &[u8])> = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let Some(code) = reply.grpc_status else {
        return send_reply(reply.status, b"", reply.body.as_bytes(), &headers, None);
    };
    let code = code.to_string();
    headers.extend([
        (&b"content-type"[..], &b"application/grpc"[..]),
        (b"grpc-status", code.as_bytes()),
        (b"grpc-message", reply.body.as_bytes()),
    ]);
    send_reply(200, b"", b"", &headers, None)
}

/// The service whose answer the host is at. None of a reply of ours, and where the sidecar answers.
pub(super) fn answering_service() -> Option<String> {
    let text = |name| property(&["ngx", name]).and_then(|value| String::from_utf8(value).ok());
    let permitted = text("tg_upstream").is_some_and(|upstream| !upstream.is_empty());
    let own = text("tg_rule").is_some_and(|rule| rule == Rule::OwnPath.code());
    (permitted && !own).then(|| text("tg_service").unwrap_or_default())
}

/// False where there are more than there are variables for.
fn set_cookies(lines: &[String]) -> bool {
    lines.len() <= SET_COOKIES.len() && SET_COOKIES.iter().zip(lines).all(|(name, line)| set(name, line.as_bytes()))
}

/// The configuration gives these variables the client's own header, so that `Keep` has nothing to do.
fn edit(variable: &str, edit: &FieldEdit) -> bool {
    match edit {
        FieldEdit::Keep => true,
        FieldEdit::Remove => set(variable, b""),
        FieldEdit::Set(value) => set(variable, value),
    }
}

/// Sets a variable, which the configuration and the access log find.
pub(super) fn set(variable: &str, value: &[u8]) -> bool {
    set_property(&["ngx", variable], value)
}
