//! A decision as an answer over HTTP: everything in headers.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use taskgate_core::assertion::ASSERTION_HEADER;
use taskgate_core::audit::{Audit, Rule};
use taskgate_core::denial::Denial;
use taskgate_core::edit::{FieldEdit, RequestEdits};
use taskgate_core::reply::{DENIAL_HEADER, Reply};
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::visitor::VISITOR_HEADER;

use crate::decide::dialect::Dialect;

/// What all headers of an answer may take, in bytes, as they are on the wire: ingresses read 8 kB, and the server adds
/// a date.
const MAX_HEADERS: usize = 7_900;
/// What a header line takes beside name and value.
const LINE: usize = 4;
/// For how long an equal request may go by the same decision, in seconds: as long as a stream goes on after its end.
const REUSE: &str = "1";
/// What a gRPC message must not contain (gRPC over HTTP/2, "Percent-Encoded").
const OF_MESSAGES: &AsciiSet = &CONTROLS.add(b'%');
/// The header that says how long an answer may be used, to those in whose caches it is.
const REUSE_HEADER: &str = "x-accel-expires";

/// Headers of an answer, counted, under the names that its reader knows.
#[derive(Debug)]
struct Lines {
    dialect: Dialect,
    headers: HeaderMap,
    size: usize,
}

impl Lines {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, headers: HeaderMap::new(), size: 0 }
    }

    fn add(&mut self, name: &'static str, value: impl AsRef<[u8]>) -> Result<(), Denial> {
        let (name, value) = (self.dialect.header(name), value.as_ref());
        self.size += name.len() + value.len() + LINE;
        if self.size > MAX_HEADERS {
            return Err(Denial::HeadersTooLarge);
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| Denial::ProxyFailure)?;
        self.headers.append(HeaderName::from_static(name), value);
        Ok(())
    }

    fn add_where<T: AsRef<[u8]>>(&mut self, name: &'static str, value: Option<T>) -> Result<(), Denial> {
        value.map_or(Ok(()), |value| self.add(name, value))
    }
}

/// What an ingress does with a permitted request; `uri` is its path and query as they came, `group` the ingress's own
/// name for where it goes.
///
/// # Errors
/// Why it can't be told: then the request is refused for that.
pub fn permit(edits: &mut RequestEdits, group: Option<&str>, uri: &[u8], dialect: Dialect) -> Result<Response, Denial> {
    let mut lines = Lines::new(dialect);
    match group {
        Some(group) => lines.add("x-taskgate-upstream", group)?,
        None => {
            let names = ["x-taskgate-upstream", "x-taskgate-next", "x-taskgate-third"];
            for (name, address) in names.into_iter().zip(edits.upstream.candidates) {
                lines.add(name, address.to_string())?;
            }
        }
    }
    lines.add("x-taskgate-protocol", if edits.upstream.protocol == Protocol::Grpc { "h2" } else { "h1" })?;
    lines.add("x-taskgate-uri", edits.path.as_deref().unwrap_or(uri))?;
    edit(&mut lines, ["x-taskgate-edit-authorization", "x-taskgate-job-authorization"], &edits.authorization)?;
    edit(&mut lines, ["x-taskgate-edit-cookie", "x-taskgate-cookie"], &edits.cookie)?;
    for (name, value) in identity(edits) {
        lines.add(name, value)?;
    }
    if !edits.remove.is_empty() && !dialect.removes_by_itself() {
        lines.add("x-taskgate-remove", edits.remove.join(&b','))?;
    }
    audit(&mut lines, &edits.audit)?;
    let cookies = edits.standing.take_cookies();
    lines.add(
        REUSE_HEADER,
        if cookies.is_empty() && !edits.is_tunnel && is_reusable(&edits.audit) { REUSE } else { "0" },
    )?;
    let names = ["x-taskgate-set-cookie-1", "x-taskgate-set-cookie-2"];
    for (index, line) in cookies.iter().enumerate() {
        if dialect.takes_set_cookie() {
            lines.add("set-cookie", line)?;
        }
        // There are two at the most: one of a name that moved, and the session.
        lines.add(names.get(index).ok_or(Denial::HeadersTooLarge)?, line)?;
    }
    Ok(respond(StatusCode::OK, lines.headers, String::new()))
}

/// Headers that tell a job who the visitor is.
pub(super) fn identity(edits: &RequestEdits) -> Vec<(&'static str, &[u8])> {
    let mut headers: Vec<(&'static str, &[u8])> = Vec::new();
    // Of a tunnel to a public service, it vouches for nobody.
    headers.extend(edits.vouch.as_ref().map(|vouch| (VISITOR_HEADER, vouch.as_bytes())));
    let Some(identity) = edits.identity() else { return headers };
    headers.push(("x-forwarded-user", identity.actor().as_bytes()));
    headers.extend(identity.email().map(|email| ("x-forwarded-email", email.as_bytes())));
    headers.extend(
        Some(identity.groups())
            .filter(|groups| !groups.is_empty())
            .map(|groups| ("x-forwarded-groups", groups.as_bytes())),
    );
    headers.extend(identity.arvados_user_uuid().map(|uuid| ("x-arvados-user-uuid", uuid.as_bytes())));
    headers.extend(edits.assertion.as_ref().map(|text| (ASSERTION_HEADER, text.as_bytes())));
    headers
}

fn edit(lines: &mut Lines, [what, value]: [&'static str; 2], edit: &FieldEdit) -> Result<(), Denial> {
    match edit {
        FieldEdit::Keep => lines.add(what, "keep"),
        FieldEdit::Remove if lines.dialect.removes_by_itself() => Ok(()),
        FieldEdit::Remove => lines.add(what, "remove"),
        FieldEdit::Set(text) => {
            lines.add(what, "set")?;
            lines.add(value, text)
        }
    }
}

fn audit(lines: &mut Lines, audit: &Audit) -> Result<(), Denial> {
    lines.add_where("x-taskgate-service", audit.service.as_deref())?;
    lines.add_where("x-taskgate-level", audit.level.map(AccessLevel::code))?;
    lines.add_where("x-taskgate-rule", audit.rule.map(Rule::code))?;
    lines.add_where("x-taskgate-actor", audit.actor.as_deref())
}

/// Whether an equal request may go by the same decision for a moment.
fn is_reusable(audit: &Audit) -> bool {
    match audit.rule {
        Some(Rule::Public | Rule::Session | Rule::Share | Rule::Verdict) => true,
        // A question of a page and a signed URL depend on method and time, and a verdict may be there again.
        Some(Rule::OwnPath | Rule::Preflight | Rule::SignedUrl | Rule::StaleVerdict) | None => false,
    }
}

/// What the client gets in place of the job's answer.
#[must_use]
pub fn refuse(reply: Reply, dialect: Dialect) -> Response {
    if !dialect.passes_refusals_on() {
        return squeezed(&reply, dialect);
    }
    let (status, is_grpc) = (reply.status, reply.grpc_status.is_some() && dialect != Dialect::Envoy);
    let mut response = if is_grpc { whole(reply) } else { plain(reply) };
    if !dialect.tells_yes_from_200() {
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    }
    response
}

/// A refusal as those understand it who know 401 and 403 alone, and ask for the rest.
fn squeezed(reply: &Reply, dialect: Dialect) -> Response {
    let status = match reply.status {
        401 | 300..=399 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    };
    let mut lines = Lines::new(dialect);
    // Names of services are short, and what does not fit is only for the log.
    let _ = lines.add("x-taskgate-status", reply.status.to_string());
    let _ = lines.add_where(DENIAL_HEADER, reply.audit.denial.map(Denial::code));
    let _ = lines.add(REUSE_HEADER, "0");
    let _ = audit(&mut lines, &reply.audit);
    respond(status, lines.headers, String::new())
}

/// The reply as a client gets it. gRPC clients get their status in headers (gRPC over HTTP/2, "Trailers-Only").
#[must_use]
pub fn whole(mut reply: Reply) -> Response {
    let Some(code) = reply.grpc_status else { return plain(reply) };
    let message = utf8_percent_encode(&std::mem::take(&mut reply.body), OF_MESSAGES).to_string();
    let mut response = plain(Reply { status: 200, ..reply });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(code)));
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}

/// The reply with its own status and body.
fn plain(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    // A client reads this, whoever asked.
    let mut lines = Lines::new(Dialect::Generic);
    for (name, value) in &reply.headers {
        if lines.add(name, value).is_err() {
            // Neither a redirect nor a page can do without one of its headers.
            return respond(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, HeaderMap::new(), String::new());
        }
    }
    let mut headers = lines.headers;
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    respond(status, headers, reply.body)
}

pub(super) fn respond(status: StatusCode, headers: HeaderMap, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests;
