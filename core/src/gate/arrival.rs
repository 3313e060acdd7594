//! Arriving with something in the query: the handshake.
//!
//! A token or a share link in the query is in the address bar, in bookmarks and in the history. A person is sent to the
//! same URL without it, with a session in its place. A program that can't follow that is let in for the one request.

use crate::permit::{Permit, Who, Worth};
use crate::query;
use crate::reply::{Client, Reply};
use crate::request::{Field, Request};
use crate::service::Service;
use crate::session::{Claims, Session, SharedAccess};
use crate::share::{self, SHARE_PARAMETER, ShareClaims, ShareError};
use crate::time::UnixTime;
use crate::token::TokenId;
use crate::verdict::Verdict;

use super::rules::Rules;

/// Whether a request can be answered with a redirect: it changes nothing, and is no stream's beginning. Scripts of
/// pages can't take part in a handshake (`Sec-Fetch-Mode`).
pub(super) fn can_be_redirected(request: &Request<'_>, client: Client) -> bool {
    matches!(request.method.one(), Some(b"GET" | b"HEAD"))
        && matches!(client, Client::Api | Client::Page)
        && request.upgrade == Field::Absent
        && request.path.one().is_some_and(|path| path.starts_with(b"/"))
        && request.fetch_mode.one().is_none_or(|mode| mode == b"navigate")
}

/// Whether a page of another origin asks for more than an answer, or for a WebSocket. Browsers send a visitor's
/// cookies along for every page of the same site, and jobs have pages there; so cookies say nothing then.
pub(super) fn is_of_foreign_page(rules: &Rules, request: &Request<'_>) -> bool {
    let is_question = matches!(request.method.one(), Some(b"GET" | b"HEAD" | b"OPTIONS"));
    if is_question && request.upgrade == Field::Absent {
        return false;
    }
    let is_own = |origin: &[u8]| {
        let start = origin.windows(3).position(|part| part == b"://").map(|start| start.saturating_add(3));
        let page = start.and_then(|start| origin.get(start..));
        let host = request.authority.one().or(request.host.one());
        let is_trusted = |trusted: &String| trusted.as_bytes().eq_ignore_ascii_case(origin);
        let is_own = page.zip(host).is_some_and(|(page, host)| page.eq_ignore_ascii_case(host));
        is_own || rules.control.gate.trusted_origins.iter().any(is_trusted)
    };
    match (request.origin, request.fetch_site.one()) {
        (Field::One(origin), _) => !is_own(origin),
        (Field::Repeated, _) => true,
        (Field::Absent, Some(site)) => !matches!(site, b"same-origin" | b"none"),
        (Field::Absent, None) => false,
    }
}

/// Whether a page of another origin led here.
pub(super) fn is_led_by_foreign_page(request: &Request<'_>) -> bool {
    request.fetch_site.one().is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}

/// A path as the target of a redirect on the same host. Two slashes at its beginning would name another host, so
/// a `.` that browsers take out again stands between.
pub(super) fn location(path: &[u8]) -> String {
    let is_ambiguous = matches!(path, [_, b'/' | b'\\', ..]);
    let mut location = String::with_capacity(path.len());
    if is_ambiguous {
        location.push_str("/.");
    }
    for byte in path {
        match byte {
            b'!'..=b'~' => location.push(char::from(*byte)),
            _ => query::escape(*byte, &mut location),
        }
    }
    location
}

/// The share link in the query.
pub(super) fn share_token(request: &Request<'_>) -> Option<Vec<u8>> {
    let path = request.path.one()?;
    // Cheap to see that there is none: a request in a hundred thousand has one.
    let has_parameter = path.windows(SHARE_PARAMETER.len()).any(|part| part == SHARE_PARAMETER.as_bytes());
    if has_parameter { query::value(path, SHARE_PARAMETER) } else { None }
}

/// The session that a share link gives at a service now.
pub(super) fn shared(
    rules: &Rules,
    token: &[u8],
    service: &Service<'_>,
    now: UnixTime,
) -> Result<Box<Session>, ShareError> {
    let (claims, identity) = share::open(&rules.keys, token, service.id, service.origin)?;
    let ShareClaims { id, scope, issued_at, expires_at, .. } = claims;
    let session = Claims::new(id, service.id, service.epoch, identity.to_wire(), now, expires_at);
    let share = Some(SharedAccess { id, scope });
    Ok(Box::new(Session { claims: Claims { issued_at, share, ..session }, identity }))
}

/// The session that a visitor gets who was let in by something in the query; none where they have one already that says
/// who they are, or none can be made.
pub(super) fn session(
    rules: &Rules,
    service: &str,
    epoch: u32,
    id: TokenId,
    permit: &Permit,
    now: UnixTime,
) -> Option<Claims> {
    match permit.who() {
        Who::Holder(verdict) => match &**verdict {
            Verdict::Allow { identity, ends_at } => {
                let end = rules.session_end(now, *ends_at);
                Some(Claims::new(id, service, epoch, identity.to_wire(), now, end))
            }
            Verdict::Deny { .. } => None,
        },
        Who::Nobody => None,
        // Each has an id of its own: who ends theirs ends nobody else's, and not the link.
        Who::Session(session) => Some(Claims { id, ..session.claims.clone() }),
    }
}

/// The line that gives a browser a session.
pub(super) fn cookie(rules: &Rules, claims: &Claims, now: UnixTime) -> Option<String> {
    let token = claims.seal(&rules.keys).ok()?;
    Some(rules.style.set(&rules.names.session_cookie, &token, claims.expires_at.since(now)))
}

/// The redirect that ends a handshake.
pub(super) fn redirect(location: String, cookies: Vec<String>) -> Reply {
    let mut headers = vec![("location", location), ("cache-control", "no-store".to_owned())];
    headers.extend(cookies.into_iter().map(|cookie| ("set-cookie", cookie)));
    // What was in the query goes to nobody else.
    headers.push(("referrer-policy", "no-referrer".to_owned()));
    Reply::redirect(headers)
}

/// Whether a session that a request has is a person's, and not that of a share link.
pub(super) fn is_of_a_person(worth: Option<&Worth>) -> bool {
    let claims = match worth {
        Some(Worth::Good(permit)) => permit.session_claims(),
        Some(Worth::Unsure(session)) => Some(&session.claims),
        None => None,
    };
    claims.is_some_and(|claims| claims.share.is_none())
}
