//! From one container and its requests to services: no I/O.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};

use crate::arvados::discovery::Workload;
use crate::arvados::discovery::memory::Memory;
use crate::arvados::discovery::ports::{self, PortAccess, quoted};
use crate::arvados::discovery::wire::{Container, Link, Request};
use crate::arvados::discovery::wishes::{self, Wishes};
use crate::arvados::network;
use crate::arvados::relay::Relay;
use crate::arvados::settings::ArvadosSettings;
use crate::arvados::uuid::Uuid;
use crate::config::arvados::PrivateLevel;
use crate::discovery::inventory::{Entry, Problem, ServiceKey};
use crate::discovery::policy::Policy;

/// The task name of all services.
pub const TASK: &str = "container";
/// The most names of one service. A row has room for one more label.
const MAX_NAMES: usize = 7;

/// What services are made with.
#[derive(Clone, Copy, Debug)]
pub struct Composing<'a> {
    /// The provider's settings.
    pub settings: &'a ArvadosSettings,
    /// The way through the controller.
    pub relay: Option<&'a Relay>,
    /// Names of ports, by request.
    pub links: &'a HashMap<Uuid, Vec<&'a Link>>,
}

/// What a container has.
#[derive(Debug)]
pub struct Seen {
    /// What is asked about it.
    pub workload: Workload,
    /// Its services.
    pub services: Vec<Entry>,
}

/// Links by the request that they name a port of.
#[must_use]
pub fn by_request(links: &[Link]) -> HashMap<Uuid, Vec<&Link>> {
    let mut by_request: HashMap<Uuid, Vec<&Link>> = HashMap::new();
    for link in links {
        by_request.entry(link.request.clone()).or_default().push(link);
    }
    by_request
}

/// Whether whoever can read a container may use its service.
#[must_use]
pub fn is_for_readers(entry: &Entry) -> bool {
    entry.policy.access == AccessLevel::CanRead
}

/// Lets everybody use a service that readers may: everybody can read the container.
pub fn open_to_all(entry: &mut Entry) {
    if is_for_readers(entry) {
        entry.policy.access = AccessLevel::Public;
    }
}

impl Composing<'_> {
    /// The services of a container, with what is wrong with it.
    #[must_use]
    pub fn services(
        &self,
        container: &Container,
        requests: &[Request],
        memory: &mut Memory,
        problems: &mut Vec<Problem>,
    ) -> Seen {
        let owner = memory.owner(container, requests);
        let mut reasons = Vec::new();
        let published = ports::read(&container.ports, &mut reasons);
        let numbers: Vec<u16> = published.keys().copied().collect();
        let mut wishes = Wishes::default();
        let mut others = Wishes::default();
        let (mut own, mut rest) = (Vec::new(), Vec::new());
        for request in requests {
            let now = Wishes::read(&request.properties, &numbers, &mut reasons);
            if let Some(honoured) = memory.honoured(request, owner.as_ref(), &now) {
                wishes = wishes.and(honoured);
                own.push(request);
            } else {
                if has_wishes(&request.properties) {
                    reasons.push(format!("properties of {} only restrict: it is not the owner's", request.uuid));
                }
                rest.push(request);
            }
            others = others.and(now);
        }
        // It may be the owner's, whose restriction must not be lost with this process's memory.
        wishes.tighten(&others, |port| published.get(&port).map(|access| self.unsaid(*access)));
        let workload = Workload { owner: owner.clone(), requests: asked_about(&own, &rest, owner.as_ref()) };
        own.append(&mut rest);
        let requests = own;
        let mut services = Vec::new();
        if !container.is_over {
            let mut ports: Vec<(u16, AccessLevel)> =
                published.iter().map(|(port, access)| (*port, self.level(*port, *access, &wishes))).collect();
            let unpublished = wishes.addresses.keys().filter(|port| !published.contains_key(port));
            if self.settings.unpublished {
                // Nobody but the owner, whatever the properties say.
                ports.extend(unpublished.map(|port| (*port, AccessLevel::Owner)));
            } else if unpublished.count() > 0 {
                reasons.push(format!("`{}` has ports that are not published", wishes::ADDRESS));
            }
            ports.truncate(ports::MAX_PORTS);
            for (port, access) in ports {
                let way = self.way(container, port, &wishes, owner.as_ref(), memory, &mut reasons);
                let names = self.names(container, &requests, port, owner.as_ref(), &mut reasons);
                services.push(entry(container, port, access, owner.as_ref(), way, names));
            }
            let links = requests.iter().filter_map(|request| self.links.get(&request.uuid)).flatten();
            reasons.extend(
                links.filter(|link| link.port.is_none()).map(|link| format!("link {}: has no port", link.uuid)),
            );
            if owner.is_none() {
                reasons.push("nobody is its owner: it has not started, and several people asked for it".into());
            }
        }
        let subject = format!("container {}", container.uuid);
        problems.extend(reasons.into_iter().map(|reason| Problem { subject: subject.clone(), reason }));
        Seen { workload, services }
    }

    fn level(&self, port: u16, access: PortAccess, wishes: &Wishes) -> AccessLevel {
        let level = wishes.access.get(&port).copied().unwrap_or_else(|| self.unsaid(access));
        if level == AccessLevel::Public && !self.settings.public { AccessLevel::CanRead } else { level }
    }

    /// The level of a published port of which nothing is said.
    fn unsaid(&self, access: PortAccess) -> AccessLevel {
        match (access, self.settings.private) {
            (PortAccess::Public, _) => AccessLevel::Public,
            (PortAccess::Private, PrivateLevel::CanManage) => AccessLevel::CanManage,
            (PortAccess::Private, PrivateLevel::CanRead) => AccessLevel::CanRead,
            (PortAccess::Private, PrivateLevel::CanWrite) => AccessLevel::CanWrite,
            (PortAccess::Private, PrivateLevel::Owner) => AccessLevel::Owner,
        }
    }

    /// How a port is reached.
    fn way(
        &self,
        container: &Container,
        port: u16,
        wishes: &Wishes,
        owner: Option<&Uuid>,
        memory: &mut Memory,
        reasons: &mut Vec<String>,
    ) -> Way {
        if !container.is_running {
            return Way::default();
        }
        if let Some(address) = wishes.addresses.get(&port) {
            let is_permitted = network::is_permitted(&self.settings.addresses, address.ip());
            if is_permitted && owner.is_some_and(|owner| memory.claim(*address, owner)) {
                return Way { address: Some(*address), is_relayed: false };
            }
            reasons.push(if is_permitted {
                format!("port {port}: `{}` is an address that a workload of somebody else has", wishes::ADDRESS)
            } else {
                format!("port {port}: `{}` is in none of the provider's `addresses`", wishes::ADDRESS)
            });
        }
        let Some(relay) = self.relay else {
            reasons.push(format!("port {port}: no permitted address is registered, and there is no other way"));
            return Way::default();
        };
        match relay.address(&container.uuid, port, ports::is_public(&container.ports, port)) {
            Ok(address) => Way { address: Some(address), is_relayed: true },
            Err(reason) => {
                reasons.push(format!("port {port}: {reason}"));
                Way::default()
            }
        }
    }

    /// The names of a port: that of the container, friendly ones, and those of its requests, of which the owner's own
    /// come first and then the oldest. However many friendly ones there are, the first request keeps its name.
    fn names(
        &self,
        container: &Container,
        requests: &[&Request],
        port: u16,
        owner: Option<&Uuid>,
        reasons: &mut Vec<String>,
    ) -> Vec<String> {
        let mut names = vec![format!("{}-{port}", container.uuid)];
        for link in requests.iter().filter_map(|request| self.links.get(&request.uuid)).flatten() {
            if link.port != Some(port) {
                continue;
            }
            match friendly(link, owner) {
                Ok(name) => names.push(name),
                Err(reason) => reasons.push(format!("link {}: {reason}", link.uuid)),
            }
        }
        names.truncate(MAX_NAMES - 1);
        names.extend(requests.iter().map(|request| format!("{}-{port}", request.uuid)));
        names.truncate(MAX_NAMES);
        names
    }
}

/// How a port is reached.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    address: Option<SocketAddr>,
    is_relayed: bool,
}

fn entry(
    container: &Container,
    port: u16,
    access: AccessLevel,
    owner: Option<&Uuid>,
    way: Way,
    names: Vec<String>,
) -> Entry {
    let service = format!("port_{port}");
    Entry {
        key: Arc::new(ServiceKey { operation: container.uuid.to_string(), task: TASK.into(), service }),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: way.address.into_iter().map(|address| Endpoint { address, weight: 1 }).collect(),
        policy: Policy { access, owner: owner.map(Uuid::to_string), grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names,
        vouched: way.is_relayed,
        path: None,
    }
}

/// The name that a link gives. Anybody can make a link to a request that they can read, so it has to be the
/// owner's.
fn friendly(link: &Link, owner: Option<&Uuid>) -> Result<String, String> {
    let name = quoted(&link.name);
    if owner.is_none() || (Some(&link.owner) != owner && link.modified_by.as_ref() != owner) {
        return Err(format!("name {name} is not the owner's"));
    }
    if Uuid::is_like_one(&link.name) {
        return Err(format!("name {name} is like that of a record"));
    }
    match Label::parse(link.name.as_bytes()) {
        Ok(label) if label.as_str() == link.name => Ok(link.name.clone()),
        Ok(_) => Err(format!("name {name} has upper case; host names have none")),
        Err(error) => Err(format!("name {name}: {error}")),
    }
}

/// The requests by which others' levels are told. Where none is known to be the owner's, as after a restart when
/// somebody else changed it last: the one that belongs to the owner, and the only one that there is.
fn asked_about(own: &[&Request], rest: &[&Request], owner: Option<&Uuid>) -> Vec<(Uuid, Uuid)> {
    let belongs = |request: &&&Request| Some(&request.owner) == owner || rest.len() == 1;
    let found: Vec<&&Request> =
        if own.is_empty() { rest.iter().filter(belongs).collect() } else { own.iter().collect() };
    found.into_iter().map(|request| (request.uuid.clone(), request.owner.clone())).collect()
}

fn has_wishes(properties: &Value) -> bool {
    [wishes::ACCESS, wishes::ADDRESS].iter().any(|name| properties.get(name).is_some())
}
