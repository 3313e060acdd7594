//! What goes through of headers, in both directions.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use taskgate_core::visitor::VISITOR_HEADER;

use crate::arvados::token::{TOKEN_NAME, Token};

/// The controller's cookie that says which container others are of. With it, the controller redirects for ever
/// where a path is deep.
const CONTAINER_COOKIE: &str = "arvados_container_uuid";
/// Headers of one connection (RFC 9110, section 7.6.1).
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Headers that mean something to controllers among each other, and to what stands beside a container: with one of
/// them a visitor would read the container's logs instead of its service.
const INTERNAL: [&str; 2] = ["x-arvados-", "x-webdav-"];
/// The one of these names that is ours.
const USER: &str = "x-arvados-user-uuid";
/// What tells a job who the visitor is.
const IDENTITY: [&str; 5] =
    [USER, "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-taskgate-assertion"];

/// The token that a visitor shows with a request, taken out of it: no job gets it.
///
/// Only tokens of the form `v2/…` are taken: another one in `Authorization` may be the job's own.
pub fn take_token(headers: &mut HeaderMap) -> Option<Token> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = authorization.and_then(|value| value.split_once(' '));
    let is_ours = |scheme: &str| ["bearer", "oauth", "oauth2"].iter().any(|ours| scheme.eq_ignore_ascii_case(ours));
    let of_header = shown.filter(|(scheme, _)| is_ours(scheme)).and_then(|(_, token)| Token::parse_v2(token.trim()));
    if of_header.is_some() {
        headers.remove(header::AUTHORIZATION);
    }
    let mut of_cookie = None;
    edit_cookies(headers, |name, value| {
        if name == TOKEN_NAME && of_cookie.is_none() {
            of_cookie = Token::of_cookie(value);
        }
        name != TOKEN_NAME && name != CONTAINER_COOKIE
    });
    of_header.or(of_cookie)
}

/// The headers of a request to the controller.
pub fn prepare(headers: &mut HeaderMap, token: Option<&Token>) {
    remove_hops(headers);
    remove_all(headers, |name| is_internal(name) && name != USER);
    for name in [VISITOR_HEADER, "host", "expect"] {
        headers.remove(name);
    }
    if let Some(token) = token {
        let mut line = cookie_line(headers);
        if !line.is_empty() {
            line.extend_from_slice(b"; ");
        }
        line.extend_from_slice(token.cookie().as_bytes());
        if let Ok(mut value) = HeaderValue::from_bytes(&line) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }
}

/// Takes out what would say who the visitor is: nobody vouches for it.
pub fn remove_identity(headers: &mut HeaderMap) {
    remove_all(headers, |name| IDENTITY.contains(&name.replace('_', "-").as_str()));
}

/// Whether a client takes a stream of events and nothing else, as `EventSource` does.
#[must_use]
pub fn wants_events_alone(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.trim().eq_ignore_ascii_case("text/event-stream")
}

/// Whether a line of `Vary` is the controller's, which says there how it was reached. The job's own line takes its
/// place, where it has one.
#[must_use]
pub fn is_marked(headers: &HeaderMap) -> bool {
    headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        let value = value.to_ascii_lowercase();
        INTERNAL.iter().any(|prefix| value.contains(prefix))
    })
}

/// The headers of a reply, without what the controller left there.
pub fn clean(headers: &mut HeaderMap) {
    remove_hops(headers);
    let names: Vec<String> = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !is_internal(&name.to_ascii_lowercase()))
        .collect();
    headers.remove(header::VARY);
    if let Ok(value) = HeaderValue::from_str(&names.join(", "))
        && !names.is_empty()
    {
        headers.insert(header::VARY, value);
    }
    let kept: Vec<HeaderValue> =
        headers.get_all(header::SET_COOKIE).iter().filter(|value| !is_controllers(value)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for value in kept {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Whether a header's name, in lower case, is of those that controllers use among each other. Servers behind may
/// take `_` for `-`.
fn is_internal(name: &str) -> bool {
    let name = name.replace('_', "-");
    INTERNAL.iter().any(|prefix| name.starts_with(prefix))
}

fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_controllers(cookie: &HeaderValue) -> bool {
    let name = cookie.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    name == CONTAINER_COOKIE.as_bytes() || name == TOKEN_NAME.as_bytes()
}

fn remove_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
}

fn cookie_line(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    lines.join(&b"; "[..])
}

/// Keeps the cookies that `keeps` says yes to. Values are bytes; what is no pair stays.
fn edit_cookies(headers: &mut HeaderMap, mut keeps: impl FnMut(&str, &str) -> bool) {
    let line = cookie_line(headers);
    let mut kept: Vec<&[u8]> = Vec::new();
    for pair in line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
        let text = std::str::from_utf8(pair).ok().and_then(|pair| pair.split_once('='));
        if text.is_none_or(|(name, value)| keeps(name.trim(), value.trim())) {
            kept.push(pair);
        }
    }
    let line = kept.join(&b"; "[..]);
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&line)
        && !line.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "v2/zzzzz-gj3su-000000000000001/abc";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn all(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_token_is_taken_out_and_a_jobs_own_credential_stays() {
        let mut asked = headers(&[("authorization", &format!("Bearer {V2}")), ("cookie", "a=1")]);
        assert!(take_token(&mut asked).is_some());
        assert_eq!(all(&asked), ["cookie: a=1"]);
        let mut asked = headers(&[("authorization", "Bearer jobs-own"), ("cookie", "arvados_api_token=eA==; b=2")]);
        assert!(take_token(&mut asked).is_none());
        assert_eq!(all(&asked), ["authorization: Bearer jobs-own", "cookie: b=2"]);
    }

    #[test]
    fn the_controller_gets_a_cookie_and_nothing_that_means_something_to_it() {
        let mut asked = headers(&[
            ("cookie", "a=1"),
            ("x-arvados-no-forward", "1"),
            ("x-webdav-source", "/log"),
            ("x_webdav_prefix", "/"),
            ("x-arvados-user-uuid", "u"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("x-taskgate-visitor", "v"),
        ]);
        let token = Token::parse(V2).expect("a token");
        prepare(&mut asked, Some(&token));
        assert_eq!(all(&asked), [format!("cookie: a=1; {}", token.cookie()), "x-arvados-user-uuid: u".into()]);
    }

    #[test]
    fn what_the_controller_leaves_in_replies_goes() {
        let mut reply = headers(&[
            ("vary", "Accept, X-Arvados-Authorization"),
            ("vary", "X-Webdav-Prefix"),
            ("set-cookie", "arvados_container_uuid=x"),
            ("set-cookie", "arvados_api_token=x; Domain=example.test"),
            ("set-cookie", "mine=1; Path=/"),
        ]);
        assert!(is_marked(&reply));
        clean(&mut reply);
        assert!(!is_marked(&reply));
        assert_eq!(all(&reply), ["set-cookie: mine=1; Path=/", "vary: Accept"]);
    }
}
