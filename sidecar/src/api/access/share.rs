//! `/.taskgate/share?code=…`: where share links lead that are counted, or for one person. The code is in the query, which
//! no log of requests has.
//!
//! A `GET` uses nothing up: what looks at links before people do, and what a browser fetches ahead, would. It shows a
//! page with one button, whose `POST` gives the session. Who has that session already goes on at once.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, http};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use taskgate_core::identity::WireIdentity;
use taskgate_core::session::{self, Claims};
use url::form_urlencoded;

use crate::access::attempt::Guest;
use crate::access::cookies;
use crate::access::host::{Place, Site};
use crate::access::redeem::{self, Unredeemed};
use crate::access::return_path::ReturnPath;
use crate::access::shares::SHARE_PATH;
use crate::access::store::Share;
use crate::api::access::v1::AccessApi;
use crate::api::authority;
use crate::api::problem::Problem;
use crate::data::error::DataError;

/// What a page may do: show itself, and send its form to where it came from.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/// The longest code: more is none.
const MAX_CODE: usize = 200;
/// The most parameters that are looked at.
const MAX_PARAMETERS: usize = 16;
/// The most sessions of one request that are looked at.
const MAX_SESSIONS: usize = 4;

/// The routes.
pub fn routes(api: AccessApi) -> Router {
    Router::new().route("/.taskgate/share", get(look).post(open)).with_state(api)
}

/// Where the link leads.
#[derive(Debug)]
struct LinkQuery {
    code: String,
    to: Option<String>,
}

impl LinkQuery {
    /// What a query says; of two of one name the first counts.
    fn read(query: Option<&str>) -> Self {
        let parameter = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(MAX_PARAMETERS);
            pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
        };
        let code = parameter("code").filter(|code| code.len() <= MAX_CODE).unwrap_or_default();
        Self { code, to: parameter("to") }
    }
}

#[derive(Template)]
#[template(path = "access/share.html")]
struct Page<'a> {
    title: &'a str,
    text: &'a str,
    action: Option<String>,
    code: Option<&'a str>,
}

/// A link that was asked for, at its service.
struct Visit {
    site: Site,
    place: Place,
    code: String,
    share: Share,
    to: String,
    is_page: bool,
}

async fn look(State(api): State<AccessApi>, request: Request) -> Response {
    let host = authority::of(&request).map(ToOwned::to_owned);
    let (request, _) = request.into_parts();
    let query = LinkQuery::read(request.uri.query());
    let is_page = is_page(&request.headers);
    let visit = match visit(&api, query, host, is_page).await {
        Ok(visit) => visit,
        Err(error) => return refused(error, is_page),
    };
    let visitor = match visitor(&api, &visit, &request.headers).await {
        Ok(visitor) => visitor,
        Err(error) => return refused(error, is_page),
    };
    if has_session(&api, &visit, &request.headers) && request.method == Method::GET {
        return go_on(&visit.to, None);
    }
    let is_other = |visitor: &WireIdentity| visit.share.addressee.as_ref().is_some_and(|name| *name != visitor.actor);
    if visitor.as_ref().is_some_and(is_other) {
        return refused(Unredeemed::OtherPerson, is_page);
    }
    if visit.share.addressee.is_some() && visitor.is_none() {
        return match sign_in(&api, &visit) {
            Some(path) if is_page => go_on(&path, None),
            _ => refused(Unredeemed::SignInFirst, is_page),
        };
    }
    let page = Page {
        title: "A service was shared with you",
        text: "Open it with this button. That counts as one use of the link, and this browser may use it from then on. \
               Programs send POST to this address.",
        action: Some(format!("{SHARE_PATH}?code={}&to={}", visit.code, encoded(&visit.to))),
        code: None,
    };
    shown(StatusCode::OK, &page)
}

async fn open(State(api): State<AccessApi>, request: Request) -> Response {
    let host = authority::of(&request).map(ToOwned::to_owned);
    let (request, _) = request.into_parts();
    let query = LinkQuery::read(request.uri.query());
    let is_page = is_page(&request.headers);
    let visit = match visit(&api, query, host, is_page).await {
        Ok(visit) => visit,
        Err(error) => return refused(error, is_page),
    };
    // Another page must not use a link up in somebody's browser.
    let own = visit.site.origin(&visit.place.host);
    if request.headers.get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes()) {
        let detail = "pages of another origin may not open links";
        return Problem::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail).into_response();
    }
    if has_session(&api, &visit, &request.headers) {
        return go_on(&visit.to, None);
    }
    let claims = match visitor(&api, &visit, &request.headers).await {
        Ok(visitor) => redeem::redeem(&api.app, &visit.code, &visit.place.service, visitor).await,
        Err(error) => Err(error),
    };
    match claims.and_then(|claims| cookie(&api, &visit, &claims)) {
        Ok(cookie) => go_on(&visit.to, Some(&cookie)),
        Err(Unredeemed::SignInFirst) if is_page => match sign_in(&api, &visit) {
            Some(path) => go_on(&path, None),
            None => refused(Unredeemed::SignInFirst, true),
        },
        Err(error) => refused(error, is_page),
    }
}

async fn visit(api: &AccessApi, query: LinkQuery, host: Option<String>, is_page: bool) -> Result<Visit, Unredeemed> {
    let site = Site::new(&api.app.access.control().gate).ok_or(Unredeemed::Over)?;
    let place = host.and_then(|host| site.place(&api.app, &host)).ok_or(Unredeemed::Over)?;
    let LinkQuery { code, to } = query;
    let share = redeem::find(&api.app, &code, &place.service).await?;
    let to = ReturnPath::wanted(to.as_deref());
    let to = if share.scope.has(to.as_str().as_bytes()) { to.as_str() } else { share.scope.as_str() }.to_owned();
    Ok(Visit { site, place, code, share, to, is_page })
}

/// Who asks, as far as that matters for the link.
async fn visitor(api: &AccessApi, visit: &Visit, headers: &HeaderMap) -> Result<Option<WireIdentity>, Unredeemed> {
    let Some(addressee) = &visit.share.addressee else { return Ok(None) };
    let is_theirs = |claims: &Claims| claims.share.is_none() && claims.identity.actor == *addressee;
    if let Some(claims) = sessions(api, visit, headers).find(is_theirs) {
        return Ok(Some(claims.identity));
    }
    // Who signed in for this link, and may have no session of their own here.
    let (ring, now) = (api.app.access.ring(), api.app.access.now());
    if let Some(guest) = Guest::of(headers, &visit.site, &ring, visit.place.service.id.as_str(), now) {
        return Ok(Some(guest));
    }
    match api.callers.caller(headers).await {
        Ok(caller) => Ok(Some(WireIdentity { actor: caller.user, groups: caller.groups, ..WireIdentity::default() })),
        Err(DataError::Unavailable(_)) => Err(Unredeemed::Unavailable),
        Err(_) => Ok(None),
    }
}

/// The sessions for this service that a request shows and that hold.
fn sessions(api: &AccessApi, visit: &Visit, headers: &HeaderMap) -> impl Iterator<Item = Claims> {
    let (ring, now) = (api.app.access.ring(), api.app.access.now());
    let id = visit.place.service.id.as_str();
    let opened = cookies::values(headers, visit.site.session_cookie()).take(MAX_SESSIONS).filter_map(move |value| {
        let claims = session::open(&ring, value.as_bytes(), id).ok()?.claims;
        let is_idle = now.since(claims.seen_at) >= visit.site.session_idle();
        (now < claims.expires_at && !is_idle && !api.app.access.is_ended(&claims)).then_some(claims)
    });
    opened.collect::<Vec<_>>().into_iter()
}

/// Whether the link was used by this browser already.
fn has_session(api: &AccessApi, visit: &Visit, headers: &HeaderMap) -> bool {
    sessions(api, visit, headers).any(|claims| claims.share.is_some_and(|share| share.id == visit.share.id))
}

fn cookie(api: &AccessApi, visit: &Visit, claims: &Claims) -> Result<String, Unredeemed> {
    let token = claims.seal(&api.app.access.ring()).map_err(|_| Unredeemed::Unavailable)?;
    let lifetime = claims.expires_at.since(claims.issued_at);
    Ok(visit.site.cookies().set(visit.site.session_cookie(), &token, lifetime))
}

/// Where somebody signs in for the link; none where nobody can.
fn sign_in(api: &AccessApi, visit: &Visit) -> Option<String> {
    let own = format!("{SHARE_PATH}?code={}&to={}", visit.code, encoded(&visit.to));
    // It comes back to this page, whose button uses the link.
    let path = || format!("/.taskgate/sign-in?to={}", encoded(&own));
    (visit.is_page && api.app.access.control().gate.sign_in).then(path)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A person, in a browser's top-level navigation.
fn is_page(headers: &HeaderMap) -> bool {
    let text = |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(&http::HeaderName::from_static("sec-fetch-mode")) {
        Some(mode) => mode == "navigate",
        None => text(&header::ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    }
}

fn go_on(path: &str, cookie: Option<&str>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, private()).into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn refused(error: Unredeemed, is_page: bool) -> Response {
    let text = error.to_string();
    let problem = Problem::from(error);
    if !is_page {
        return problem.into_response();
    }
    let title = match problem.status() {
        StatusCode::GONE => "This link does not work any more",
        StatusCode::FORBIDDEN => "This link is for somebody else",
        StatusCode::UNAUTHORIZED => "Sign-in required",
        _ => "That can't be said now",
    };
    let next = match problem.status() {
        StatusCode::GONE => "Ask whoever sent it for another one.",
        StatusCode::FORBIDDEN => "Sign in as the person it is for, or ask for one of your own.",
        StatusCode::UNAUTHORIZED => "Send a token of the person that it is for in the header Authorization.",
        _ => "Load this page again in a while.",
    };
    let text =
        format!("{}{}. {next}", text.get(..1).unwrap_or_default().to_uppercase(), text.get(1..).unwrap_or_default());
    shown(problem.status(), &Page { title, text: &text, action: None, code: Some(problem.code()) })
}

fn shown(status: StatusCode, page: &Page<'_>) -> Response {
    match page.render() {
        Ok(text) => (status, private(), [(header::CONTENT_SECURITY_POLICY, POLICY)], Html(text)).into_response(),
        Err(_) => Problem::internal().into_response(),
    }
}

/// Nothing of a link is kept, and nobody else is told of it.
fn private() -> [(http::HeaderName, &'static str); 3] {
    [
        (header::CACHE_CONTROL, "no-store"),
        // Told to nobody else; with `no-referrer` a browser would send the form with the origin `null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
}
