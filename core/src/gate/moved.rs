//! Names that move: a browser that knows a name from another owner's service has cookies and storage of that owner's.
//!
//! A cookie says whose things the browser has. Where that is not the owner of now, everything is cleared once, before
//! the request reaches the new owner's job; what is no simple request was meant for the old one.

use core::fmt::Write as _;

use crate::cookie;
use crate::denial::Denial;
use crate::reply::{Client, Reply};
use crate::request::Request;
use crate::service::Service;
use crate::visitor::OWN_PROVIDER;

use super::arrival;
use super::rules::Rules;

/// For how long a browser remembers whose things it has: as long as browsers remember anything.
const REMEMBERED: core::time::Duration = core::time::Duration::from_secs(400 * 24 * 3600);
/// The most lines that take cookies away, and the most folders of a path that they are for.
const MAX_LINES: usize = 128;
const MAX_FOLDERS: usize = 8;

/// What a browser's things are.
pub(super) enum Things {
    /// This owner's, or there are none.
    Own,
    /// Nothing is known, and the answer should say.
    Unknown(String),
    /// Another owner's: this takes them away.
    Foreign(Reply),
}

/// Whose things a browser has at the name that it came by.
///
/// # Errors
/// [`Denial::NameMoved`] where they are another owner's, and the request is more than a question.
pub(super) fn things(
    rules: &Rules,
    request: &Request<'_>,
    client: Client,
    service: &Service<'_>,
) -> Result<Things, Denial> {
    if service.provider == OWN_PROVIDER {
        return Ok(Things::Own);
    }
    let own = format!("{:08x}", service.origin);
    let mut said = cookie::values(&request.cookies, &rules.names.origin_cookie).peekable();
    let line = || rules.style.set(&rules.names.origin_cookie, &own, REMEMBERED);
    if said.peek().is_none() {
        return Ok(if client == Client::Page { Things::Unknown(line()) } else { Things::Own });
    }
    if said.any(|origin| origin == own.as_bytes()) {
        return Ok(Things::Own);
    }
    // What a page of the owner before still asks for must not take a person's place here: a picture is below other
    // paths than the page, and so shows other cookies.
    if client != Client::Page || !matches!(request.method.one(), Some(b"GET" | b"HEAD")) {
        return Err(Denial::NameMoved);
    }
    let path = request.path.one().filter(|path| path.starts_with(b"/")).unwrap_or(b"/");
    let mut cookies = vec![line()];
    cookies.extend(expired(rules, request, path));
    let mut reply = arrival::redirect(arrival::location(path), cookies);
    // Not "cookies": browsers would take those of all services and of the platform.
    reply.headers.push(("clear-site-data", "\"cache\", \"storage\"".to_owned()));
    Ok(Things::Foreign(reply))
}

/// Lines that take away every cookie that the request has, at each folder where it may have been set: a cookie goes
/// only by the path that it came with, and nobody says which that was.
fn expired(rules: &Rules, request: &Request<'_>, path: &[u8]) -> Vec<String> {
    let folders = folders(path);
    let host = request.authority.one().or(request.host.one()).and_then(own_domain);
    let is_token = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',');
    let mut names: Vec<&[u8]> = Vec::new();
    for cookie in cookie::all(&request.cookies).take(MAX_LINES) {
        let is_ours = cookie.name == rules.names.origin_cookie.as_bytes();
        if !cookie.is_spaced && is_token(cookie.name) && !is_ours && !names.contains(&cookie.name) {
            names.push(cookie.name);
        }
    }
    let of_name = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).into_owned();
        let twins = |folder: &String| [None, host.as_deref()].map(|domain| rules.style.expire(&name, folder, domain));
        folders.iter().flat_map(twins).collect::<Vec<_>>()
    };
    names.into_iter().flat_map(of_name).take(MAX_LINES).collect()
}

/// The domain that a job may have set cookies for beside none: the host's own name.
fn own_domain(host: &[u8]) -> Option<String> {
    let name = host.split(|byte| *byte == b':').next()?;
    let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte));
    is_plain.then(|| String::from_utf8_lossy(name).into_owned())
}

/// The folders of a path, as cookies are set for them: `/`, `/a`, `/a/b`.
fn folders(path: &[u8]) -> Vec<String> {
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let mut folders = vec!["/".to_owned()];
    let mut so_far = String::new();
    let is_plain = |segment: &&[u8]| segment.iter().all(|byte| byte.is_ascii_graphic() && *byte != b';');
    for segment in path.split(|byte| *byte == b'/').skip(1).take_while(is_plain).take(MAX_FOLDERS) {
        // Writing to a string does not fail.
        let _ = write!(so_far, "/{}", String::from_utf8_lossy(segment));
        folders.push(so_far.clone());
    }
    folders
}
