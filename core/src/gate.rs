//! The gate: from a request's headers to what happens to it.
//!
//! It has getters; `on_*` methods, which take an event and return the next [`Step`]; and methods that
//! feed it what it decides on. A request that waits for a verdict is a [`Pending`] value, which
//! [`Gate::on_verdict`] consumes: it can be neither forgotten half-way nor used twice. What was permitted
//! has a [`Standing`](crate::standing::Standing), which [`Gate::stand`] looks at for as long as it lasts.
//!
//! Times are of a clock that does not jump, except that sealed tokens end by the wall clock.

mod answer;
mod arrival;
mod case;
mod connection;
mod decide;
mod desk;
mod held;
mod moved;
mod rules;
mod stand;
mod tunnel;

use core::time::Duration;
use std::sync::Arc;

use thiserror::Error;

use crate::assertion::Assertions;
use crate::audit::Audit;
use crate::cache::{VerdictCache, VerdictKey};
use crate::candidate::Demotions;
use crate::config::InvalidConfig;
use crate::denial::Denial;
use crate::edit::RequestEdits;
use crate::feed::{Control, FeedPage};
use crate::key::KeyRing;
use crate::notes::{Listener, Note};
use crate::plan::Plan;
use crate::reply::{self, Client, Reply};
use crate::request::Request;
use crate::table::{Applied, StalePage, Table};
use crate::time::{Moment, UnixTime};
use crate::verdict::{Verdict, VerdictAnswer, VerdictQuery};

use self::rules::Rules;

pub use self::answer::AnswerEdits;
pub use self::connection::{ConnectionDecision, ConnectionQuestion, ConnectionStep, PendingConnection};
pub use self::stand::Stand;

/// How long after the sidecar gave no verdict on a question a stale one is used without asking again.
const PAUSE_AFTER_UNAVAILABLE: Duration = Duration::from_secs(1);

/// Decides on requests.
#[derive(Debug)]
pub struct Gate {
    table: Table,
    rules: Option<Rules>,
    verdicts: VerdictCache,
    demotions: Demotions,
    assertions: Assertions,
    seed: u64,
    turn: u64,
    rewrites_path: bool,
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
    /// Its visitor is let in, or has to start anew, and is sent to the same URL without what said so.
    Redirect(Box<Reply>),
    /// It is refused.
    Refuse(Denial, Box<Reply>),
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
    visit: Visit,
    /// A verdict past its lifetime, for the case that there is no other.
    stale: Option<Arc<Verdict>>,
    /// The epoch that it is of.
    verdict_epoch: u64,
}

/// The most bytes of a path that a person comes back to after signing in: it travels in a cookie.
pub const MAX_RETURN: usize = 2_048;

/// Who waits for the reply, and where they could sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Visit {
    client: Client,
    /// Where a person signs in and comes back from; none where that can't be.
    sign_in: Option<String>,
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
            assertions: Assertions::new(&KeyRing::default(), "", Duration::ZERO, seed),
            seed,
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

    /// How many verdicts are held: for tests.
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

    /// Takes over configuration, keys, epochs and revocations. Verdicts from before another configuration, verdict
    /// epoch or cache key are gone.
    ///
    /// # Errors
    /// [`InvalidConfig`]; then nothing has changed.
    pub fn set_control(&mut self, control: Control) -> Result<(), InvalidConfig> {
        let rules = Rules::new(control)?;
        let (control, gate) = (&rules.control, &rules.control.gate);
        let is_kept = |old: &Control| {
            (old.verdict_epoch, &old.cache_key, &old.gate) == (control.verdict_epoch, &control.cache_key, gate)
        };
        if !self.control().is_some_and(is_kept) {
            self.verdicts = VerdictCache::new(gate.verdict_cache_entries, Duration::from_secs(gate.verdict_grace_secs));
            self.demotions = Demotions::new(Duration::from_secs(gate.demotion_secs));
        }
        let is_signed_alike = |old: &Control| (&old.keys, &old.gate) == (&control.keys, gate);
        if !self.control().is_some_and(is_signed_alike) {
            let lifetime = Duration::from_secs(gate.assertion_lifetime_secs);
            self.assertions = Assertions::new(&rules.keys, &gate.issuer, lifetime, self.seed);
        }
        self.rules = Some(rules);
        Ok(())
    }

    /// Remembers that a connection to `address` failed at `now`.
    pub fn on_endpoint_failure(&mut self, address: core::net::SocketAddr, now: UnixTime) {
        self.demotions.add(address, now);
    }

    /// Whether the ingress that the next request came by can change a request's path.
    pub fn set_rewrites_path(&mut self, rewrites_path: bool) {
        self.rewrites_path = rewrites_path;
    }

    // === a request ===

    /// A request's headers arrived at `now`.
    pub fn on_request(&mut self, request: &Request<'_>, now: impl Into<Moment>) -> Step {
        self.told(request, now.into(), &mut ())
    }

    /// The same, with the steps that led there: for whoever asks why.
    pub fn explain(&mut self, request: &Request<'_>, now: impl Into<Moment>) -> (Step, Vec<Note>) {
        let mut notes = Vec::new();
        let step = self.told(request, now.into(), &mut notes);
        (step, notes)
    }

    fn told<T: Listener>(&mut self, request: &Request<'_>, now: Moment, listener: &mut T) -> Step {
        let visit = self.visit(request);
        let mut audit = Audit::default();
        match self.decide(request, &visit, now, &mut audit, listener) {
            Ok(step) => step,
            Err(denial) => Step::Done(visit.refuse(denial, audit)),
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
    pub fn on_verdict(&mut self, pending: Pending, learned: &Learned) -> Decision {
        match &learned.0 {
            Some(verdict) => self.settle(pending, Ok((Arc::clone(verdict), false))),
            None => self.settle_stale(pending, Denial::VerdictUnavailable),
        }
    }

    /// A request that had to wait can't, for lack of room.
    #[must_use]
    pub fn on_overload(&mut self, pending: Pending) -> Decision {
        self.settle_stale(pending, Denial::Overloaded)
    }

    /// Settles with the verdict that a request falls back on, unless access was taken away while it waited.
    fn settle_stale(&mut self, mut pending: Pending, denial: Denial) -> Decision {
        let epoch = self.control().map(|control| control.verdict_epoch);
        let stale = pending.stale.take().filter(|_| epoch == Some(pending.verdict_epoch));
        self.settle(pending, stale.map(|verdict| (verdict, true)).ok_or(denial))
    }
}

/// The decision to refuse a request of which nothing is known.
#[must_use]
pub fn refuse(denial: Denial, client: Client) -> Decision {
    Decision::Refuse(denial, Box::new(reply::reply(denial, client)))
}

#[cfg(test)]
mod tests;
