//! A connection without headers on its way through the gate: held until it is decided, then let go or closed.
//!
//! The proxy calls in when somebody connects and when bytes come; it does not say when a TLS handshake is over. Of a
//! client that speaks first the first bytes say it. For one that waits for the job's greeting the filter looks, every
//! few milliseconds and only while such a one is there, for what `envoy-config/tcp.yaml` has the proxy write when a
//! handshake is over. Nothing of the certificate is asked for before: the proxy would keep the empty answer.
//!
//! What is held here are those in a handshake; those that wait for a verdict are with the requests that do
//! ([`crate::request`]), and those that were permitted are among the [`crate::streams`]. Any other is closed.

use taskgate_core::audit::Audit;
use taskgate_core::denial::Denial;
use taskgate_core::gate::{ConnectionDecision, ConnectionStep};
use taskgate_core::peer::{Handshake, Peer, PeerCertificate};

use crate::abi::Action;
use crate::host::{self, Context};
use crate::request::Waiter;
use crate::worker::{TICK_MILLIS, Worker};

/// How often the proxy calls in while a young handshake is looked at, in milliseconds.
const QUICK_TICK_MILLIS: u32 = 10;
/// How many quick ticks make an ordinary one.
const QUICK_TICKS: u64 = 10;
/// For how many ordinary ticks a handshake is young, and after how many it has failed.
const YOUNG: u64 = 10;
const TOO_LONG: u64 = 100;
/// The most handshakes that one quick tick looks at.
const MAX_LOOKS: usize = 256;

/// Connections whose handshake is not over, the oldest first.
#[derive(Debug, Default)]
pub struct Handshakes {
    open: Vec<(Context, u64)>,
    /// Whether the proxy calls in every few milliseconds: for which root, and how often it has since.
    quick: Option<(Context, u64)>,
}

impl Handshakes {
    /// Whether this tick is one that counts, and not only a quick one.
    pub fn is_whole_tick(&mut self) -> bool {
        let Some((_, ticks)) = &mut self.quick else { return true };
        *ticks = ticks.saturating_add(1);
        ticks.is_multiple_of(QUICK_TICKS)
    }

    fn take(&mut self, context: Context) -> bool {
        match self.open.iter().position(|(other, _)| *other == context) {
            Some(place) => {
                self.open.remove(place);
                true
            }
            None => false,
        }
    }
}

impl Worker {
    /// Somebody connected.
    pub fn on_connection(&mut self, context: Context) -> Action {
        if let Some(handshake) = handshake() {
            return self.knock(context, handshake);
        }
        if self.handshakes.open.len() >= self.config.max_waiting {
            self.refuse_oldest_handshake(context);
        }
        self.handshakes.open.push((context, self.ticks));
        self.set_pace(context);
        Action::Pause
    }

    /// Makes room; the host is at `context`. Handshakes take milliseconds, so the oldest one is most likely nobody's, and
    /// whoever keeps many open locks nobody out.
    fn refuse_oldest_handshake(&mut self, context: Context) {
        if self.handshakes.open.is_empty() {
            return;
        }
        let (oldest, _) = self.handshakes.open.remove(0);
        if host::turn_to(self.flavour, oldest) {
            self.refuse_connection(Denial::Overloaded, Audit::default());
        }
        host::turn_to(self.flavour, context);
    }

    /// Bytes of a client arrived.
    pub fn on_connection_data(&mut self, context: Context) -> Action {
        if self.streams.has(context) {
            return Action::Continue;
        }
        if self.handshakes.take(context) {
            // Bytes come after the handshake alone.
            return match handshake() {
                Some(handshake) => self.knock(context, handshake),
                None => self.refuse_connection(Denial::ProxyFailure, Audit::default()),
            };
        }
        if !self.waiting.has(context) {
            // Decided by another configuration, or by a filter that is gone.
            host::close_connection();
        }
        Action::Pause
    }

    /// Looks whose handshake is over. In between whole ticks only the youngest are looked at.
    pub(crate) fn look_at_handshakes(&mut self, is_whole: bool) {
        if self.handshakes.open.is_empty() && self.handshakes.quick.is_none() {
            return;
        }
        let (flavour, ticks) = (self.flavour, self.ticks);
        let mut open = core::mem::take(&mut self.handshakes.open);
        let older = if is_whole { 0 } else { open.len().saturating_sub(MAX_LOOKS) };
        let mut over = Vec::new();
        let mut nth = 0_usize;
        open.retain(|(context, since)| {
            nth = nth.saturating_add(1);
            if nth <= older {
                return true;
            }
            if !host::turn_to(flavour, *context) {
                return false;
            }
            let handshake = handshake();
            let is_late = ticks.saturating_sub(*since) >= TOO_LONG;
            let is_open = handshake.is_none() && !is_late;
            if !is_open {
                over.push((*context, handshake));
            }
            is_open
        });
        self.handshakes.open = open;
        for (context, handshake) in over {
            if !host::turn_to(flavour, context) {
                continue;
            }
            let action = match handshake {
                Some(handshake) => self.knock(context, handshake),
                None => self.refuse_connection(Denial::CredentialMissing, Audit::default()),
            };
            if action == Action::Continue {
                host::continue_connection();
            }
        }
        host::turn_to(flavour, self.root);
        self.set_pace(self.root);
    }

    /// Has the proxy call in as often as the youngest handshake needs it; the host is at `context`.
    fn set_pace(&mut self, context: Context) {
        let youngest = self.handshakes.open.last().map(|(_, since)| self.ticks.saturating_sub(*since));
        let is_young = youngest.is_some_and(|age| age < YOUNG);
        let (root, period) = match self.handshakes.quick {
            None if is_young => {
                self.handshakes.quick = Some((self.root, 0));
                (self.root, QUICK_TICK_MILLIS)
            }
            // The root that was made quick, whichever has called in since.
            Some((root, _)) if !is_young => {
                self.handshakes.quick = None;
                (root, TICK_MILLIS)
            }
            None | Some(_) => return,
        };
        if host::turn_to(self.flavour, root) {
            host::set_tick_period(period);
        }
        host::turn_to(self.flavour, context);
    }

    /// Another configuration takes over: nobody would look at these handshakes.
    pub(crate) fn give_up_on_handshakes(&mut self) {
        for (context, _) in core::mem::take(&mut self.handshakes.open) {
            if host::turn_to(self.flavour, context) {
                self.refuse_connection(Denial::ProxyFailure, Audit::default());
            }
        }
        self.set_pace(self.root);
    }

    /// The handshake of the connection that the host is at is over: who is it?
    fn knock(&mut self, context: Context, handshake: Handshake) -> Action {
        let (Some(service), Some(peer)) = (host::filter_chain(), peer(handshake)) else {
            return self.refuse_connection(Denial::ProxyFailure, Audit::default());
        };
        let now = self.now();
        match self.gate.on_connection(&service, &peer, now) {
            ConnectionStep::Ask(question) => {
                self.ask(context, question.key, &question.query, Waiter::Connection(question.pending))
            }
            ConnectionStep::Done(decision) => self.settle_connection(context, decision),
        }
    }

    /// Carries out a decision about the connection that the host is at.
    pub(crate) fn settle_connection(&mut self, context: Context, decision: ConnectionDecision) -> Action {
        match decision {
            ConnectionDecision::Permit(standing, audit) => {
                self.metrics.connection_permitted();
                host::audit(self.flavour, &audit);
                self.streams.add(context, *standing);
                Action::Continue
            }
            ConnectionDecision::Refuse(denial, audit) => self.refuse_connection(denial, audit),
        }
    }

    fn refuse_connection(&self, denial: Denial, audit: Audit) -> Action {
        self.metrics.connection_refused();
        let service = audit.service.or_else(|| host::filter_chain().map(Into::into));
        host::audit(self.flavour, &Audit { denial: Some(denial), service, ..audit });
        host::close_connection();
        Action::Pause
    }
}

/// What the proxy says of the handshake of the connection that the host is at; none while it is not over.
fn handshake() -> Option<Handshake> {
    Handshake::read(&host::property(&["filter_state", "taskgate.peer"])?)
}

/// Who is at the other end, where the handshake is over.
fn peer(handshake: Handshake) -> Option<Peer> {
    let text = |name| host::property(&["connection", name]).filter(|text| !text.is_empty());
    match handshake {
        Handshake::Nothing => Peer::at(&host::property(&["source", "address"])?),
        Handshake::Certificate(digest, ends_at) => {
            Some(Peer::Certificate(PeerCertificate::new(digest, ends_at).named(
                text("uri_san_peer_certificate"),
                text("dns_san_peer_certificate"),
                text("subject_peer_certificate"),
            )))
        }
    }
}
