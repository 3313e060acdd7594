//! One port's place in the house: what is wanted, what is there, and what is to be done about it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::keeper::share::Stake;
use crate::gateway::port::Lease;
use crate::gateway::standing::Reason;
use crate::registry::published::Published;
use crate::retry;

/// After so many failures in a row it is tried less often.
const OFTEN: u32 = 6;
/// The longest wait then.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a listener that is there is asked for again: somebody may have taken it away.
const RECHECK: Duration = Duration::from_secs(60);

/// One service, or what is left of one.
#[derive(Debug)]
pub(super) struct Room {
    /// The service, while there is one that gets a port.
    pub(super) wanted: Option<Arc<Published>>,
    /// Of whose share its port is, also when the service is gone. None: of nobody's.
    pub(super) owner: Option<Arc<str>>,
    /// Whether that share has a port for it.
    pub(super) is_admitted: bool,
    /// Whether it may hold a port that is not known here, for an attempt was broken off. The ledger says it.
    pub(super) is_unsure: bool,
    /// When a job was at it last.
    pub(super) finished_at: Option<Instant>,
    /// Whether it was there in this life of the process: a provider then said that it is gone.
    pub(super) was_seen: bool,
    /// Whether it is there and gets no port, for whom it is for, or what it speaks, changed: nothing may listen.
    pub(super) is_barred: bool,
    /// The port that it holds, as far as is known.
    pub(super) lease: Option<Lease>,
    /// A port that it held, and lost: nothing may listen there.
    pub(super) lost: Option<Lease>,
    /// What listens, as it was asked for last, and when.
    pub(super) programmed: Option<(Arc<Published>, Instant)>,
    /// Whether anything may listen.
    pub(super) may_listen: bool,
    /// Whether a job is at it.
    pub(super) is_busy: bool,
    /// How often it failed in a row.
    pub(super) failures: u32,
    /// Why it failed last.
    pub(super) failure: Option<Reason>,
    /// Nothing is done before.
    pub(super) not_before: Option<Instant>,
    /// Since when it is as it is wanted: there, or gone.
    pub(super) since: Instant,
    /// Whether it was announced since then.
    pub(super) was_announced: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Have the port listen for the service.
    Establish,
    /// Forget the room: there is nothing of it.
    Leave,
    /// Give the port back.
    Release,
    /// Have nothing listen any more.
    Withdraw,
}

/// What holds for all rooms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// What time it is.
    pub(super) now: Instant,
    /// Whether every provider has said what it sees, so that what is not there is gone.
    pub(super) is_complete: bool,
    /// Whether the ports may be somebody else's by now.
    pub(super) is_fenced: bool,
    /// How long a service that is gone keeps its port.
    pub(super) kept: Duration,
    /// How long it keeps its listener.
    pub(super) close_after: Duration,
    /// Whether other sidecars have the same thing listen.
    pub(super) is_shared: bool,
}

impl Room {
    /// A room without anything.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            wanted: None,
            owner: None,
            is_admitted: false,
            is_unsure: false,
            finished_at: None,
            was_seen: false,
            is_barred: false,
            lease: None,
            lost: None,
            programmed: None,
            may_listen: false,
            is_busy: false,
            failures: 0,
            failure: None,
            not_before: None,
            since: now,
            was_announced: false,
        }
    }

    /// A room of a port that an earlier life, or another sidecar, reserved. Something may listen.
    pub(super) fn of_lease(lease: Lease, now: Instant) -> Self {
        let mut room = Self::new(now);
        room.lease = Some(lease);
        room.may_listen = true;
        room
    }

    /// Takes what is wanted.
    pub(super) fn want(&mut self, wanted: Option<Arc<Published>>, now: Instant) {
        if self.wanted.is_some() != wanted.is_some() {
            self.since = now;
            self.was_announced = false;
            self.is_admitted = false;
            // What failed was something else.
            self.succeeded();
        } else if self.programmed.is_some() && wanted.as_ref().is_some_and(|service| !self.is_wanted(service)) {
            // Whatever part of it failed, the rest is told at once.
            self.not_before = None;
        }
        if let Some(service) = &wanted {
            let owner = service.entry.policy.owner.as_deref();
            if self.owner.as_deref() != owner {
                self.owner = owner.map(Arc::from);
            }
        }
        self.was_seen |= wanted.is_some();
        self.wanted = wanted;
    }

    /// Whether this is how the service is wanted now.
    pub(super) fn is_wanted(&self, service: &Arc<Published>) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, service))
    }

    /// What is to be done, if anything is.
    pub(super) fn work(&self, weather: &Weather) -> Option<Work> {
        if self.is_busy || self.not_before.is_some_and(|not_before| not_before > weather.now) {
            return None;
        }
        if weather.is_fenced {
            return self.may_listen.then_some(Work::Withdraw);
        }
        let Some(wanted) = &self.wanted else { return self.work_of_gone(weather) };
        if !self.may_reserve() {
            return None;
        }
        // Where it listens in part alone, the rest is tried again, as all that failed.
        let listens = self.failures == 0
            && self.programmed.as_ref().is_some_and(|(service, at)| {
                Arc::ptr_eq(service, wanted) && weather.now.saturating_duration_since(*at) < RECHECK
            });
        (!listens || self.lost.is_some() || self.lease.is_none()).then_some(Work::Establish)
    }

    fn work_of_gone(&self, weather: &Weather) -> Option<Work> {
        let is_gone = self.was_seen || self.is_barred || weather.is_complete;
        let gone_for = weather.now.saturating_duration_since(self.since);
        if self.lost.is_some() || self.may_listen {
            let has_waited = self.lost.is_some() || gone_for >= self.grace(weather);
            return (is_gone && has_waited).then_some(Work::Withdraw);
        }
        if self.lease.is_none() {
            return (!self.is_unsure).then_some(Work::Leave);
        }
        let has_waited = gone_for >= weather.kept;
        // Whether it is gone is for all providers to say: another one may have a service of the same names.
        (has_waited && weather.is_complete).then_some(Work::Release)
    }

    /// How long a service that is gone keeps its listener. One that flaps keeps it: taken away, it would take all
    /// connections with it. One that was never seen here may be one that only others see, as yet.
    fn grace(&self, weather: &Weather) -> Duration {
        match (self.is_barred, self.was_seen, weather.is_shared) {
            (true, _, _) | (false, false, false) => Duration::ZERO,
            (false, true, _) => weather.close_after,
            (false, false, true) => weather.kept.max(weather.close_after),
        }
    }

    /// What it has of its owner's share.
    pub(super) fn stake(&self) -> Option<Stake> {
        let owner = Arc::clone(self.owner.as_ref()?);
        let is_admitted = self.is_admitted && self.wanted.is_some();
        let may_hold = self.lease.is_some() || self.lost.is_some() || self.is_unsure || self.is_busy;
        if is_admitted || may_hold {
            return Some(Stake::Holds(owner));
        }
        self.wanted.is_some().then_some(Stake::Waits(owner, self.since))
    }

    /// Whether it counts for its owner's share, or for nobody's. Whoever has a port keeps it, whatever the share is.
    pub(super) fn may_reserve(&self) -> bool {
        !matches!(self.stake(), Some(Stake::Waits(..)))
    }

    /// When there may be something to do that there is not now, as far as the time alone says.
    pub(super) fn next(&self, weather: &Weather) -> Option<Instant> {
        if self.is_busy {
            return None;
        }
        let due = match (&self.wanted, &self.programmed) {
            (Some(_), Some((_, at))) if self.failures == 0 => Some(*at + RECHECK),
            (None, _) if self.may_listen => Some(self.since + self.grace(weather)),
            (None, _) if self.lease.is_some() => Some(self.since + weather.kept),
            _ => None,
        };
        match (due, self.not_before) {
            (Some(due), Some(not_before)) => Some(due.max(not_before)),
            (due, not_before) => due.or(not_before),
        }
    }

    /// Something worked.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.failure = None;
        self.not_before = None;
    }

    /// Something failed: it is tried again after a while. Whether that is news.
    pub(super) fn failed(&mut self, reason: Reason, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let wait = if self.failures > OFTEN { retry::fraction(LONGEST_WAIT) } else { retry::wait(self.failures) };
        self.not_before = Some(now + wait);
        self.failure.replace(reason) != Some(reason)
    }
}
