//! The loop: all rooms, and the jobs that are under way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use taskgate_core::label::Label;
use taskgate_core::service::Protocol;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::gateway::keeper::Keeper;
use crate::gateway::keeper::beat::Beat;
use crate::gateway::keeper::establish::{Established, Order, Trouble};
use crate::gateway::keeper::room::{Room, Weather, Work};
use crate::gateway::keeper::share::Share;
use crate::gateway::keeper::taken::Taken;
use crate::gateway::ledger::LeaseError;
use crate::gateway::plane::PlaneError;
use crate::gateway::port::Holder;
use crate::gateway::standing::{Reason, Standing};

/// How many services are worked on at once. Most of the work is waiting.
const MAX_AT_ONCE: usize = 1_024;
/// How many of those failed before: the rest of the room is for others.
const MAX_RETRIES_AT_ONCE: usize = 512;
/// How many want something of the ledger at once: it has few connections, and is not waited for without end.
const MAX_AT_LEDGER: usize = 16;
/// How long nothing may happen.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a job came to.
pub(super) enum Done {
    Aborted(Holder),
    Beaten(Instant, Result<Beat, LeaseError>),
    Established(Holder, Established),
    Settled,
    Released(Holder, Result<bool, LeaseError>),
    Swept(Result<bool, Trouble>),
    Withdrawn(Holder, Result<bool, PlaneError>),
}

impl Done {
    /// Whose job it was; none: everybody's.
    pub(super) const fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Aborted(holder)
            | Self::Established(holder, _)
            | Self::Released(holder, _)
            | Self::Withdrawn(holder, _) => Some(holder),
            Self::Beaten(..) | Self::Settled | Self::Swept(_) => None,
        }
    }
}

/// All rooms, and the jobs that are under way.
pub(super) struct House {
    pub(super) keeper: Keeper,
    pub(super) rooms: BTreeMap<Holder, Room>,
    /// What owners have of the ports; kept up to date by [`Self::reckon`].
    pub(super) share: Share,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// The services that are worked on, whether they failed before, and how the work is broken off.
    pub(super) working: HashMap<Holder, (bool, AbortHandle)>,
    pub(super) taken: Taken,
    /// When it was said last that services are there.
    pub(super) said_at: Instant,
    pub(super) is_fenced: bool,
    pub(super) is_beating: bool,
    pub(super) ledger_fails: bool,
    /// Whether it is known what listens, and what an earlier life left is out of the way.
    pub(super) is_swept: bool,
    /// When it is swept next; none: it is.
    pub(super) next_sweep: Option<Instant>,
    pub(super) sweep_failures: u32,
    /// Whether the ledger was read once.
    pub(super) is_listed: bool,
    /// Whether every provider had said what it sees when the table was looked at last.
    is_complete: bool,
    is_settled: bool,
    ledger_turns: Arc<Semaphore>,
}

impl House {
    pub(super) fn new(keeper: Keeper) -> Self {
        let now = Instant::now();
        let share = Share::new(keeper.terms.ports_per_owner);
        Self {
            keeper,
            rooms: BTreeMap::new(),
            share,
            jobs: FuturesUnordered::new(),
            working: HashMap::new(),
            taken: Taken::default(),
            said_at: now,
            is_fenced: false,
            is_beating: false,
            ledger_fails: false,
            is_swept: false,
            next_sweep: Some(now),
            sweep_failures: 0,
            is_listed: false,
            is_complete: false,
            is_settled: false,
            ledger_turns: Arc::new(Semaphore::new(MAX_AT_LEDGER)),
        }
    }

    /// Goes on for ever.
    pub(super) async fn keep(&mut self) {
        let (mut changes, mut rules) = (self.keeper.registry.changes(), self.keeper.board.rules());
        let mut beats = interval(self.keeper.terms.beat());
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.look();
        loop {
            self.begin_what_is_due();
            let next = self.next();
            tokio::select! {
                Some(done) = self.jobs.next() => self.take(done),
                // The senders are the keeper's own, and last.
                Ok(()) = changes.changed() => self.look(),
                Ok(()) = rules.changed() => self.look(),
                _ = beats.tick() => self.beat(),
                () = sleep_until(next) => {}
            }
        }
    }

    /// Looks at the table: which services get a port.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let Keeper { registry, board, .. } = &self.keeper;
        // First, so that what the last of them sees is in the table.
        self.is_complete = registry.waits_for().is_empty();
        let services = registry.services_that_speak(Protocol::Tcp);
        let (mut wanted, mut barred) = (HashMap::new(), HashSet::new());
        for service in services {
            let holder = Holder::of(&service.entry.key);
            if matches!(board.gets_port(&service), Some(Ok(()))) {
                wanted.insert(holder, service);
            } else {
                barred.insert(holder);
            }
        }
        for (holder, room) in &mut self.rooms {
            let service = wanted.remove(holder);
            // Or it is there, and speaks something else.
            let is_there =
                |id: &Label| registry.service(id.as_str()).is_some_and(|now| Holder::of(&now.entry.key) == *holder);
            let wanted_as = room.wanted.as_ref().map(|before| &before.id);
            let held_as = room.lease.as_ref().map(|lease| &lease.service);
            room.is_barred = service.is_none()
                && (room.is_barred || barred.contains(holder) || wanted_as.into_iter().chain(held_as).any(is_there));
            if service.is_none() && room.wanted.is_some() {
                board.forget(holder);
                if let Some((_, job)) = self.working.get(holder) {
                    job.abort();
                }
            }
            if service.is_some() && room.wanted.is_none() {
                board.say(holder, Standing::Pending(None));
            }
            room.want(service, now);
        }
        for (holder, service) in wanted {
            let mut room = Room::new(now);
            room.want(Some(service), now);
            board.say(&holder, Standing::Pending(None));
            self.rooms.insert(holder, room);
        }
        self.reckon_all();
    }

    fn weather(&self) -> Weather {
        Weather {
            now: Instant::now(),
            is_complete: self.is_complete && self.keeper.registry.waits_for().is_empty(),
            is_fenced: self.is_fenced,
            kept: self.keeper.terms.kept,
            close_after: self.keeper.terms.close_after,
            is_shared: self.keeper.plane.is_shared(),
        }
    }

    fn begin_what_is_due(&mut self) {
        self.fence();
        // Who is not in the table is gone only where it was looked at since.
        let is_complete = self.keeper.registry.waits_for().is_empty();
        if is_complete && !self.is_complete {
            self.look();
        }
        self.is_complete = is_complete;
        if self.is_listed && self.next_sweep.is_some_and(|at| at <= Instant::now()) {
            self.sweep();
        }
        let weather = self.weather();
        self.give_turns(weather.now);
        self.settle(weather.is_complete);
        for (holder, work, is_retry) in self.due(&weather) {
            if work == Work::Leave {
                self.rooms.remove(&holder);
                self.reckon(&holder);
            } else {
                self.begin(holder, work, is_retry, weather.now);
            }
        }
    }

    /// What is to be done, as far as there is room for it; and whether it failed before.
    fn due(&self, weather: &Weather) -> Vec<(Holder, Work, bool)> {
        let retries = self.working.values().filter(|(is_retry, _)| *is_retry).count();
        let mut free = MAX_AT_ONCE.saturating_sub(self.working.len());
        let mut free_for_retries = MAX_RETRIES_AT_ONCE.saturating_sub(retries);
        let mut due = Vec::new();
        for (holder, room) in &self.rooms {
            if free == 0 {
                break;
            }
            let (is_retry, Some(work)) = (room.failures > 0, room.work(weather)) else { continue };
            // What is at a port must be known before that is reserved.
            if work == Work::Establish && !self.is_swept {
                continue;
            }
            if is_retry && free_for_retries == 0 {
                continue;
            }
            free -= 1;
            free_for_retries -= usize::from(is_retry);
            due.push((holder.clone(), work, is_retry));
        }
        due
    }

    /// Once everything that should listen was asked for, and what should not was taken away, the data plane may take the
    /// rest away.
    fn settle(&mut self, is_complete: bool) {
        if self.is_settled || !is_complete || !self.is_swept {
            return;
        }
        let is_asked_for = |room: &Room| match (&room.wanted, room.failure) {
            (None, _) => !room.may_listen,
            (Some(_), failure) => room.programmed.is_some() || failure.is_some_and(|why| why != Reason::Unavailable),
        };
        if self.rooms.values().all(is_asked_for) {
            self.is_settled = true;
            let plane = Arc::clone(&self.keeper.plane);
            self.jobs.push(async move { plane.settle().await }.map(|()| Done::Settled).boxed());
        }
    }

    fn begin(&mut self, holder: Holder, work: Work, is_retry: bool, now: Instant) {
        let avoid = self.taken.ports(now);
        let Some(room) = self.rooms.get_mut(&holder) else { return };
        let keeper = self.keeper.clone();
        let who = holder.clone();
        let job = match (work, &room.wanted, &room.lease) {
            (Work::Establish, Some(service), _) => {
                let order = Order {
                    holder: holder.clone(),
                    service: service.clone(),
                    lease: room.lease.clone(),
                    lost: room.lost.clone(),
                    listens: room.programmed.is_some(),
                    avoid,
                    ledger_turns: Arc::clone(&self.ledger_turns),
                };
                room.may_listen = true;
                async move { Done::Established(who, keeper.establish(order).await) }.boxed()
            }
            (Work::Withdraw, wanted, _) => {
                if wanted.is_some() {
                    self.keeper.board.say(&holder, Standing::Failed(Reason::Unavailable));
                }
                let (lost, lease) = (room.lost.clone(), room.lease.clone());
                let is_sure = wanted.is_some() || room.is_barred;
                room.programmed = None;
                async move { Done::Withdrawn(who, keeper.take_away(lost, lease, is_sure).await) }.boxed()
            }
            (Work::Release, _, Some(lease)) => {
                let (lease, turns) = (lease.clone(), Arc::clone(&self.ledger_turns));
                async move {
                    let terms = keeper.terms;
                    // It is never closed.
                    let _turn = turns.acquire().await;
                    Done::Released(who, keeper.ledger.release_unseen(&lease, terms.unseen(), terms.rest).await)
                }
                .boxed()
            }
            (Work::Establish | Work::Release | Work::Leave, _, _) => return,
        };
        room.is_busy = true;
        let (job, handle) = abortable(job);
        let aborted = holder.clone();
        self.jobs.push(job.map(|done| done.unwrap_or(Done::Aborted(aborted))).boxed());
        self.reckon(&holder);
        self.working.insert(holder, (is_retry, handle));
    }

    /// When there may be something to do, though nothing happens.
    fn next(&self) -> Instant {
        let now = Instant::now();
        let weather = self.weather();
        let fence = self.said_at + self.keeper.terms.good_for();
        // What was due already waits for something else, and there is the next beat.
        let rooms = self.rooms.values().filter_map(|room| room.next(&weather)).filter(|at| *at > now);
        let others = [self.next_sweep, self.share.next(), (fence > now).then_some(fence)];
        let soonest = rooms.chain(others.into_iter().flatten()).min();
        soonest.unwrap_or(now + LONGEST_PAUSE).max(now + Duration::from_millis(1))
    }

    /// Says that services are there.
    pub(super) fn beat(&mut self) {
        if self.is_beating {
            return;
        }
        self.is_beating = true;
        let wanted = self.rooms.values().filter(|room| room.wanted.is_some());
        // Of ports outside the range it is not said: they are left when nobody else uses them.
        let range = self.keeper.terms.range;
        let leases = wanted.filter_map(|room| room.lease.clone()).filter(|lease| range.has(lease.port)).collect();
        let (keeper, started) = (self.keeper.clone(), Instant::now());
        self.jobs.push(async move { Done::Beaten(started, keeper.beat(leases).await) }.boxed());
    }

    fn sweep(&mut self) {
        self.next_sweep = None;
        let keeper = self.keeper.clone();
        self.jobs.push(async move { Done::Swept(keeper.sweep().await) }.boxed());
    }

    /// Where it could not be said for long that services are there, their ports may be others' soon.
    fn fence(&mut self) {
        let is_over = self.said_at.elapsed() >= self.keeper.terms.good_for();
        if is_over && !self.is_fenced && self.keeper.ledger.expires() {
            tracing::error!(
                "it could not be said for too long that services are there: other sidecars may give their ports to \
                 others, so nothing listens at them here until it can be said again"
            );
            self.is_fenced = true;
            for (_, job) in self.working.values() {
                job.abort();
            }
        }
    }
}
