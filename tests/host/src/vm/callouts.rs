//! Answers and ticks: what reaches a filter between requests.
//!
//! Why: a test decides what is answered and when; [`Vm::run`] does what a real clock would.
//! Never delivers an answer twice or to a context that is gone.

use std::time::Duration;

use super::{RootId, Vm, length};
use crate::abi::nanoseconds;
use crate::callout::{Answer, Callout, CalloutId, Delivery};

/// What Envoy reports for a callout without a usable answer: the connection broke.
const BROKEN_CONNECTION: (u32, &str) = (11, "reset");

/// So many timers of a filter that traps in each of them keep a worker from anything else.
const MOST_TIMERS: u32 = 64;

impl Vm {
    /// The callouts of this VM that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        let mut callouts = self.host.callouts();
        callouts.retain(|callout| callout.owner.vm == self.number);
        callouts
    }

    /// Answers a callout of this VM.
    ///
    /// The callback gets the root context even when a stream dispatched, as Envoy's host has it.
    pub fn answer(&mut self, callout: CalloutId, answer: Answer) -> Delivery {
        let Some(owner) = self.take_callout(callout) else { return Delivery::Dropped };
        if self.trap.is_some() || self.host.crash().is_some() {
            return Delivery::Dropped;
        }
        let state = self.store.data();
        let stream = state.stream_of(owner.context);
        let awaited = stream.is_none_or(|stream| self.outcome(stream).is_paused());
        if !awaited && self.flavour.crashes_on_unawaited_answer() {
            self.host.process().crash("an answer arrived for a stream that had gone on");
            self.lose_streams(owner.context);
            return Delivery::Dropped;
        }
        if answer.is_lost_by(self.flavour) {
            // Nobody is told, and a stream that nobody decides goes on.
            if let Some(stream) = stream {
                self.resume_if_undecided(stream);
            }
            return Delivery::Dropped;
        }
        let callback = "proxy_on_http_call_response";
        if self.instance.get_func(&mut self.store, callback).is_none() {
            return Delivery::Dropped;
        }
        let context = if self.flavour.answers_dispatcher() { owner.context } else { owner.root };
        let answer = answer.seen_by(self.flavour);
        let sizes = answer.response.as_ref().map_or([0; 3], |(headers, body, trailers)| {
            [self.count(headers), length(body.len()), length(trailers.len())]
        });
        let state = self.store.data_mut();
        state.status = if answer.response.is_some() { (0, "") } else { BROKEN_CONNECTION };
        state.answer = Some((owner.root, answer));
        let [headers, body, trailers] = sizes;
        let arguments = [context, owner.token, headers, body, trailers];
        self.call(context, callback, &arguments);
        if let Some(stream) = stream {
            self.resume_if_undecided(stream);
        }
        let state = self.store.data_mut();
        state.answer = None;
        state.status = (0, "");
        Delivery::Delivered
    }

    /// The timer of a plugin fires. False when the filter has not asked for one, or cannot run.
    pub fn tick(&mut self, root: RootId) -> bool {
        if self.unavailable().is_some() {
            return false;
        }
        let now = self.host.now_ns();
        let Some(plugin) = self.store.data_mut().plugins.get_mut(root.0) else { return false };
        let Some(period) = plugin.tick_period else { return false };
        plugin.next_tick_ns = Some(now.saturating_add(nanoseconds(period)));
        let (context, timers) = (plugin.context, plugin.timers);
        for _ in 0..timers {
            if self.call(context, "proxy_on_tick", &[context]).trapped && self.flavour.keeps_timers() {
                self.die_of_timers(root);
                break;
            }
        }
        true
    }

    /// The period of a plugin's timer, `None` while it has none.
    pub fn tick_period(&self, root: RootId) -> Option<Duration> {
        self.store.data().plugins.get(root.0)?.tick_period
    }

    /// Lets time pass: moves the clock of the host on, fires the timers of this VM and lets its
    /// callouts time out, each when it is due.
    pub fn run(&mut self, duration: Duration) {
        let end = self.host.now_ns().saturating_add(nanoseconds(duration));
        if self.flavour.always_reloads() {
            self.reload_if_due();
        }
        while self.trap.is_none() && self.host.crash().is_none() {
            let timeouts = self.callouts().into_iter().map(|callout| (callout.deadline_ns, Event::Timeout(callout.id)));
            let plugins = self.store.data().plugins.iter().enumerate();
            let ticks = plugins.map(|(place, plugin)| (plugin.next_tick_ns, Event::Tick(RootId(place))));
            let due = timeouts.chain(ticks).filter_map(|(time, event)| Some((time?, event)));
            let Some((time, event)) = due.filter(|(time, _)| *time <= end).min_by_key(|(time, _)| *time) else {
                break;
            };
            let now = self.host.now_ns().max(time);
            self.host.set_now_ns(now);
            match event {
                Event::Tick(root) => {
                    self.tick(root);
                }
                Event::Timeout(callout) => {
                    // Dropped or not: the timeout has happened.
                    let _: Delivery = self.answer(callout, Answer::timed_out());
                }
            }
        }
        self.host.set_now_ns(end);
    }

    /// A timer that traps starts the instance again, with one timer more, and that one traps as well.
    fn die_of_timers(&mut self, root: RootId) {
        let timers = self.store.data().plugins.get(root.0).map_or(0, |plugin| plugin.timers);
        if timers > MOST_TIMERS {
            self.host.process().crash("each timer that trapped left one more");
        } else {
            // What keeps it from starting is in `trap`.
            self.reload().ok();
        }
    }

    fn take_callout(&mut self, callout: CalloutId) -> Option<crate::callout::Owner> {
        let mut process = self.host.process();
        let owner = process.callouts.get(&callout)?.owner;
        if owner.vm != self.number {
            return None;
        }
        process.callouts.remove(&callout);
        Some(owner)
    }
}

enum Event {
    Tick(RootId),
    Timeout(CalloutId),
}
