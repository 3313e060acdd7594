//! The decision about one request, from its headers.
//!
//! [`Gate::decide`] is the order in which it is looked at; the first that decides counts. What can be done with the
//! request is [`Case`]'s, what it has of ours [`Held`]'s, and the end of every way the [`Desk`]'s.

use std::sync::Arc;

use crate::address::{self, Resolved};
use crate::audit::Audit;
use crate::cache::VerdictCache;
use crate::credential::{self, Shown, Source};
use crate::denial::Denial;
use crate::notes::{Listener, Note};
use crate::permit::{Permit, Worth};
use crate::plan::Plan;
use crate::query;
use crate::reply::Client;
use crate::request::Request;
use crate::service::Service;
use crate::session::{Claims, Session};
use crate::table::Table;
use crate::time::{Moment, UnixTime};
use crate::verdict::{Credential, Scheme, Verdict};

use super::case::{Case, Surroundings};
use super::desk::Desk;
use super::held::Held;
use super::moved::{self, Things};
use super::rules::Rules;
use super::{Decision, Gate, MAX_RETURN, Pending, Step, Visit, arrival};

/// Where people sign in, on every service.
const SIGN_IN: &str = "/.taskgate/sign-in?to=";

impl Gate {
    /// Who waits, and where they could sign in.
    pub(super) fn visit(&self, request: &Request<'_>) -> Visit {
        let client = Client::of(request);
        let sign_in = match &self.rules {
            Some(rules) if client == Client::Page => sign_in(rules, request),
            _ => None,
        };
        Visit { client, sign_in }
    }

    pub(super) fn decide<T: Listener>(
        &mut self,
        request: &Request<'_>,
        visit: &Visit,
        now: Moment,
        audit: &mut Audit,
        listener: &mut T,
    ) -> Result<Step, Denial> {
        let Self { table, rules, verdicts, demotions, assertions, seed, turn, rewrites_path } = self;
        let (table, demotions) = (&*table, &*demotions);
        let Some(rules) = &*rules else { return Err(Denial::TableLoading) };
        let resolved = resolve(request, rules, table, now)?;
        let by_alias = resolved.by_alias;
        *audit = Audit::of(&resolved.service);
        listener.note(|| Note::service(&resolved.service, by_alias));
        *turn = turn.wrapping_add(1);
        let surroundings = Surroundings { table, demotions, turn: *turn, rewrites_path: *rewrites_path };
        let mut case = Case::new(rules, (request, visit), now, resolved, surroundings)?;
        let mut desk = Desk { rules, assertions, ticket: [*seed, *turn] };

        if let Some(permit) = Permit::own_path(case.path()) {
            let plan = case.to_own()?;
            listener.note(|| Note::OwnPath);
            return Ok(desk.finish(plan, Ok(permit), visit));
        }
        if case.is_elsewhere() {
            return Err(Denial::MalformedAddress);
        }
        match if by_alias { moved::things(rules, request, visit.client, &case.service)? } else { Things::Own } {
            Things::Own => {}
            Things::Unknown(line) => case.cookies.push(line),
            Things::Foreign(reply) => {
                listener.note(|| Note::ForeignThings);
                return Ok(Step::Done(Decision::Redirect(Box::new(reply.audited(audit.clone())))));
            }
        }
        let preflight = Permit::preflight(&case.service, case.method());
        if let Some(path) = case.object().filter(|_| preflight.is_none()) {
            listener.note(|| Note::SignedUrl);
            let audience = &rules.control.gate.url_audience;
            let permit = Permit::signed_url(&rules.keys, audience, case.method(), path, now.wall)?;
            return Ok(desk.finish(case.to_job(None)?, Ok(permit), visit));
        }

        let mut held = Held::look(&case, listener);
        if let Some(step) = held.take_link(&case, &mut desk, listener)? {
            return Ok(step);
        }
        if let Some(credential) = case.arriving()? {
            // Nobody becomes somebody else by a link on a page of another origin.
            if held.is_of_a_person() && arrival::is_led_by_foreign_page(request) {
                return case.stays();
            }
            listener.note(|| Note::Credential(Source::Query));
            listener.note(|| Note::Handshake);
            return Ok(desk.inquire(verdicts, credential, case.to_itself()?, None, visit, listener));
        }
        match held.worth {
            Some(Worth::Good(permit)) => {
                let mut plan = case.to_job(None)?;
                let claims = permit.session_claims().filter(|_| held.is_cookie);
                plan.cookies.extend(claims.and_then(|claims| renewed(rules, claims, now.wall)));
                return Ok(desk.finish(plan, Ok(permit), visit));
            }
            Some(Worth::Unsure(session)) => {
                return ask_about(session, held.is_cookie, &case, &mut desk, verdicts, listener);
            }
            None => {}
        }
        if let Some(permit) = Permit::public(&case.service).or(preflight) {
            listener.note(|| Note::Public);
            return Ok(desk.finish(case.to_job(None)?, Ok(permit), visit));
        }
        match credential::platform(request, case.names, !held.is_foreign)? {
            Shown::Credential(credential, source) => {
                listener.note(|| Note::Credential(source));
                let plan = case.to_job(Some((&credential, source)))?;
                Ok(desk.inquire(verdicts, credential, plan, None, visit, listener))
            }
            Shown::Nothing => {
                listener.note(|| Note::NoCredential);
                Err(held.ended.unwrap_or(Denial::CredentialMissing))
            }
            Shown::Sealed => Err(held.ended.unwrap_or(Denial::CredentialRejected)),
        }
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

/// The service that a request is for, by a table that is not too old to say.
fn resolve<'t>(request: &Request<'_>, rules: &Rules, table: &'t Table, now: Moment) -> Result<Resolved<'t>, Denial> {
    // An old table says neither who is there nor who is not.
    let is_expired = table.confirmed().is_some_and(|confirmed| now.steady.since(confirmed) > rules.table_max_age);
    match address::resolve(request, &rules.domains, table) {
        Ok(_) | Err(Denial::UnknownService) if is_expired => Err(Denial::TableExpired),
        resolved => resolved,
    }
}

/// Goes by a session that has to be asked about.
fn ask_about(
    session: Box<Session>,
    is_cookie: bool,
    case: &Case<'_>,
    desk: &mut Desk<'_>,
    verdicts: &mut VerdictCache,
    listener: &mut impl Listener,
) -> Result<Step, Denial> {
    let Ok(value) = session.claims.seal(&case.rules.keys) else { return Err(Denial::CredentialRejected) };
    let credential = Credential { scheme: Scheme::Session, name: None, value };
    let identity = session.identity.clone();
    // Where only time has passed, a sidecar that is away ends no session.
    let recent = is_recent(&session, &case.service, case.rules, case.now.wall);
    let otherwise = recent.then(|| Arc::new(Verdict::Allow { identity, ends_at: None }));
    let plan = Plan { renews: is_cookie, session: Some(session), ..case.to_job(None)? };
    Ok(desk.inquire(verdicts, credential, plan, otherwise, case.visit, listener))
}

/// Whether a session was confirmed under this epoch, and not so long ago that nobody would believe the table either.
fn is_recent(session: &Session, service: &Service<'_>, rules: &Rules, now: UnixTime) -> bool {
    session.claims.epoch == service.epoch && now.since(session.claims.checked_at) < rules.table_max_age
}

/// The line that says to a browser that its session was used, now and then.
fn renewed(rules: &Rules, claims: &Claims, now: UnixTime) -> Option<String> {
    let is_due = now.since(claims.seen_at).saturating_mul(8) >= rules.sessions().idle;
    let claims = Claims { seen_at: now, ..claims.clone() };
    if is_due { arrival::cookie(rules, &claims, now) } else { None }
}

/// Where a person signs in to come back to what they asked for.
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
