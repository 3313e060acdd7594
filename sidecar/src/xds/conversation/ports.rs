//! The ports of one stream: what a proxy has of each, and what it is to be sent next.
//!
//! Nothing listens whose jobs are not known: a listener goes when its cluster and the addresses were taken. Addresses go
//! as soon as they are asked for, since Envoy does not say that it took a cluster before it has them (measured with 1.40,
//! for clusters that come after its start). Listeners go alone, so that a refusal says which it is about; many may be under way. Where nobody knows
//! yet whether what a proxy has is still wanted, it keeps it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tonic::Status;

use crate::xds::conversation::secrets::SecretTalk;
use crate::xds::conversation::{Heard, MAX_REASON};
use crate::xds::ports::board::Seat;
use crate::xds::ports::{Kind, PREFIX, Port, Ports};

/// The most ports of one proxy: every one that there is.
const MAX_PORTS: usize = 65_536;
/// The most clusters, or lists of addresses, of one response.
const BATCH: usize = 256;
/// The most listeners that are under way.
const WINDOW: usize = 64;

/// The ports of one stream.
#[derive(Debug)]
pub(super) struct PortTalk {
    seat: Seat,
    subscriptions: [Subscription; 3],
    states: BTreeMap<Arc<str>, State>,
    /// What was wanted when it was looked last.
    seen: Arc<Ports>,
    /// The ports at which something is to be done, or waited for.
    todo: BTreeSet<Arc<str>>,
    under_way: HashMap<String, UnderWay>,
    secrets: SecretTalk,
    /// Whether everything goes alone: a response with many things was refused, and it was not said for which.
    is_cautious: bool,
}

/// What it wants of one kind.
#[derive(Debug, Default)]
struct Subscription {
    is_open: bool,
    is_answered: bool,
    /// By name; clusters and listeners it wants all.
    names: BTreeSet<Arc<str>>,
}

/// What it has of one port, by kind.
#[derive(Debug, Default)]
struct State {
    held: [Option<Arc<str>>; 3],
    refused: [Option<Arc<str>>; 3],
    /// What it does not give up: it is not asked again and again.
    kept: [bool; 3],
    under_way: [bool; 3],
}

/// A response that it did not speak of yet.
#[derive(Debug)]
struct UnderWay {
    kind: Kind,
    offers: Vec<(Arc<str>, Arc<str>)>,
    removed: Vec<Arc<str>>,
}

/// What to do about a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Send(Kind),
    Remove(Kind),
    Wait,
    Done,
}

impl PortTalk {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            subscriptions: Default::default(),
            states: BTreeMap::new(),
            seen: Arc::default(),
            todo: BTreeSet::new(),
            under_way: HashMap::new(),
            secrets: SecretTalk::default(),
            is_cautious: false,
        }
    }

    /// Takes what a proxy says of that kind; of lists of addresses, what it says of ours.
    pub(super) fn hear(&mut self, kind: Kind, request: &DeltaDiscoveryRequest) -> Result<Heard, Status> {
        let is_ours = |name: &&String| name.starts_with(PREFIX);
        let asked = request.resource_names_subscribe.iter().filter(is_ours);
        let subscription = &mut self.subscriptions[kind.index()];
        let is_first = !subscription.is_open;
        subscription.is_open = true;
        if is_first {
            self.bring(kind, request)?;
        }
        for name in asked {
            // Who asks again for what it has wants it again.
            if !request.initial_resource_versions.contains_key(name) {
                self.forget(kind, name);
            }
            let name: Arc<str> = name.as_str().into();
            self.subscriptions[kind.index()].names.insert(Arc::clone(&name));
            self.todo.insert(name);
        }
        for name in request.resource_names_unsubscribe.iter().filter(is_ours) {
            self.subscriptions[kind.index()].names.remove(name.as_str());
            self.forget(kind, name);
            self.todo.insert(name.as_str().into());
        }
        if self.states.len() > MAX_PORTS || self.subscriptions[kind.index()].names.len() > MAX_PORTS {
            return Err(Status::resource_exhausted("too many resources"));
        }
        if kind == Kind::Listener && is_first {
            self.seat.note(|proxy| proxy.listens = true);
        }
        Ok(self.settle(request))
    }

    /// Takes what a proxy says of secrets.
    pub(super) fn hear_secrets(&mut self, request: &DeltaDiscoveryRequest) -> Heard {
        self.secrets.hear(&self.seat, request)
    }

    /// What it had before this stream.
    fn bring(&mut self, kind: Kind, request: &DeltaDiscoveryRequest) -> Result<(), Status> {
        if request.initial_resource_versions.len() > MAX_PORTS {
            return Err(Status::resource_exhausted("too many resources"));
        }
        for (name, version) in request.initial_resource_versions.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            let (name, version): (Arc<str>, Arc<str>) = (name.as_str().into(), version.as_str().into());
            self.seat.note(|proxy| proxy.took(&name, kind, &version));
            self.states.entry(Arc::clone(&name)).or_default().held[kind.index()] = Some(version);
            self.todo.insert(name);
        }
        Ok(())
    }

    fn forget(&mut self, kind: Kind, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            state.held[kind.index()] = None;
            state.refused[kind.index()] = None;
            state.kept[kind.index()] = false;
        }
    }

    /// Takes what it thinks of a response.
    fn settle(&mut self, request: &DeltaDiscoveryRequest) -> Heard {
        let Some(UnderWay { kind, offers, removed }) = self.under_way.remove(&request.response_nonce) else {
            return Heard::Fine;
        };
        let index = kind.index();
        let reason = request.error_detail.as_ref();
        let reason = reason.map(|error| error.message.chars().take(MAX_REASON).collect::<String>());
        for name in offers.iter().map(|(name, _)| name).chain(&removed) {
            self.todo.insert(Arc::clone(name));
            if let Some(state) = self.states.get_mut(name) {
                state.under_way[index] = false;
            }
        }
        match reason {
            None => {
                for (name, version) in offers {
                    let state = self.states.entry(Arc::clone(&name)).or_default();
                    (state.refused[index], state.kept[index]) = (None, false);
                    self.seat.note(|proxy| proxy.took(&name, kind, &version));
                    state.held[index] = Some(version);
                }
                for name in removed {
                    self.forget(kind, &name);
                    self.seat.note(|proxy| proxy.lost(&name, kind));
                    // With a cluster go its addresses, of which nothing is said.
                    if kind == Kind::Cluster {
                        self.forget(Kind::Endpoints, &name);
                        self.seat.note(|proxy| proxy.lost(&name, Kind::Endpoints));
                    }
                }
                Heard::Fine
            }
            Some(reason) if offers.len().max(removed.len()) > 1 => {
                self.is_cautious = true;
                let count = offers.len().max(removed.len());
                Heard::Refused { resource: format!("one of {count} of {kind:?}"), reason }
            }
            Some(reason) => {
                let names = offers.iter().map(|(name, _)| name).chain(&removed);
                let resource = names.map(ToString::to_string).next().unwrap_or_default();
                for name in &removed {
                    self.states.entry(Arc::clone(name)).or_default().kept[index] = true;
                }
                for (name, version) in offers {
                    self.seat.note(|proxy| proxy.refused(&name, kind, &version, &reason));
                    self.states.entry(name).or_default().refused[index] = Some(version);
                }
                Heard::Refused { resource, reason }
            }
        }
    }

    /// What to send next; none while there is nothing.
    pub(super) fn next(&mut self, ports: &Arc<Ports>, nonces: &mut u64) -> Option<DeltaDiscoveryResponse> {
        self.look(ports);
        // Listeners that were sent wait for them.
        let secrets = ports.secrets.as_ref().and_then(|secrets| self.secrets.next(secrets, nonces));
        if secrets.is_some() {
            return secrets;
        }
        let mut batches: [Vec<Arc<Port>>; 3] = Default::default();
        let mut removals: [Vec<Arc<str>>; 3] = Default::default();
        let mut done = Vec::new();
        let listeners = self.under_way.values().filter(|under_way| under_way.kind == Kind::Listener).count();
        for name in &self.todo {
            match self.step(name) {
                Step::Wait => {}
                Step::Done => done.push(Arc::clone(name)),
                Step::Remove(kind) => removals[kind.index()].push(Arc::clone(name)),
                Step::Send(kind) => {
                    let batch = &mut batches[kind.index()];
                    let most = match kind {
                        Kind::Listener => usize::from(listeners < WINDOW),
                        _ if self.is_cautious => 1,
                        _ => BATCH,
                    };
                    if let (true, Some(port)) = (batch.len() < most, self.seen.wanted.get(name)) {
                        batch.push(Arc::clone(port));
                    }
                }
            }
        }
        for name in done {
            self.todo.remove(&name);
            if !self.seen.wanted.contains_key(&name) && self.states.get(&name).is_some_and(State::is_empty) {
                self.states.remove(&name);
                self.seat.note(|proxy| proxy.forget(&name));
            }
        }
        // What goes makes room for what comes.
        for kind in [Kind::Listener, Kind::Cluster] {
            let mut names = std::mem::take(&mut removals[kind.index()]);
            names.truncate(if self.is_cautious { 1 } else { names.len() });
            if !names.is_empty() {
                return Some(self.send(kind, &[], names, nonces));
            }
        }
        for kind in Kind::ALL {
            let batch = std::mem::take(&mut batches[kind.index()]);
            if !batch.is_empty() {
                return Some(self.send(kind, &batch, Vec::new(), nonces));
            }
        }
        // Who asks for all waits to hear that there is nothing yet.
        let unanswered = [Kind::Cluster, Kind::Listener].into_iter().find(|kind| {
            let subscription = &self.subscriptions[kind.index()];
            subscription.is_open && !subscription.is_answered
        });
        unanswered.map(|kind| self.send(kind, &[], Vec::new(), nonces))
    }

    /// Finds out what changed since it was looked last.
    fn look(&mut self, ports: &Arc<Ports>) {
        if Arc::ptr_eq(&self.seen, ports) {
            return;
        }
        let before = std::mem::replace(&mut self.seen, Arc::clone(ports));
        let is_same =
            |name: &Arc<str>, port: &Arc<Port>| before.wanted.get(name).is_some_and(|known| Arc::ptr_eq(known, port));
        let changed = ports.wanted.iter().filter(|(name, port)| !is_same(name, port)).map(|(name, _)| name);
        self.todo.extend(changed.cloned());
        self.todo.extend(before.wanted.keys().filter(|name| !ports.wanted.contains_key(*name)).cloned());
        self.todo.extend(ports.gone.iter().cloned());
        if ports.is_whole && !before.is_whole {
            self.todo.extend(self.states.keys().cloned());
        }
    }

    fn step(&self, name: &Arc<str>) -> Step {
        let nothing = State::default();
        let state = self.states.get(name).unwrap_or(&nothing);
        let Some(port) = self.seen.wanted.get(name) else {
            if state.under_way.contains(&true) {
                return Step::Wait;
            }
            let is_unwanted = self.seen.is_whole || self.seen.gone.contains(name);
            let held = [Kind::Listener, Kind::Cluster].into_iter().find(|kind| state.held[kind.index()].is_some());
            let held = held.filter(|kind| is_unwanted && !state.kept[kind.index()]);
            return held.map_or(Step::Done, Step::Remove);
        };
        let mut is_ready = true;
        for kind in Kind::ALL {
            let (index, version) = (kind.index(), port.body(kind).version());
            if kind == Kind::Listener && !is_ready {
                return Step::Wait;
            }
            if !state.under_way[index] && state.held[index].as_ref() == Some(version) {
                continue;
            }
            if !state.under_way[index] && state.refused[index].as_ref() == Some(version) {
                return Step::Done;
            }
            let subscription = &self.subscriptions[index];
            // Addresses it asks for when it has the cluster.
            let is_asked = subscription.is_open && (kind != Kind::Endpoints || subscription.names.contains(name));
            if is_asked && !state.under_way[index] {
                return Step::Send(kind);
            }
            is_ready = false;
        }
        if is_ready { Step::Done } else { Step::Wait }
    }

    fn send(
        &mut self,
        kind: Kind,
        ports: &[Arc<Port>],
        removed: Vec<Arc<str>>,
        nonces: &mut u64,
    ) -> DeltaDiscoveryResponse {
        *nonces = nonces.wrapping_add(1);
        let nonce = nonces.to_string();
        for name in ports.iter().map(|port| &port.name).chain(&removed) {
            let state = self.states.entry(Arc::clone(name)).or_default();
            state.under_way[kind.index()] = true;
            // A cluster that is replaced waits for its addresses to be sent again.
            if kind == Kind::Cluster && state.held[Kind::Cluster.index()].is_some() {
                state.held[Kind::Endpoints.index()] = None;
            }
        }
        if kind == Kind::Listener && ports.iter().any(|port| port.is_secured) {
            self.secrets.expect();
        }
        self.subscriptions[kind.index()].is_answered = true;
        let offers = ports.iter().map(|port| (Arc::clone(&port.name), Arc::clone(port.body(kind).version())));
        let removed_resources = removed.iter().map(ToString::to_string).collect();
        let under_way = UnderWay { kind, offers: offers.collect(), removed };
        self.under_way.insert(nonce.clone(), under_way);
        DeltaDiscoveryResponse {
            system_version_info: nonce.clone(),
            resources: ports.iter().map(|port| port.body(kind).resource(&port.name)).collect(),
            removed_resources,
            type_url: kind.type_url().to_owned(),
            nonce,
            ..DeltaDiscoveryResponse::default()
        }
    }
}

impl State {
    /// Whether there is nothing of it any more. What was refused is then of no use: nobody wants it.
    fn is_empty(&self) -> bool {
        !self.under_way.contains(&true) && self.held.iter().all(Option::is_none)
    }
}

/// Takes out of a request what it says of ports.
pub(super) fn take_ports(request: &mut DeltaDiscoveryRequest) {
    let is_other = |name: &String| !name.starts_with(PREFIX);
    request.resource_names_subscribe.retain(is_other);
    request.resource_names_unsubscribe.retain(is_other);
    request.initial_resource_versions.retain(|name, _| is_other(name));
}
