//! A request on its way through the gate: permitted, refused, or waiting for a verdict.
//!
//! Requests that ask the same question share one call to the sidecar, which belongs to the root: a
//! request that goes away takes no answer with it. Where the host can't turn to another request
//! (`WasmX`), each one asks for itself.

use std::net::SocketAddr;

use taskgate_core::audit::Audit;
use taskgate_core::cache::VerdictKey;
use taskgate_core::denial::Denial;
use taskgate_core::gate::{Decision, Learned, Pending, PendingConnection, Step, refuse};
use taskgate_core::reply::{self, Client};
use taskgate_core::request::Request;
use taskgate_core::trace_context::{TRACE_PARENT, TRACE_PARENT_LENGTH};
use taskgate_core::verdict::{VERDICT_ANSWER, VerdictAnswer, VerdictQuery};

use crate::abi::Action;
use crate::feed::{answer, call};
use crate::host::{self, Callout, Context};
use crate::worker::{TICK_MILLIS, Worker};

/// Envoy says with it which attempt a request to a job is. Only the filter on the upstream's side sees
/// it: `early_header_mutation` removes it from clients.
const ATTEMPT_HEADER: &[u8] = b"x-envoy-attempt-count";
/// The longest verdict that is read, in bytes.
const MAX_VERDICT: usize = 64 << 10;

/// The header with a request's trace. (What vendors add to it is left out: the filter is small.)
pub(crate) type Trace = Option<[u8; TRACE_PARENT_LENGTH]>;

/// Requests that wait for verdicts, by the call they wait for. There are few calls at a time.
#[derive(Debug, Default)]
pub struct Waiting {
    calls: Vec<Call>,
    /// What the request that is being looked at says about its trace.
    trace: Trace,
}

/// What waits for a verdict.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A connection without headers.
    Connection(PendingConnection),
    /// A request.
    Request(Pending),
}

#[derive(Debug)]
struct Call {
    callout: Callout,
    key: VerdictKey,
    waiters: Vec<(Context, Waiter)>,
    /// The tick at which the answer counts as lost: a host that drops a callout says nothing. (Late
    /// enough even where two roots of one VM tick.)
    give_up_at: u64,
}

impl Waiting {
    fn count(&self) -> usize {
        self.calls.iter().map(|call| call.waiters.len()).fold(0, usize::saturating_add)
    }

    /// Whether what has that context waits.
    pub(crate) fn has(&self, context: Context) -> bool {
        self.calls.iter().flat_map(|call| &call.waiters).any(|(other, _)| *other == context)
    }
}

impl Worker {
    /// The headers of a request arrived.
    pub fn on_request(&mut self, context: Context, header_count: usize) -> Action {
        // A host may give the number of a request that is gone again, and its cookies are nobody else's.
        self.streams.owed(context);
        let now = self.now();
        if !host::shows_headers(self.flavour, header_count) {
            return self.settle(context, refuse(Denial::HeadersTooLarge, Client::Api));
        }
        let (flavour, gate, trace) = (self.flavour, &mut self.gate, &mut self.waiting.trace);
        let step = host::with_request_headers(flavour, |headers| {
            if headers.iter().any(|(name, _)| *name == ATTEMPT_HEADER)
                && let Some(failed) = failed_before()
            {
                return Err(failed);
            }
            #[cfg(feature = "fault-injection")]
            inject_fault(headers);
            let step = gate.on_request(&Request::read(headers.iter().copied()), now);
            if matches!(step, Step::Ask(_)) {
                *trace = trace_of(headers);
            }
            Ok(step)
        });
        match step {
            Some(Ok(Step::Ask(question))) => {
                self.ask(context, question.key, &question.query, Waiter::Request(question.pending))
            }
            Some(Ok(Step::Done(decision))) => self.settle(context, decision),
            Some(Err(failed)) => self.on_retry(failed),
            None => self.settle(context, refuse(Denial::ProxyFailure, Client::Api)),
        }
    }

    /// Asks the sidecar, or joins one that has asked already.
    pub(crate) fn ask(&mut self, context: Context, key: VerdictKey, query: &VerdictQuery, waiter: Waiter) -> Action {
        // What a request says about its trace is of that request alone.
        let trace = self.waiting.trace.take();
        if self.waiting.count() >= self.config.max_waiting {
            return match waiter {
                Waiter::Connection(pending) => {
                    let decision = self.gate.on_connection_overload(pending);
                    self.settle_connection(context, decision)
                }
                Waiter::Request(pending) => {
                    let decision = self.gate.on_overload(pending);
                    self.settle(context, decision)
                }
            };
        }
        if host::shares_callouts(self.flavour)
            && let Some(call) = self.waiting.calls.iter_mut().find(|call| call.key == key)
        {
            call.waiters.push((context, waiter));
            return Action::Pause;
        }
        let timeout = self.config.verdict_timeout_ms;
        host::turn_to(self.flavour, self.root);
        let callout = call(&self.config, "POST", "/internal/verdict", &trace, &query.encode(), timeout);
        host::turn_to(self.flavour, context);
        self.metrics.asked();
        let Some(callout) = callout else {
            let now = self.now().steady;
            let learned = self.gate.learn(key, VerdictAnswer::Unavailable, now);
            return self.conclude(context, waiter, &learned);
        };
        self.wait_for(callout, key, vec![(context, waiter)]);
        Action::Pause
    }

    /// What was learned reaches one that waited.
    fn conclude(&mut self, context: Context, waiter: Waiter, learned: &Learned) -> Action {
        match waiter {
            Waiter::Connection(pending) => {
                let decision = self.gate.on_connection_verdict(pending, learned);
                self.settle_connection(context, decision)
            }
            Waiter::Request(pending) => {
                let decision = self.gate.on_verdict(pending, learned);
                self.settle(context, decision)
            }
        }
    }

    /// Asks on behalf of nobody who waits, unless that is being asked: the gate will know.
    pub(crate) fn ask_for_later(&mut self, key: VerdictKey, query: &VerdictQuery) {
        if self.waiting.calls.iter().any(|call| call.key == key) {
            return;
        }
        host::turn_to(self.flavour, self.root);
        let timeout = self.config.verdict_timeout_ms;
        if let Some(callout) = call(&self.config, "POST", "/internal/verdict", &None, &query.encode(), timeout) {
            self.wait_for(callout, key, Vec::new());
        }
        self.metrics.asked();
    }

    fn wait_for(&mut self, callout: Callout, key: VerdictKey, waiters: Vec<(Context, Waiter)>) {
        let ticks = u64::from(self.config.verdict_timeout_ms / TICK_MILLIS).saturating_mul(3).saturating_add(10);
        let give_up_at = self.ticks.saturating_add(ticks);
        self.waiting.calls.push(Call { callout, key, waiters, give_up_at });
    }

    /// The sidecar answered, or did not.
    pub(crate) fn on_verdict(&mut self, callout: Callout, header_count: usize, body_size: usize) {
        let verdict = match answer(VERDICT_ANSWER, header_count, body_size.min(MAX_VERDICT)) {
            Some(body) => VerdictAnswer::read(&body),
            None => VerdictAnswer::Unavailable,
        };
        self.resume(callout, verdict);
    }

    /// Answers that a host has lost are no answers.
    pub(crate) fn give_up_on_lost_verdicts(&mut self) {
        let ticks = self.ticks;
        self.give_up_on(|call| ticks > call.give_up_at);
    }

    /// Another configuration takes over: nobody would answer those who wait.
    pub(crate) fn give_up_on_all_verdicts(&mut self) {
        self.give_up_on(|_| true);
    }

    fn give_up_on(&mut self, is_lost: impl Fn(&Call) -> bool) {
        if !host::shares_callouts(self.flavour) {
            // Such a host can't turn to the requests from here. It ends them itself.
            return self.waiting.calls.retain(|call| !is_lost(call));
        }
        let lost: Vec<Callout> =
            self.waiting.calls.iter().filter(|call| is_lost(call)).map(|call| call.callout).collect();
        for callout in lost {
            self.resume(callout, VerdictAnswer::Unavailable);
        }
    }

    fn resume(&mut self, callout: Callout, verdict: VerdictAnswer) {
        let Some(place) = self.waiting.calls.iter().position(|call| call.callout == callout) else { return };
        let call = self.waiting.calls.swap_remove(place);
        let now = self.now().steady;
        let learned = self.gate.learn(call.key, verdict, now);
        for (context, waiter) in call.waiters {
            let go_on = match waiter {
                Waiter::Connection(_) => host::continue_connection,
                Waiter::Request(_) => host::continue_request,
            };
            // One that is gone is no concern of the others.
            if host::turn_to(self.flavour, context) && self.conclude(context, waiter, &learned) == Action::Continue {
                go_on();
            }
        }
        host::turn_to(self.flavour, self.root);
    }

    /// Carries out a decision about the request that the host is at.
    fn settle(&mut self, context: Context, decision: Decision) -> Action {
        let reply = match decision {
            Decision::Permit(mut edits) => {
                if host::permit(self.flavour, &mut edits) {
                    self.metrics.permitted();
                    host::audit(self.flavour, &edits.audit);
                    if host::follows_requests(self.flavour) {
                        self.streams.add(context, edits.standing);
                    }
                    return Action::Continue;
                }
                self.metrics.denied(Denial::ProxyFailure);
                let audit = Audit { rule: None, denial: Some(Denial::ProxyFailure), ..edits.audit };
                Box::new(reply::reply(Denial::ProxyFailure, Client::Api).audited(audit))
            }
            Decision::Redirect(reply) => {
                self.metrics.redirected();
                reply
            }
            Decision::Refuse(denial, reply) => {
                self.metrics.denied(denial);
                reply
            }
        };
        host::audit(self.flavour, &reply.audit);
        if !host::follows_requests(self.flavour) {
            self.streams.owe(context, &reply);
        }
        host::reply(self.flavour, &reply);
        Action::Pause
    }

    /// A later attempt of a permitted request, on its way to a job: the attempt before has failed.
    fn on_retry(&mut self, failed: SocketAddr) -> Action {
        let now = self.now().steady;
        self.gate.on_endpoint_failure(failed, now);
        self.metrics.endpoint_failed();
        Action::Continue
    }
}

/// The address that the attempt before this one went to. None where the request is not on the upstream's
/// side: attempts are counted there alone, and addresses are known only of a permitted request.
fn failed_before() -> Option<SocketAddr> {
    let attempt = host::property(&["upstream", "request_attempt_count"])?;
    let slot = match u64::from_le_bytes(attempt.try_into().ok()?) {
        2 => "up1",
        3 => "up2",
        _ => return None,
    };
    let text = host::property(&["metadata", "filter_metadata", "taskgate", slot])?;
    core::str::from_utf8(&text).ok()?.parse().ok()
}

/// The trace of a request. The sidecar reads it, and passes over what is no trace.
fn trace_of(headers: &[(&[u8], &[u8])]) -> Trace {
    let mut trace = None;
    for (name, value) in headers {
        if *name == TRACE_PARENT.as_bytes() {
            // More than one is none.
            trace = if trace.is_none() { (*value).try_into().ok() } else { Some([b'-'; TRACE_PARENT_LENGTH]) };
        }
    }
    trace
}

/// Test builds alone: a header makes the VM die, as a defect would.
#[cfg(feature = "fault-injection")]
fn inject_fault(headers: &[(&[u8], &[u8])]) {
    if headers.iter().any(|(name, value)| *name == b"x-fault" && *value == b"trap") {
        core::arch::wasm32::unreachable();
    }
}
