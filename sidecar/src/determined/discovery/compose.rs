//! From tasks and what is known of them to services: no I/O.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use taskgate_core::address::path::is_workload;
use taskgate_core::naming::{PATH_SERVICE, PATH_TASK};
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};

use crate::arvados::network;
use crate::determined::discovery::Port;
use crate::determined::discovery::wire::{Address, Allocation, Item, ProxyPort};
use crate::determined::settings::DeterminedSettings;
use crate::discovery::inventory::{Entry, Problem, ServiceKey};
use crate::discovery::policy::Policy;

/// The most services of one task, and of one owner.
const MAX_OF_TASK: usize = 64;
const MAX_OF_OWNER: usize = 1_024;
/// The state of what is up.
const RUNNING: &str = "STATE_RUNNING";

/// What services are made with.
#[derive(Clone, Copy, Debug)]
pub struct Composing<'a> {
    /// The provider's settings.
    pub settings: &'a DeterminedSettings,
    /// What lists of kinds say, by task.
    pub items: &'a HashMap<&'a str, &'a Item>,
    /// Where proxies reach the master.
    pub master: &'a [SocketAddr],
}

/// What tasks have.
#[derive(Debug)]
pub struct Seen {
    /// Their services.
    pub services: Vec<Entry>,
    /// What is remembered of them.
    pub ports: HashMap<Arc<ServiceKey>, Port>,
}

impl Composing<'_> {
    /// The services of all tasks, with what is wrong with them.
    #[must_use]
    pub fn services(&self, allocations: &[Allocation], problems: &mut Vec<Problem>) -> Seen {
        let mut by_key: BTreeMap<Arc<ServiceKey>, (Entry, Port)> = BTreeMap::new();
        let mut of_task: HashMap<&str, usize> = HashMap::new();
        let mut of_owner: HashMap<&str, usize> = HashMap::new();
        for allocation in allocations {
            let task = allocation.task_id.as_str();
            let subject = || format!("task {}", quoted(task));
            if !is_workload(task) {
                problems.push(Problem { subject: subject(), reason: "its name can't stand in a path".into() });
                continue;
            }
            let item = self.items.get(task).copied();
            let owner = item.map(|item| item.username.as_str()).filter(|owner| !owner.is_empty());
            for port in &allocation.proxy_ports {
                let (key, seen) = match self.service(allocation, item, owner, port) {
                    Ok(service) => service,
                    Err(reason) => {
                        problems.push(Problem { subject: subject(), reason });
                        continue;
                    }
                };
                // A task that runs in several places is one service, of the first.
                if by_key.contains_key(&key) {
                    continue;
                }
                let count = of_task.entry(task).or_default();
                *count += 1;
                if *count > MAX_OF_TASK {
                    let reason = format!("has more than {MAX_OF_TASK} ports; the rest is left out");
                    problems.push(Problem { subject: subject(), reason });
                    break;
                }
                let count = of_owner.entry(owner.unwrap_or_default()).or_default();
                *count += 1;
                if owner.is_some() && *count > MAX_OF_OWNER {
                    let reason = format!("its owner has more than {MAX_OF_OWNER} ports; the rest is left out");
                    problems.push(Problem { subject: subject(), reason });
                    break;
                }
                by_key.insert(key, seen);
            }
        }
        let ports = by_key.iter().map(|(key, (_, port))| (Arc::clone(key), port.clone())).collect();
        Seen { services: by_key.into_values().map(|(entry, _)| entry).collect(), ports }
    }

    fn service(
        &self,
        allocation: &Allocation,
        item: Option<&Item>,
        owner: Option<&str>,
        port: &ProxyPort,
    ) -> Result<(Arc<ServiceKey>, (Entry, Port)), String> {
        let task = &allocation.task_id;
        let number = u16::try_from(port.port).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| "a port of it is none".to_owned())?;
        let service = number.to_string();
        // The path that leads to it is made of what was checked, and never copied.
        let is_default = port.service_id == *task;
        if !is_default && port.service_id != format!("{task}:{service}") {
            return Err(format!("the master calls its port {number} by a name of something else"));
        }
        let path = if is_default { format!("/proxy/{task}/") } else { format!("/proxy/{task}:{service}/") };
        let direct = if port.proxy_tcp { self.direct(allocation, item, number) } else { Vec::new() };
        let is_direct = !direct.is_empty();
        let is_up = item.map_or_else(|| allocation.has_resources(), |item| item.state == RUNNING);
        let addresses: &[SocketAddr] = match (is_up, is_direct) {
            (false, _) => &[],
            (true, true) => &direct,
            (true, false) => self.master,
        };
        let protocol = match (port.proxy_tcp, is_direct) {
            (true, true) => Protocol::Tcp,
            (true, false) => Protocol::WebSocket,
            (false, _) => Protocol::Http,
        };
        let is_public = port.unauthenticated && self.settings.unauthenticated;
        let access = if is_public { AccessLevel::Public } else { AccessLevel::CanRead };
        let key = Arc::new(ServiceKey { operation: task.clone(), task: PATH_TASK.into(), service });
        let entry = Entry {
            key: Arc::clone(&key),
            alternatives: if is_default { vec![PATH_SERVICE.into()] } else { Vec::new() },
            alias: None,
            protocol,
            endpoints: addresses.iter().map(|address| Endpoint { address: *address, weight: 1 }).collect(),
            policy: Policy { access, owner: owner.map(Into::into), grants: Vec::new(), revision: 0 },
            // The master is the platform itself, and asks for it again; a task never gets it from here.
            forward_credential: !is_direct,
            names: Vec::new(),
            vouched: false,
            path: (!is_direct).then(|| path.clone()),
        };
        Ok((key, (entry, Port { path, unauthenticated: port.unauthenticated })))
    }

    /// Where a port is reached without the master: where the master says, in networks that the operator named.
    fn direct(&self, allocation: &Allocation, item: Option<&Item>, port: u16) -> Vec<SocketAddr> {
        let of_item = item.map(|item| item.addresses.as_slice()).unwrap_or_default();
        let started = allocation.resources.iter().filter_map(|resource| resource.started.as_ref());
        let all = of_item.iter().chain(started.flat_map(|started| &started.addresses));
        let mut found: Vec<SocketAddr> = all
            .filter(|address| address.container_port == u32::from(port))
            .filter_map(place)
            .filter(|address| network::is_permitted(&self.settings.addresses, address.ip()))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn place(address: &Address) -> Option<SocketAddr> {
    let ip: IpAddr = address.host_ip.parse().ok()?;
    let port = u16::try_from(address.host_port).ok().filter(|port| *port > 0)?;
    Some(SocketAddr::new(network::plain(ip), port))
}

/// A name of somebody else's, short and without surprises.
fn quoted(name: &str) -> String {
    let plain = |character: char| if character.is_ascii_graphic() { character } else { '?' };
    format!("`{}`", name.chars().take(64).map(plain).collect::<String>())
}

#[cfg(test)]
mod tests;
