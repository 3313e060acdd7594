//! Services as operators write them: those whose addresses are known, and those with names in their place.

use std::net::SocketAddr;
use std::sync::Arc;

use taskgate_core::service::{Endpoint, MAX_ENDPOINTS};

use crate::discovery::inventory::{Entry, Inventory, Problem};
use crate::dns::name::{DnsName, Place};
use crate::dns::names::{MAX_NAMES, Names};

/// Services as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// What needs no DNS.
    pub(super) inventory: Inventory,
    /// What does.
    pub(super) named: Vec<Named>,
}

/// A service with a name among its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Where it is written, for messages.
    pub(super) subject: String,
    /// The service, without endpoints.
    pub(super) entry: Arc<Entry>,
    /// Its endpoints as they are written, with their weights.
    pub(super) places: Vec<(Place, u8)>,
    /// The service as it was when it was last told of.
    pub(super) told: Option<Arc<Entry>>,
}

impl Written {
    /// The names in it, each as often as it is there.
    pub(super) fn names(&self) -> impl Iterator<Item = &DnsName> {
        self.named.iter().flat_map(|service| &service.places).filter_map(|(place, _)| match place {
            Place::Name(name, _) => Some(name),
            Place::Address(_) => None,
        })
    }

    /// Whether nothing has to be looked up.
    pub(super) fn is_plain(&self) -> bool {
        self.named.is_empty()
    }

    /// The services with what is known of their names.
    ///
    /// Of a service whose names nobody could say anything about yet, nothing is said: whoever knew it goes on as
    /// before. What is as it was is the very entry of the last time: whoever compares has little to do.
    pub(super) fn inventory(&mut self, names: &Names) -> Inventory {
        let mut inventory = self.inventory.clone();
        let mut waiting = None;
        for Named { subject, entry, places, told } in &mut self.named {
            let mut endpoints: Vec<Endpoint> = Vec::new();
            let mut problems = Vec::new();
            let mut is_pending = false;
            for (place, weight) in &*places {
                let (name, port) = match place {
                    Place::Address(address) => {
                        add(&mut endpoints, *address, *weight);
                        continue;
                    }
                    Place::Name(name, port) => (name, *port),
                };
                let Some(found) = names.of(name) else {
                    problems.push(format!("`{name}` is not looked up: there are more than {MAX_NAMES} names"));
                    continue;
                };
                is_pending |= found.is_pending;
                problems.extend(found.problem.clone());
                for (address, is_reserve) in &found.addresses {
                    add(&mut endpoints, SocketAddr::new(*address, port), if *is_reserve { 0 } else { *weight });
                }
            }
            if endpoints.len() > MAX_ENDPOINTS {
                problems.push(format!("its names have more than {MAX_ENDPOINTS} addresses; the first ones are used"));
                endpoints.truncate(MAX_ENDPOINTS);
            }
            if is_pending && endpoints.is_empty() {
                waiting.get_or_insert(&*subject);
                continue;
            }
            problems.dedup();
            let problems = problems.into_iter().map(|reason| Problem { subject: subject.clone(), reason });
            inventory.problems.extend(problems);
            let known = told.take().filter(|known| known.endpoints == endpoints);
            let now = known.unwrap_or_else(|| Arc::new(Entry { endpoints, ..(**entry).clone() }));
            inventory.services.push(Arc::clone(told.insert(now)));
        }
        inventory.partial = waiting.map(|subject| format!("{subject}: its names are being looked up"));
        inventory
    }
}

/// Adds an endpoint, once.
fn add(endpoints: &mut Vec<Endpoint>, address: SocketAddr, weight: u8) {
    if !endpoints.iter().any(|known| known.address == address) {
        endpoints.push(Endpoint { address, weight });
    }
}
