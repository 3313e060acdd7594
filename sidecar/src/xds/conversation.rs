//! One stream of delta xDS: what a proxy asked for, what it has, and what it is to be sent next.
//!
//! One state is under way at a time: while a proxy has not said what it thinks of the last resource, what
//! changes meanwhile comes together afterwards. What it refused is not sent again until it changed.
//!
//! It never sends an incomplete list to a proxy that may have a complete one.

mod ports;
mod secrets;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tonic::Status;

use crate::xds::assignment::{Snapshot, TYPE_URL};
use crate::xds::conversation::ports::PortTalk;
use crate::xds::ports::board::Seat;
use crate::xds::ports::secrets::TYPE_URL as SECRETS;
use crate::xds::ports::{Kind, Ports};

/// Stands for all resources of a type.
const WILDCARD: &str = "*";
/// The most types of one stream.
const MAX_TYPES: usize = 16;
/// The most resources of one type that a proxy names.
const MAX_NAMES: usize = 1_000;
/// How much of a proxy's reason is kept, in characters.
const MAX_REASON: usize = 512;

/// One stream.
#[derive(Debug, Default)]
pub struct Conversation {
    subscriptions: BTreeMap<String, Subscription>,
    nonces: u64,
    /// Ports, where there are any.
    ports: Option<PortTalk>,
}

/// What a proxy said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It took a resource, or asked for one.
    Fine,
    /// It did not take a resource.
    Refused {
        /// Which.
        resource: String,
        /// Why, as it says.
        reason: String,
    },
}

/// What it wants of one type.
#[derive(Debug, Default)]
struct Subscription {
    names: BTreeSet<String>,
    /// The versions that it has.
    held: HashMap<String, String>,
    /// Those of them that it had before this stream.
    brought: BTreeSet<String>,
    /// The versions that it did not take.
    refused: HashMap<String, String>,
    /// What it was told that there is not.
    absent: BTreeSet<String>,
    under_way: Option<UnderWay>,
    is_answered: bool,
}

#[derive(Debug)]
struct UnderWay {
    nonce: String,
    /// The resource and its version; none: only what there is not.
    offer: Option<(String, String)>,
}

impl Conversation {
    /// A stream of a proxy that gets ports too.
    #[must_use]
    pub fn with_ports(seat: Seat) -> Self {
        Self { ports: Some(PortTalk::new(seat)), ..Self::default() }
    }

    /// Takes what a proxy says.
    ///
    /// # Errors
    /// The status that ends the stream.
    pub fn hear(&mut self, mut request: DeltaDiscoveryRequest) -> Result<Heard, Status> {
        if request.type_url.is_empty() {
            return Err(Status::invalid_argument("a request without type_url"));
        }
        let is_first = !self.subscriptions.contains_key(&request.type_url);
        // Who names nothing at first wants everything.
        let wants_all = is_first && request.resource_names_subscribe.is_empty();
        let mut of_ports = Heard::Fine;
        if let (Some(ports), Some(kind)) = (&mut self.ports, Kind::of(&request.type_url)) {
            of_ports = ports.hear(kind, &request)?;
            if kind != Kind::Endpoints {
                return Ok(of_ports);
            }
            // The rest of it is about other addresses, whatever it thinks of these.
            ports::take_ports(&mut request);
        }
        if let Some(ports) = self.ports.as_mut().filter(|_| request.type_url == SECRETS) {
            of_ports = ports.hear_secrets(&request);
            ports::take_ports(&mut request);
        }
        if is_first && self.subscriptions.len() >= MAX_TYPES {
            return Err(Status::resource_exhausted("too many types on one stream"));
        }
        let subscription = self.subscriptions.entry(request.type_url.clone()).or_default();
        if is_first {
            subscription.begin(&request, wants_all)?;
        }
        subscription.ask(&request)?;
        let heard = subscription.settle(request);
        Ok(if of_ports == Heard::Fine { heard } else { of_ports })
    }

    /// What to send next of ports; none while there is nothing.
    pub fn next_port(&mut self, ports: &Arc<Ports>) -> Option<DeltaDiscoveryResponse> {
        self.ports.as_mut()?.next(ports, &mut self.nonces)
    }

    /// What to send next; none while there is nothing, or something is under way.
    pub fn next(&mut self, snapshot: &Snapshot) -> Option<DeltaDiscoveryResponse> {
        let nonces = &mut self.nonces;
        self.subscriptions.iter_mut().find_map(|(type_url, subscription)| {
            if subscription.under_way.is_some() {
                return None;
            }
            // Of other types there is nothing, which a proxy waits to hear. Of ours there will be something.
            let nothing = Snapshot::default();
            let snapshot = match type_url == TYPE_URL {
                true if snapshot.assignments.is_empty() => return None,
                true => snapshot,
                false => &nothing,
            };
            let mut response = subscription.next(snapshot)?;
            *nonces = nonces.wrapping_add(1);
            response.nonce = nonces.to_string();
            response.type_url.clone_from(type_url);
            let offer = response.resources.first();
            subscription.under_way = Some(UnderWay {
                nonce: response.nonce.clone(),
                offer: offer.map(|offer| (offer.name.clone(), offer.version.clone())),
            });
            subscription.is_answered = true;
            Some(response)
        })
    }
}

impl Subscription {
    fn begin(&mut self, request: &DeltaDiscoveryRequest, wants_all: bool) -> Result<(), Status> {
        if request.initial_resource_versions.len() > MAX_NAMES {
            return Err(Status::resource_exhausted("too many resources"));
        }
        self.held.clone_from(&request.initial_resource_versions);
        self.brought = self.held.keys().cloned().collect();
        if wants_all {
            self.names.insert(WILDCARD.to_owned());
        }
        Ok(())
    }

    fn ask(&mut self, request: &DeltaDiscoveryRequest) -> Result<(), Status> {
        for name in &request.resource_names_subscribe {
            // Who asks again for what it has wants it again.
            if !request.initial_resource_versions.contains_key(name) {
                self.forget(name);
            }
            self.names.insert(name.clone());
        }
        for name in &request.resource_names_unsubscribe {
            self.names.remove(name);
            self.forget(name);
        }
        if self.names.len() > MAX_NAMES {
            return Err(Status::resource_exhausted("too many resources"));
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        self.held.remove(name);
        self.brought.remove(name);
        self.refused.remove(name);
        self.absent.remove(name);
    }

    /// Takes what a proxy thinks of what was under way.
    fn settle(&mut self, request: DeltaDiscoveryRequest) -> Heard {
        let Some(under_way) = self.under_way.take_if(|under_way| under_way.nonce == request.response_nonce) else {
            return Heard::Fine;
        };
        let (offer, error) = (under_way.offer, request.error_detail);
        match (offer, error) {
            (None, None) => Heard::Fine,
            (Some((name, version)), None) => {
                // It may have lost interest while the resource was on its way.
                if self.wants(&name) {
                    self.brought.remove(&name);
                    self.refused.remove(&name);
                    self.held.insert(name, version);
                }
                Heard::Fine
            }
            (offer, Some(error)) => {
                let (resource, version) = offer.unwrap_or_default();
                if self.wants(&resource) {
                    self.refused.insert(resource.clone(), version);
                }
                Heard::Refused { resource, reason: error.message.chars().take(MAX_REASON).collect() }
            }
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.names.contains(name) || self.names.contains(WILDCARD)
    }

    fn next(&mut self, snapshot: &Snapshot) -> Option<DeltaDiscoveryResponse> {
        let news = snapshot.assignments.iter().find(|assignment| {
            let (name, version) = (assignment.name(), assignment.version());
            let has = |versions: &HashMap<String, String>| versions.get(name).is_some_and(|known| known == version);
            // Until every provider was heard the list may lack what a proxy has, or be empty for no reason.
            let is_ripe = snapshot.is_settled || (!self.brought.contains(name) && assignment.addresses() > 0);
            self.wants(name) && is_ripe && !has(&self.held) && !has(&self.refused)
        });
        if let Some(assignment) = news {
            self.absent.remove(assignment.name());
            return Some(DeltaDiscoveryResponse {
                system_version_info: assignment.version().to_owned(),
                resources: vec![assignment.resource()],
                ..DeltaDiscoveryResponse::default()
            });
        }
        let removed = self.missing(snapshot);
        let is_empty_answer = removed.is_empty() && !self.is_answered && self.names.contains(WILDCARD);
        let is_ripe = !removed.is_empty() || (is_empty_answer && snapshot.assignments.is_empty());
        is_ripe.then(|| {
            self.absent.extend(removed.iter().cloned());
            for name in &removed {
                self.held.remove(name);
            }
            DeltaDiscoveryResponse { removed_resources: removed, ..DeltaDiscoveryResponse::default() }
        })
    }

    /// What the proxy asks for, or has, that there is not.
    fn missing(&self, snapshot: &Snapshot) -> Vec<String> {
        let named = self.names.iter().filter(|name| name.as_str() != WILDCARD);
        let brought = self.brought.iter().filter(|name| self.wants(name) && !self.names.contains(*name));
        let known = |name: &String| snapshot.get(name).is_some() || self.absent.contains(name);
        named.chain(brought).filter(|name| !known(name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
