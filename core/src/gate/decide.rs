//! The decision about one request, from its headers.

use std::sync::Arc;

use crate::address;
use crate::audit::Audit;
use crate::candidate;
use crate::credential::{self, Place, Shown, Source};
use crate::denial::Denial;
use crate::edit::Upstream;
use crate::permit::{Permit, Worth};
use crate::plan::Plan;
use crate::query;
use crate::reply::Client;
use crate::request::Request;
use crate::service::{AccessLevel, Protocol, Service};
use crate::session::{self, Claims, Session};
use crate::signed_url::OBJECTS;
use crate::time::{Moment, UnixTime};
use crate::trace::{Note, SessionWorth, Trace};
use crate::verdict::{Credential, Scheme, Verdict};
use crate::visitor::OWN_PROVIDER;

use super::desk::Desk;
use super::moved::{self, Things};
use super::rules::Rules;
use super::{Decision, Gate, Pending, Step, Visit, arrival, tunnel};

/// Where people sign in, on every service.
const SIGN_IN: &str = "/.taskgate/sign-in?to=";
/// The longest path that a person comes back to after signing in.
const MAX_RETURN: usize = 2048;
impl Gate {
    /// Who waits, and where he could sign in.
    pub(super) fn visit(&self, request: &Request<'_>) -> Visit {
        let client = Client::of(request);
        let sign_in = match &self.rules {
            Some(rules) if client == Client::Page => sign_in(rules, request),
            _ => None,
        };
        Visit { client, sign_in }
    }

    pub(super) fn decide<T: Trace>(
        &mut self,
        request: &Request<'_>,
        visit: &Visit,
        now: Moment,
        audit: &mut Audit,
        trace: &mut T,
    ) -> Result<Step, Denial> {
        let Self { table, rules, verdicts, demotions, assertions, seed, turn, rewrites_path } = self;
        let Some(rules) = &*rules else { return Err(Denial::TableLoading) };
        // An old table says neither who is there nor who is not.
        let is_expired = table.confirmed().is_some_and(|confirmed| now.steady.since(confirmed) > rules.table_max_age);
        let resolved = match address::resolve(request, &rules.domains, table) {
            Ok(_) | Err(Denial::UnknownService) if is_expired => return Err(Denial::TableExpired),
            resolved => resolved?,
        };
        let service = resolved.service;
        *audit = Audit::of(&service);
        trace.note(|| Note::service(&service, resolved.by_alias));
        let tunnel = match (service.access, service.protocol) {
            (AccessLevel::Nobody, _) => return Err(Denial::AccessDenied),
            (_, Protocol::Tcp) => Some(tunnel::way(request, table)?),
            _ => None,
        };
        *turn = turn.wrapping_add(1);
        let turn = *turn;
        // Its host is shared with others, so nothing of ours is kept there, and its platform's credentials count.
        let is_shared = resolved.by_path || service.path.is_some();
        let names = if is_shared { &rules.path_names } else { &rules.names };
        let mut desk = Desk { rules, assertions, ticket: [*seed, turn] };
        let is_demoted = |address: &core::net::SocketAddr| demotions.has(address, now.steady);
        let draft = |upstream: &Service<'_>| Plan {
            upstream: match &tunnel {
                // Whoever may not use the service is not told whether it runs.
                Some(_) if service.endpoints.is_empty() => None,
                Some(own) => choose(own, turn, is_demoted).map(tunnel::upgradable),
                None => choose(upstream, turn, is_demoted),
            },
            is_tunnel: tunnel.is_some(),
            credentials: credential::CredentialEdits::default(),
            remove: request.reserved.iter().map(|name| name.to_vec()).collect(),
            vouch: service.vouched,
            audit: Audit::of(&service),
            epoch: service.epoch,
            arrived: now,
            cookies: Vec::new(),
            redirect: None,
            session: None,
            renews: false,
        };

        let (path, method) = (request.path.one().unwrap_or_default(), request.method.one().unwrap_or_default());
        if let Some(permit) = Permit::own_path(path) {
            let own = table.service(&rules.control.gate.access_label).filter(|row| row.provider == OWN_PROVIDER);
            let own = own.ok_or(Denial::UnknownService)?;
            trace.note(|| Note::OwnPath);
            return Ok(desk.finish(Plan { vouch: false, ..draft(&own) }, Ok(permit), visit));
        }

        // Its upstream serves others as well, and goes by the path.
        if service.path.is_some_and(|start| !address::path::is_below(path, start)) {
            return Err(Denial::MalformedAddress);
        }
        let things =
            if resolved.by_alias { moved::things(rules, request, visit.client, &service)? } else { Things::Own };
        let cookies = match things {
            Things::Foreign(reply) => {
                trace.note(|| Note::ForeignThings);
                return Ok(Step::Done(Decision::Redirect(Box::new(reply.audited(audit.clone())))));
            }
            Things::Own => Vec::new(),
            Things::Unknown(line) => vec![line],
        };
        let plan = |used: Option<(&Credential, Source)>, redirects: bool| -> Result<Plan, Denial> {
            let credentials = credential::strip(request, names, used, service.forward_credential)?;
            let location = || arrival::location(credentials.path.as_deref().unwrap_or(path));
            let redirect = redirects.then(location);
            let plan = Plan { redirect, credentials, cookies: cookies.clone(), ..draft(&service) };
            if plan.changes_path() && !*rewrites_path { Err(Denial::UnsupportedCredential) } else { Ok(plan) }
        };

        let preflight = Permit::preflight(&service, method);
        if let Some(path) = object(&service, path).filter(|_| preflight.is_none()) {
            trace.note(|| Note::SignedUrl);
            let audience = &rules.control.gate.url_audience;
            let permit = Permit::signed_url(&rules.keys, audience, method, path, now.wall)?;
            return Ok(desk.finish(plan(None, false)?, Ok(permit), visit));
        }

        // Of sealed tokens of ours the first that is worth something counts.
        let judged = |session| Permit::session(session, &service, path, rules.sessions(), now.wall);
        let is_foreign = arrival::is_of_foreign_page(rules, request);
        let (mut worth, mut ended, mut is_cookie) = (None, None, false);
        if is_foreign && credential::has_cookie(request, names) {
            trace.note(|| Note::ForeignPage);
            ended = Some(Denial::CrossOrigin);
        }
        for (token, place) in credential::sealed(request, names) {
            if is_foreign && place == Place::Cookie {
                continue;
            }
            let Some(session) = open(rules, token, &service, now.wall) else {
                trace.note(|| Note::ForeignToken(place));
                continue;
            };
            let actor = if T::LISTENS { session.identity.actor().into() } else { String::new() };
            let note = |worth| trace.note(|| Note::Session { place, actor, worth });
            match judged(session) {
                Ok(found) => {
                    note(if matches!(found, Worth::Good(_)) { SessionWorth::Good } else { SessionWorth::Unsure });
                    (worth, is_cookie) = (Some(found), place == Place::Cookie);
                    break;
                }
                Err(denial) => {
                    note(SessionWorth::Refused(denial));
                    ended = ended.or(Some(denial));
                }
            }
        }
        let redirects = !is_shared && arrival::can_be_redirected(request, visit.client);
        if let Some(token) = arrival::share_token(request) {
            let shared = arrival::shared(rules, &token, &service, now.wall).map_err(|_| Denial::ShareEnded);
            let shared = shared.and_then(judged);
            trace.note(|| Note::Share);
            // Who may come anyway stays who he is, and a link that is over takes nothing from who has a right of his own.
            let has_session = arrival::is_of_a_person(worth.as_ref());
            match shared {
                Ok(_) if redirects && has_session => return stays(plan(None, true)?, audit),
                Ok(Worth::Good(permit)) if redirects => return Ok(desk.finish(plan(None, true)?, Ok(permit), visit)),
                Ok(shared) if !has_session => worth = Some(shared),
                Ok(_) => {}
                Err(denial) => ended = ended.or(Some(denial)),
            }
        }
        // A program that shows its credential in a header needs no session, and a job that wants the credential would
        // not get it by one; only a person has no other way to go on.
        let wants_session = visit.client == Client::Page || !service.forward_credential;
        let arrives = redirects && wants_session && !credential::has_bearer(request);
        let arriving = if arrives { credential::in_query(request, names)? } else { None };
        // Nobody becomes somebody else by a link on a page of another origin.
        if arriving.is_some() && arrival::is_of_a_person(worth.as_ref()) && arrival::is_led_by_foreign_page(request) {
            return stays(plan(None, true)?, audit);
        }
        match worth.filter(|_| arriving.is_none()) {
            Some(Worth::Good(permit)) => {
                let mut plan = plan(None, false)?;
                let claims = permit.session_claims().filter(|_| is_cookie);
                plan.cookies.extend(claims.and_then(|claims| renewed(rules, claims, now.wall)));
                return Ok(desk.finish(plan, Ok(permit), visit));
            }
            Some(Worth::Unsure(session)) => {
                let Ok(value) = session.claims.seal(&rules.keys) else { return Err(Denial::CredentialRejected) };
                let credential = Credential { scheme: Scheme::Session, name: None, value };
                let identity = session.identity.clone();
                // Where only time has passed, a sidecar that is away ends no session.
                let recent = is_recent(&session, &service, rules, now.wall);
                let otherwise = recent.then(|| Arc::new(Verdict::Allow { identity, ends_at: None }));
                let plan = Plan { renews: is_cookie, session: Some(session), ..plan(None, false)? };
                return Ok(desk.inquire(verdicts, credential, plan, otherwise, visit, trace));
            }
            None => {}
        }
        if let Some(permit) = Permit::public(&service).or(preflight).filter(|_| arriving.is_none()) {
            trace.note(|| Note::Public);
            return Ok(desk.finish(plan(None, false)?, Ok(permit), visit));
        }
        let (credential, source, is_arriving) = match arriving {
            Some(credential) => (credential, Source::Query, true),
            None => match credential::platform(request, names, !is_foreign)? {
                Shown::Credential(credential, source) => (credential, source, false),
                Shown::Nothing => {
                    trace.note(|| Note::NoCredential);
                    return Err(ended.unwrap_or(Denial::CredentialMissing));
                }
                Shown::Sealed => return Err(ended.unwrap_or(Denial::CredentialRejected)),
            },
        };
        trace.note(|| Note::Credential(source));
        if is_arriving {
            trace.note(|| Note::Handshake);
        }
        let used = (&credential, source);
        let plan = plan(Some(used).filter(|_| !is_arriving), is_arriving)?;
        Ok(desk.inquire(verdicts, credential, plan, None, visit, trace))
    }

    /// A request that waited goes on, with a verdict (past its lifetime or not) or without.
    pub(super) fn settle(&mut self, pending: Pending, verdict: Result<(Arc<Verdict>, bool), Denial>) -> Decision {
        let Pending { plan, visit, .. } = pending;
        let Self { rules, assertions, seed, turn, .. } = self;
        *turn = turn.wrapping_add(1);
        let Some(rules) = &*rules else { return visit.refuse(Denial::TableLoading, plan.audit) };
        let mut desk = Desk { rules, assertions, ticket: [*seed, *turn] };
        match verdict {
            Ok((verdict, is_stale)) => desk.decision(plan, &verdict, is_stale, &visit),
            Err(denial) => visit.refuse(denial, plan.audit),
        }
    }
}

fn choose(service: &Service<'_>, turn: u64, is_demoted: impl Fn(&core::net::SocketAddr) -> bool) -> Option<Upstream> {
    let candidates = candidate::choose(&service.endpoints, turn, is_demoted)?;
    Some(Upstream { protocol: service.protocol, candidates })
}

/// The visitor is sent to the same URL without what is in its query, and stays who he is.
fn stays(plan: Plan, audit: &Audit) -> Result<Step, Denial> {
    let reply = arrival::redirect(plan.redirect.unwrap_or_default(), plan.cookies);
    Ok(Step::Done(Decision::Redirect(Box::new(reply.audited(audit.clone())))))
}

/// Whether a session was confirmed under this epoch, and not so long ago that nobody would believe the table either.
fn is_recent(session: &Session, service: &Service<'_>, rules: &Rules, now: UnixTime) -> bool {
    session.claims.epoch == service.epoch && now.since(session.claims.checked_at) < rules.table_max_age
}

/// The path of an object in the sidecar's own store, with its query: a signature in it takes the place of a credential.
fn object<'a>(service: &Service<'_>, path: &'a [u8]) -> Option<&'a [u8]> {
    (service.provider == OWN_PROVIDER && path.starts_with(OBJECTS.as_bytes())).then_some(path)
}

/// The session in a token, or the one that a share link gives.
fn open(rules: &Rules, token: &[u8], service: &Service<'_>, now: UnixTime) -> Option<Box<Session>> {
    match session::open(&rules.keys, token, service.id) {
        Ok(session) => Some(Box::new(session)),
        Err(session::SessionError::NotOurs) => arrival::shared(rules, token, service, now).ok(),
        Err(_) => None,
    }
}

/// The line that says to a browser that its session was used, now and then.
fn renewed(rules: &Rules, claims: &Claims, now: UnixTime) -> Option<String> {
    let is_due = now.since(claims.seen_at).saturating_mul(8) >= rules.sessions().idle;
    let claims = Claims { seen_at: now, ..claims.clone() };
    if is_due { arrival::cookie(rules, &claims, now) } else { None }
}

/// Where a person signs in to come back to what he asked for.
fn sign_in(rules: &Rules, request: &Request<'_>) -> Option<String> {
    if !matches!(request.method.one(), Some(b"GET" | b"HEAD")) {
        return None;
    }
    let gate = &rules.control.gate;
    let host = request.authority.one().or(request.host.one()).unwrap_or_default();
    let (start, names) = if rules.domains.is_path_host(host) {
        (Some(gate.path_sign_in.as_str()).filter(|start| !start.is_empty())?, &rules.path_names)
    } else {
        (Some(SIGN_IN).filter(|_| gate.sign_in)?, &rules.names)
    };
    let path = request.path.one().filter(|path| path.len() <= MAX_RETURN && path.starts_with(b"/")).unwrap_or(b"/");
    let is_ours = |name: &[u8], _: &[u8]| names.is_parameter(name);
    let stripped = query::strip(path, is_ours);
    let mut location = String::from(start);
    for byte in stripped.as_deref().unwrap_or(path) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                location.push(char::from(*byte));
            }
            _ => query::escape(*byte, &mut location),
        }
    }
    Some(location)
}
