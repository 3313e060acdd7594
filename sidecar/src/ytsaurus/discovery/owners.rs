//! Who has which port of which machine.
//!
//! Users write where the interfaces of SPYT are, and whoever visits such a service is authorised for the
//! writer's operation alone. So an address that is known to be someone else's is not taken: a port that was
//! given to a job of another operation, a node itself, and what another operation wrote before. Machines
//! are told by their IP addresses, for several nodes may be on one. A port that was given to nobody can't
//! be told: SPYT's drivers pick their own.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::ytsaurus::discovery::address::HostPort;
use crate::ytsaurus::discovery::hosts::Hosts;
use crate::ytsaurus::discovery::job::Job;
use crate::ytsaurus::discovery::jobs::Jobs;
use crate::ytsaurus::discovery::ports::KnownPorts;

/// A port of a machine.
type Port = (IpAddr, u16);

/// Who has which port of which machine.
#[derive(Debug, Default)]
pub struct Owners {
    /// Of the machines on which someone wrote an address.
    nodes: HashSet<Port>,
    /// To whom addresses were given that someone wrote.
    given: HashMap<Port, String>,
    /// Who wrote an address first, and writes it still.
    first: HashMap<Port, String>,
}

impl Owners {
    /// Learns what jobs were given, and what operations write, oldest operation first.
    pub fn learn<'a>(
        &mut self,
        jobs: &Jobs,
        ports: &KnownPorts,
        hosts: &Hosts,
        written: impl Iterator<Item = (&'a str, Vec<HostPort>)>,
    ) {
        let mut places: Vec<(&str, Port)> = Vec::new();
        for (operation, addresses) in written {
            let on_node = |address: HostPort| {
                Some((operation, (on_node(&address, jobs.of(operation).iter(), hosts)?, address.port)))
            };
            places.extend(addresses.into_iter().filter_map(on_node));
        }
        self.learn_given(jobs, ports, hosts, &places.iter().map(|(_, port)| *port).collect());
        let mut first: HashMap<Port, String> = HashMap::new();
        for (operation, port) in places {
            let was_first = self.first.get(&port).is_some_and(|first| first == operation);
            if was_first || !first.contains_key(&port) {
                first.insert(port, operation.to_owned());
            }
        }
        self.first = first;
    }

    /// Learns who was given these ports. Others are nobody's question, and there are many.
    fn learn_given(&mut self, jobs: &Jobs, ports: &KnownPorts, hosts: &Hosts, asked: &HashSet<Port>) {
        self.nodes.clear();
        self.given.clear();
        let machines: HashSet<IpAddr> = asked.iter().map(|(ip, _)| *ip).collect();
        for (operation, job) in jobs.with_operations() {
            for ip in hosts.of(&job.address.host).iter().filter(|ip| machines.contains(ip)) {
                self.nodes.insert((*ip, job.address.port));
                let given = ports.of(&job.id).ok();
                for port in given.iter().flat_map(|ports| ports.iter().flatten()) {
                    if asked.contains(&(*ip, *port)) {
                        self.given.insert((*ip, *port), operation.to_owned());
                    }
                }
            }
        }
    }

    /// The IP address of an address that an operation wrote, where it may be its own.
    ///
    /// # Errors
    /// Why it is not.
    pub fn own<'a>(
        &self,
        address: &HostPort,
        operation: &str,
        jobs: impl Iterator<Item = &'a Job>,
        hosts: &Hosts,
    ) -> Result<IpAddr, &'static str> {
        let ip = on_node(address, jobs, hosts).ok_or("is on no node of its running jobs")?;
        let port = (ip, address.port);
        if self.nodes.contains(&port) {
            return Err("is a node itself");
        }
        if self.given.get(&port).is_some_and(|owner| owner != operation) {
            return Err("is a port of another operation's job");
        }
        // Nobody's: not learned, so nobody knows whose it is.
        if self.first.get(&port).is_none_or(|first| first != operation) {
            return Err("is what another operation wrote before");
        }
        Ok(ip)
    }
}

/// The IP address of an address, where it is on a node of one of these jobs.
fn on_node<'a>(address: &HostPort, mut jobs: impl Iterator<Item = &'a Job>, hosts: &Hosts) -> Option<IpAddr> {
    let literal = address.ip();
    jobs.find_map(|job| {
        let known = hosts.of(&job.address.host);
        match literal {
            Some(ip) => known.contains(&ip).then_some(ip),
            None => known.first().copied().filter(|_| job.address.host == address.host),
        }
    })
}
