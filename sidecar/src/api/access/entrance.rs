//! `/.taskgate/` of every service: who am I, signing in and out, and the keys that proofs to jobs are verified with.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde::Serialize;
use taskgate_core::assertion;
use taskgate_core::session::Session;
use taskgate_core::time::UnixTime;
use url::form_urlencoded;

use crate::access::entrance::{Entrance, Visit};
use crate::access::notice::Notice;
use crate::access::pages;
use crate::access::return_path::ReturnPath;
use crate::access::sign_in::{Return, Wish};
use crate::api::{authority, body};

/// The most parameters of a query or form that are looked at.
const MAX_PARAMETERS: usize = 32;

/// The routes.
pub fn routes(entrance: &Arc<Entrance>) -> Router {
    Router::new()
        .route("/.taskgate/", get(home))
        .route("/.taskgate/sign-in", get(sign_in))
        .route("/.taskgate/callback", get(callback))
        .route("/.taskgate/sign-out", get(confirm).post(sign_out))
        .route("/.taskgate/jwks.json", get(jwks))
        .with_state(Arc::clone(entrance))
}

#[derive(Template)]
#[template(path = "access/home.html")]
struct HomePage<'a> {
    host: &'a str,
    visitor: Option<Visitor<'a>>,
    is_sign_in: bool,
}

/// Who is signed in.
struct Visitor<'a> {
    actor: &'a str,
    email: Option<&'a str>,
    groups: &'a [String],
    is_shared: bool,
    until: String,
}

/// The same for programs.
#[derive(Serialize)]
struct HomeAnswer<'a> {
    host: &'a str,
    signed_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [String]>,
    /// By a share link, and not by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<bool>,
    /// In milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_out: Option<&'static str>,
}

/// A public key, as a JSON Web Key (RFC 8037).
#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: String,
    x: String,
}

#[derive(Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

async fn home(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    let visit = match visit(&entrance, &request) {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let session = entrance.session(&visit, request.headers());
    if visit.is_program {
        return home_answer(&entrance, &visit, session.as_ref());
    }
    let visitor = session.as_ref().map(|session| Visitor {
        actor: session.identity.actor(),
        email: session.identity.email(),
        groups: &session.claims.identity.groups,
        is_shared: session.claims.share.is_some(),
        until: minute(session.claims.expires_at),
    });
    let page = HomePage { host: &visit.place.host, visitor, is_sign_in: entrance.has_sign_in() };
    pages::html(StatusCode::OK, &page)
}

fn home_answer(entrance: &Entrance, visit: &Visit, session: Option<&Session>) -> Response {
    let answer = HomeAnswer {
        host: &visit.place.host,
        signed_in: session.is_some(),
        actor: session.map(|session| session.identity.actor()),
        email: session.and_then(|session| session.identity.email()),
        groups: session.map(|session| session.claims.identity.groups.as_slice()),
        shared: session.map(|session| session.claims.share.is_some()),
        expires_at: session.map(|session| session.claims.expires_at),
        sign_in: entrance.has_sign_in().then_some("/.taskgate/sign-in"),
        sign_out: session.map(|_| "/.taskgate/sign-out"),
    };
    ([(header::CACHE_CONTROL, "no-store"), (header::VARY, "accept, cookie")], Json(answer)).into_response()
}

async fn sign_in(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    let visit = match visit(&entrance, &request) {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let wish = Wish {
        to: ReturnPath::wanted(parameter(query, "to").as_deref()),
        as_another: parameter(query, "as").as_deref() == Some("another"),
        again: parameter(query, "again").as_deref() == Some("1"),
    };
    entrance.begin(&visit, wish, request.headers()).await
}

async fn callback(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    let visit = match visit(&entrance, &request) {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let [code, error, state, seat] = ["code", "error", "state", "seat"].map(|name| parameter(query, name));
    entrance.come_back(&visit, Return { code, error, state, seat }, request.headers()).await
}

async fn confirm(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    match visit(&entrance, &request) {
        Ok(visit) => entrance.confirm_sign_out(&visit, request.headers()),
        Err(answer) => *answer,
    }
}

async fn sign_out(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    let visit = match visit(&entrance, &request) {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let (parts, form) = request.into_parts();
    let Ok(form) = body::bytes(form).await else { return visit.notice(Notice::Malformed) };
    let everywhere = parameter(&form, "everywhere").as_deref() == Some("1");
    entrance.sign_out(&visit, everywhere, &parts.headers).await
}

async fn jwks(State(entrance): State<Arc<Entrance>>) -> Response {
    let keys = assertion::public_keys(&entrance.app().control.ring());
    let keys = keys.into_iter().map(|key| Jwk {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key.id,
        x: key.x,
    });
    // A job that meets a new key has to find it soon.
    let headers = [(header::CACHE_CONTROL, "public, max-age=300"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, Json(Jwks { keys: keys.collect() })).into_response()
}

fn visit(entrance: &Entrance, request: &Request) -> Result<Visit, Box<Response>> {
    entrance.visit(authority::of(request), request.headers())
}

/// A parameter of a query or form; the first one of that name counts.
fn parameter(text: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text).take(MAX_PARAMETERS);
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A time for people.
fn minute(time: UnixTime) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let stamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    stamp.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
