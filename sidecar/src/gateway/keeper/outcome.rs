//! What jobs came to, and what it means for rooms.

use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::keeper::Keeper;
use crate::gateway::keeper::beat::{Beat, held};
use crate::gateway::keeper::establish::{Established, Trouble};
use crate::gateway::keeper::house::{Done, House};
use crate::gateway::keeper::room::Room;
use crate::gateway::ledger::LeaseError;
use crate::gateway::port::{Holder, Lease, Slot};
use crate::gateway::standing::{Reason, Standing};
use crate::retry;

/// How often it is looked for listeners that nobody holds.
const SWEEPING: Duration = Duration::from_secs(60);
/// The longest wait until that is tried again, before it worked for the first time.
const FIRST_SWEEP: Duration = Duration::from_millis(500);
/// How long until then where something listens for services that no provider has named yet.
const UNSURE_SWEEP: Duration = Duration::from_secs(1);

impl House {
    /// Takes what a job came to.
    pub(super) fn take(&mut self, done: Done) {
        let now = Instant::now();
        let holder = done.holder().cloned();
        self.take_at(done, now);
        let Some(holder) = holder else { return };
        self.reckon(&holder);
        if self.rooms.get(&holder).is_some_and(|room| room.is_unsure) {
            self.beat();
        }
    }

    fn take_at(&mut self, done: Done, now: Instant) {
        match done {
            Done::Beaten(started, outcome) => self.take_beat(started, outcome),
            Done::Settled => {}
            Done::Swept(outcome) => self.take_sweep(outcome, now),
            Done::Aborted(holder) => {
                if let Some(room) = self.finish(&holder) {
                    // Wherever it was: what it had done is seen as after a crash.
                    (room.may_listen, room.programmed) = (true, None);
                    room.is_unsure = true;
                }
            }
            Done::Established(holder, established) => self.take_established(&holder, established, now),
            Done::Withdrawn(holder, outcome) => {
                let keeper = self.keeper.clone();
                let Some(room) = self.finish(&holder) else { return };
                match outcome {
                    Ok(true) => {
                        (room.lost, room.may_listen) = (None, false);
                        room.succeeded();
                    }
                    // Another sidecar sees the service.
                    Ok(false) => {
                        room.succeeded();
                        (room.lost, room.not_before) = (None, Some(now + keeper.terms.beat() / 2));
                    }
                    Err(error) => report(&keeper, room, &error.into(), now),
                }
            }
            Done::Released(holder, outcome) => {
                let keeper = self.keeper.clone();
                let Some(room) = self.finish(&holder) else { return };
                let gone = match outcome {
                    Ok(true) => {
                        if let Some(Lease { service, port, .. }) = &room.lease {
                            tracing::info!(service.id = %service, port, "a port was given back");
                        }
                        room.lease.take()
                    }
                    // Another sidecar sees the service.
                    Ok(false) => {
                        room.not_before = Some(now + keeper.terms.unseen() / 2);
                        None
                    }
                    // Another sidecar gave it back.
                    Err(LeaseError::Lost) => room.lease.take(),
                    Err(error) => {
                        report(&keeper, room, &error.into(), now);
                        None
                    }
                };
                let gone = gone.filter(|lease| keeper.terms.range.has(lease.port));
                if let Some((lease, owner)) = gone.zip(room.owner.clone()) {
                    self.share.rest(&owner, lease.port, now + keeper.terms.rest);
                }
            }
        }
    }

    fn finish(&mut self, holder: &Holder) -> Option<&mut Room> {
        self.working.remove(holder);
        let room = self.rooms.get_mut(holder)?;
        (room.is_busy, room.finished_at) = (false, Some(Instant::now()));
        Some(room)
    }

    fn take_established(&mut self, holder: &Holder, established: Established, now: Instant) {
        for port in &established.taken {
            self.taken.add(*port, now);
            self.keeper.metrics.gateway.failed(Reason::PortTaken.code());
        }
        let keeper = self.keeper.clone();
        let Some(room) = self.finish(holder) else { return };
        let is_other =
            room.lease.as_ref().map(|lease| lease.port) != established.lease.as_ref().map(|lease| lease.port);
        (room.lease, room.lost) = (established.lease, established.lost);
        if room.lease.is_some() {
            room.is_unsure = false;
        } else {
            // It did not get one, and waits for its turn again.
            room.is_admitted = false;
        }
        let is_in_part = established.outcome.as_ref().is_err_and(Trouble::is_in_part);
        let is_behind = room.wanted.is_some() && !room.is_wanted(&established.service);
        if let Some(lease) = room.lease.clone().filter(|_| is_in_part || established.outcome.is_ok()) {
            room.programmed = Some((established.service, now));
            // Else it went meanwhile, and what listens is taken away.
            if room.wanted.is_some() {
                announce(&keeper, room, holder, &lease);
            }
        }
        match established.outcome {
            Ok(()) if room.lease.is_some() => room.succeeded(),
            Ok(()) => {}
            // It went meanwhile: there is nothing to try again.
            Err(_) if is_in_part && room.wanted.is_none() => room.succeeded(),
            Err(error) => {
                let was_announced = room.programmed.is_some() && !is_other;
                let reason = error.reason();
                // What can't be asked now is most likely as it was.
                let stays = is_in_part || was_announced && reason == Reason::Unavailable;
                if !stays {
                    room.programmed = None;
                    if room.wanted.is_some() {
                        let standing = match reason {
                            Reason::Unavailable => Standing::Pending(Some(reason)),
                            _ => Standing::Failed(reason),
                        };
                        keeper.board.say(holder, standing);
                    }
                }
                report(&keeper, room, &error, now);
                if is_behind && room.programmed.is_some() {
                    // It changed meanwhile, and those that listen are told at once.
                    room.not_before = None;
                }
            }
        }
    }

    fn take_beat(&mut self, started: Instant, outcome: Result<Beat, LeaseError>) {
        self.is_beating = false;
        match outcome {
            Ok(beat) => {
                self.said_at = started;
                if std::mem::take(&mut self.ledger_fails) {
                    tracing::info!("it can be said again who has which port");
                }
                self.is_fenced = false;
                if !std::mem::replace(&mut self.is_listed, true) {
                    let held: Vec<Lease> = beat.slots.iter().filter_map(held).cloned().collect();
                    self.keeper.plane.inherit(&held);
                }
                let outside = self.lost_outside(&beat.slots);
                for lease in beat.lost.into_iter().chain(outside) {
                    self.lose(&lease);
                }
                let mut is_news = false;
                for slot in beat.slots {
                    if let Slot::Held(lease) = slot {
                        is_news |= self.adopt(lease, started);
                    }
                }
                // Of who was not known yet the table may say that nothing may listen for them.
                if is_news {
                    self.look();
                }
                for room in self.rooms.values_mut() {
                    // What was held by one with a job was not taken over.
                    room.is_unsure &= room.is_busy || room.finished_at.is_some_and(|at| at > started);
                }
                self.reckon_all();
                if self.rooms.values().any(|room| room.is_unsure && !room.is_busy) {
                    self.beat();
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.ledger_fails, true) {
                    tracing::error!(%error, "it can't be said who has which port; what listens goes on for a while");
                }
                self.say_unavailable();
            }
        }
    }

    /// Which leases of ports outside the range are no more. Of those it is not said that they are in use, and so not heard
    /// either.
    fn lost_outside(&self, slots: &[Slot]) -> Vec<Lease> {
        let range = self.keeper.terms.range;
        let wanted = self.rooms.values().filter(|room| room.wanted.is_some());
        let outside = wanted.filter_map(|room| room.lease.as_ref()).filter(|lease| !range.has(lease.port));
        let is_held = |lease: &Lease| {
            let same = |held: &Lease| (held.port, held.generation) == (lease.port, lease.generation);
            slots.iter().any(|slot| matches!(slot, Slot::Held(held) if same(held)))
        };
        outside.filter(|lease| !is_held(lease)).cloned().collect()
    }

    /// A port is another's, or nobody's.
    fn lose(&mut self, lease: &Lease) {
        let Some(room) = self.rooms.get_mut(&lease.holder) else { return };
        if room.is_busy || room.lease.as_ref() != Some(lease) {
            return;
        }
        tracing::warn!(service.id = %lease.service, port = lease.port, "a service lost its port, and gets another one");
        (room.lease, room.programmed) = (None, None);
        room.lost = Some(lease.clone());
        if room.wanted.is_some() {
            self.keeper.board.say(&lease.holder, Standing::Pending(None));
        }
    }

    /// A port is held, by whichever life or sidecar, as the ledger said when it was asked at `listed`, or later. Whether
    /// that was not known.
    fn adopt(&mut self, lease: Lease, listed: Instant) -> bool {
        let now = Instant::now();
        let Some(room) = self.rooms.get_mut(&lease.holder) else {
            self.rooms.insert(lease.holder.clone(), Room::of_lease(lease, now));
            return true;
        };
        let is_known =
            room.lease.as_ref().is_some_and(|known| (known.port, known.generation) == (lease.port, lease.generation));
        // What a job came to since then may be newer.
        if room.is_busy || is_known || room.finished_at.is_some_and(|at| at > listed) {
            return false;
        }
        if room.wanted.is_some() {
            // It is reserved anew, which says which port it is.
            room.programmed = None;
            room.lease.get_or_insert(lease);
        } else {
            room.lost = room.lease.replace(lease).or(room.lost.take());
            room.may_listen = true;
        }
        true
    }

    fn take_sweep(&mut self, outcome: Result<bool, Trouble>, now: Instant) {
        let is_first = !self.is_swept;
        match outcome {
            Ok(false) => self.next_sweep = Some(now + UNSURE_SWEEP),
            Ok(true) => {
                self.sweep_failures = 0;
                self.is_swept = true;
                if is_first {
                    // What failed until now may have failed for the same reason.
                    self.rooms.values_mut().for_each(|room| room.not_before = None);
                }
                self.next_sweep = Some(now + SWEEPING);
            }
            Err(error) => {
                if self.sweep_failures == 0 {
                    tracing::warn!(%error, "the gateway does not say what it listens at");
                }
                self.sweep_failures = self.sweep_failures.saturating_add(1);
                let wait = retry::wait(self.sweep_failures);
                self.next_sweep = Some(now + if is_first { wait.min(FIRST_SWEEP) } else { wait });
                self.say_unavailable();
            }
        }
    }
}

/// Tells people of a port.
fn announce(keeper: &Keeper, room: &mut Room, holder: &Holder, lease: &Lease) {
    let Lease { service, port, .. } = lease;
    if keeper.board.say(holder, Standing::Announced(*port)) {
        tracing::info!(service.id = %service, port, host = %keeper.board.host(), "a service is announced");
    }
    if !std::mem::replace(&mut room.was_announced, true) {
        keeper.metrics.gateway.announce_seconds.observe(room.since.elapsed().as_secs_f64());
    }
}

/// Counts a failure, and says it where it is news.
fn report(keeper: &Keeper, room: &mut Room, error: &Trouble, now: Instant) {
    let reason = error.reason();
    keeper.metrics.gateway.failed(reason.code());
    if room.failed(reason, now) {
        let service = room.wanted.as_ref().map(|service| service.id.to_string());
        let service = service.or_else(|| room.lease.as_ref().map(|lease| lease.service.to_string()));
        let port = room.lease.as_ref().map(|lease| lease.port);
        tracing::warn!(service.id = service, port, reason = reason.code(), %error, "a port is not as it should be");
    }
}
