//! The gate: from a request's headers to what happens to it.
//!
//! It has getters; `on_*` methods, which take an event and return the next [`Step`]; and methods that
//! feed it what it decides on. A request that waits for a verdict is a [`Pending`] value, which
//! [`Gate::on_verdict`] consumes: it can be neither forgotten half-way nor used twice.
//!
//! Times are of a clock that does not jump, except that sealed tokens end by the wall clock.

use core::time::Duration;
use std::sync::Arc;

use thiserror::Error;

use crate::address::{self, Domains};
use crate::cache::{Cached, Keyer, VerdictCache, VerdictKey};
use crate::candidate::{self, Demotions};
use crate::config::InvalidConfig;
use crate::credential::{self, CredentialNames, Shown, Source};
use crate::denial::Denial;
use crate::edit::{RequestEdits, Upstream};
use crate::feed::{Control, FeedPage};
use crate::key::{KeyRing, Secret};
use crate::permit::{Permit, Plan};
use crate::reply::{self, Client, Reply};
use crate::request::Request;
use crate::service::{AccessLevel, Protocol, Service};
use crate::session::SessionError;
use crate::signed_url::OBJECTS;
use crate::table::{Applied, StalePage, Table};
use crate::time::{Moment, UnixTime};
use crate::verdict::{Credential, Verdict, VerdictAnswer, VerdictQuery};
use crate::visitor::OWN_PROVIDER;

/// How long after the sidecar gave no verdict on a question a stale one is used without asking again.
const PAUSE_AFTER_UNAVAILABLE: Duration = Duration::from_secs(1);

/// Decides on requests.
#[derive(Debug)]
pub struct Gate {
    table: Table,
    rules: Option<Rules>,
    verdicts: VerdictCache,
    demotions: Demotions,
    turn: u64,
    rewrites_path: bool,
}

/// What arrived with the table, ready for use.
#[derive(Debug)]
struct Rules {
    control: Control,
    domains: Domains,
    names: CredentialNames,
    table_max_age: Duration,
    keys: KeyRing,
    keyer: Keyer,
}

/// Why a page was not applied, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The configuration in it is not usable; the last one stays in force.
    #[error("configuration from the sidecar: {0}")]
    Config(#[from] InvalidConfig),
    /// It does not continue the table; nothing was applied.
    #[error(transparent)]
    Stale(#[from] StalePage),
}

/// What happens next to a request.
#[derive(Debug)]
pub enum Step {
    /// The sidecar has to be asked; the request waits.
    Ask(Box<Question>),
    /// It is decided.
    Done(Decision),
}

/// What was decided about a request.
#[derive(Debug)]
pub enum Decision {
    /// It goes to the job, with these edits.
    Permit(Box<RequestEdits>),
    /// It is refused.
    Refuse(Denial, Reply),
}

/// A question to the sidecar, and the request that waits for the answer.
#[derive(Debug)]
pub struct Question {
    /// Questions with the same key have the same answer: one call is enough.
    pub key: VerdictKey,
    /// What to ask.
    pub query: VerdictQuery,
    /// The request.
    pub pending: Pending,
}

/// A request that waits for a verdict.
#[derive(Debug)]
pub struct Pending {
    plan: Plan,
    client: Client,
    /// A verdict past its lifetime, for the case that there is no other.
    stale: Option<Arc<Verdict>>,
    /// The epoch that it is of.
    verdict_epoch: u64,
}

/// What can be said of a credential now: a verdict, or that there is none.
#[derive(Clone, Debug)]
pub struct Learned(Option<Arc<Verdict>>);

impl Gate {
    /// A gate that knows nothing yet and refuses everything. `seed` should be random; `rewrites_path`
    /// says whether the ingress can change a request's path.
    #[must_use]
    pub fn new(seed: u64, rewrites_path: bool) -> Self {
        Self {
            table: Table::new(seed),
            rules: None,
            verdicts: VerdictCache::new(0, Duration::ZERO),
            demotions: Demotions::new(Duration::ZERO),
            turn: seed,
            rewrites_path,
        }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The table, to restore or mirror it.
    pub fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Keys and epochs, as they last arrived.
    #[must_use]
    pub fn control(&self) -> Option<&Control> {
        self.rules.as_ref().map(|rules| &rules.control)
    }

    /// How many verdicts are held.
    #[must_use]
    pub fn verdict_count(&self) -> usize {
        self.verdicts.len()
    }

    // === what it decides on ===

    /// Applies a page of the feed, received at `now`.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn apply(&mut self, page: FeedPage<'_>, now: UnixTime) -> Result<Applied, ApplyError> {
        let applied = self.table.apply(&page, now)?;
        if let Some(control) = page.control {
            self.set_control(control)?;
        }
        Ok(applied)
    }

    /// Takes over configuration, keys and epochs. Verdicts from before another configuration, verdict
    /// epoch or cache key are gone.
    ///
    /// # Errors
    /// [`InvalidConfig`]; then nothing has changed.
    pub fn set_control(&mut self, control: Control) -> Result<(), InvalidConfig> {
        let gate = &control.gate;
        let domains = gate.domains()?;
        let is_kept = |old: &Control| {
            (old.verdict_epoch, &old.cache_key, &old.gate) == (control.verdict_epoch, &control.cache_key, gate)
        };
        if !self.control().is_some_and(is_kept) {
            self.verdicts = VerdictCache::new(gate.verdict_cache_entries, Duration::from_secs(gate.verdict_grace_secs));
            self.demotions = Demotions::new(Duration::from_secs(gate.demotion_secs));
        }
        self.rules = Some(Rules {
            domains,
            names: gate.credential_names(),
            table_max_age: Duration::from_secs(gate.table_max_age_secs),
            keys: KeyRing::new(control.keys.iter().map(|(id, key)| (id.clone(), Secret::new(*key)))),
            keyer: Keyer::new(&control.cache_key, control.verdict_epoch),
            control,
        });
        Ok(())
    }

    /// Remembers that a connection to `address` failed at `now`.
    pub fn on_endpoint_failure(&mut self, address: core::net::SocketAddr, now: UnixTime) {
        self.demotions.add(address, now);
    }

    // === a request ===

    /// A request's headers arrived at `now`.
    pub fn on_request(&mut self, request: &Request<'_>, now: impl Into<Moment>) -> Step {
        let client = Client::of(request);
        match self.decide(request, client, now.into()) {
            Ok(step) => step,
            Err(denial) => Step::Done(refuse(denial, client)),
        }
    }

    /// The sidecar's answer to a question with that key arrived at `now`. Good for every request that
    /// waits on the key.
    pub fn learn(&mut self, key: VerdictKey, answer: VerdictAnswer, now: UnixTime) -> Learned {
        match answer {
            VerdictAnswer::Decided(verdict, lifetime) => {
                let verdict = Arc::new(verdict);
                self.verdicts.keep(key, Arc::clone(&verdict), lifetime, now);
                Learned(Some(verdict))
            }
            VerdictAnswer::Unavailable => {
                self.verdicts.postpone(&key, PAUSE_AFTER_UNAVAILABLE, now);
                Learned(None)
            }
        }
    }

    /// What was learned reaches a request that waited for it. Without a verdict, one that is past its
    /// lifetime but within the configured grace still counts.
    #[must_use]
    pub fn on_verdict(&self, pending: Pending, learned: &Learned) -> Decision {
        let permit = learned.0.as_ref().or(self.stale(&pending)).map(|verdict| Permit::verdict(verdict));
        self.settle(pending.plan, permit.unwrap_or(Err(Denial::VerdictUnavailable)), pending.client)
    }

    /// A request that had to wait can't, for lack of room.
    #[must_use]
    pub fn on_overload(&self, pending: Pending) -> Decision {
        let permit = self.stale(&pending).map(|verdict| Permit::verdict(verdict));
        self.settle(pending.plan, permit.unwrap_or(Err(Denial::Overloaded)), pending.client)
    }

    fn settle(&self, plan: Plan, permit: Result<Permit, Denial>, client: Client) -> Decision {
        match &self.rules {
            Some(rules) => finish(plan, permit, client, &rules.keys),
            None => refuse(Denial::TableLoading, client),
        }
    }

    /// The verdict that a request falls back on, unless access was taken away while it waited.
    fn stale<'a>(&self, pending: &'a Pending) -> Option<&'a Arc<Verdict>> {
        let epoch = self.control().map(|control| control.verdict_epoch);
        pending.stale.as_ref().filter(|_| epoch == Some(pending.verdict_epoch))
    }

    fn decide(&mut self, request: &Request<'_>, client: Client, now: Moment) -> Result<Step, Denial> {
        let Moment { wall, steady: now } = now;
        let Some(rules) = &self.rules else { return Err(Denial::TableLoading) };
        // An old table says neither who is there nor who is not.
        let is_expired = self.table.confirmed().is_some_and(|confirmed| now.since(confirmed) > rules.table_max_age);
        let service = match address::resolve(request, &rules.domains, &self.table) {
            Ok(_) | Err(Denial::UnknownService) if is_expired => return Err(Denial::TableExpired),
            resolved => resolved?,
        };
        match (service.access, service.protocol) {
            (AccessLevel::Nobody, _) => return Err(Denial::AccessDenied),
            (_, Protocol::Tcp) => return Err(Denial::ProtocolMismatch),
            _ => {}
        }
        self.turn = self.turn.wrapping_add(1);
        let plan = |used: Option<(&Credential, Source)>| -> Result<Plan, Denial> {
            let is_demoted = |address: &core::net::SocketAddr| self.demotions.has(address, now);
            let is_own = service.provider == OWN_PROVIDER;
            let plan = Plan {
                upstream: upstream(&service, self.turn, is_demoted),
                credentials: credential::strip(request, &rules.names, used, service.forward_credential)?,
                remove: request.reserved.iter().map(|name| name.to_vec()).collect(),
                vouch_at: is_own.then_some(wall),
            };
            if plan.changes_path() && !self.rewrites_path { Err(Denial::UnsupportedCredential) } else { Ok(plan) }
        };

        let method = request.method.one().unwrap_or_default();
        let preflight = Permit::preflight(&service, method);
        if let Some(path) = object(&service, request).filter(|_| preflight.is_none()) {
            let audience = &rules.control.gate.url_audience;
            let permit = Permit::signed_url(&rules.keys, audience, method, path, wall)?;
            return Ok(Step::Done(finish(plan(None)?, Ok(permit), client, &rules.keys)));
        }
        let sealed = credential::sealed(request, &rules.names)
            .map(|token| Permit::sealed(&rules.keys, token, &service, wall))
            .fold(Err(SessionError::NotOurs), best);
        let ended = sealed == Err(SessionError::Ended);
        if let Some(permit) = sealed.ok().or_else(|| Permit::public(&service)).or(preflight) {
            return Ok(Step::Done(finish(plan(None)?, Ok(permit), client, &rules.keys)));
        }
        let (credential, source) = match credential::platform(request, &rules.names)? {
            Shown::Credential(credential, source) => (credential, source),
            Shown::Nothing | Shown::Sealed if ended => return Err(Denial::SessionEnded),
            Shown::Nothing => return Err(Denial::CredentialMissing),
            Shown::Sealed => return Err(Denial::CredentialRejected),
        };
        let plan = plan(Some((&credential, source)))?;
        let key = rules.keyer.key(service.id, service.epoch, &credential);
        let stale = match self.verdicts.find(&key, now) {
            Cached::Fresh(verdict) => {
                return Ok(Step::Done(finish(plan, Permit::verdict(&verdict), client, &rules.keys)));
            }
            Cached::Stale(verdict) => Some(verdict),
            Cached::Nothing => None,
        };
        let query = VerdictQuery { service: service.id.to_owned(), epoch: service.epoch, credential };
        let pending = Pending { plan, client, stale, verdict_epoch: rules.control.verdict_epoch };
        Ok(Step::Ask(Box::new(Question { key, query, pending })))
    }
}

fn upstream(service: &Service<'_>, turn: u64, is_demoted: impl Fn(&core::net::SocketAddr) -> bool) -> Option<Upstream> {
    let candidates = candidate::choose(&service.endpoints, turn, is_demoted)?;
    Some(Upstream { protocol: service.protocol, candidates })
}

/// The token that is worth something; else that a session has ended, which its holder should hear.
fn best(so_far: Result<Permit, SessionError>, next: Result<Permit, SessionError>) -> Result<Permit, SessionError> {
    match (so_far, next) {
        (Ok(permit), _) | (Err(_), Ok(permit)) => Ok(permit),
        (Err(SessionError::Ended), Err(_)) => Err(SessionError::Ended),
        (Err(_), Err(error)) => Err(error),
    }
}

/// The path of an object in the sidecar's own store, with its query: a signature in it takes the place of a credential.
fn object<'a>(service: &Service<'_>, request: &Request<'a>) -> Option<&'a [u8]> {
    let path = request.path.one()?;
    (service.provider == OWN_PROVIDER && path.starts_with(OBJECTS.as_bytes())).then_some(path)
}

fn finish(plan: Plan, permit: Result<Permit, Denial>, client: Client, ring: &KeyRing) -> Decision {
    match permit.and_then(|permit| plan.carry_out(permit, ring)) {
        Ok(edits) => Decision::Permit(Box::new(edits)),
        Err(denial) => refuse(denial, client),
    }
}

/// The decision to refuse a request.
#[must_use]
pub fn refuse(denial: Denial, client: Client) -> Decision {
    Decision::Refuse(denial, reply::reply(denial, client))
}

#[cfg(test)]
mod tests;
