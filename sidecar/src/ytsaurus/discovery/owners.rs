//! Who has which port of which machine.
//!
//! Users write where the interfaces of SPYT are, and whoever visits such a service is authorised for the
//! writer's operation alone. So an address that is known to be someone else's is not taken: a port that was
//! given to a job of another operation, a node itself, and what another operation wrote before. Machines
//! are told by their IP addresses, for several nodes may be on one. A port that was given to nobody can't
//! be told: SPYT's drivers pick their own.
//!
//! Jobs that are remembered and not listed may be over, and their ports someone else's by now.

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
        let remembered = jobs.all().filter(|job| job.remembered_until.is_some());
        let asked = places.iter().map(|(_, port)| *port).chain(remembered.flat_map(|job| given(job, ports, hosts)));
        self.learn_given(jobs, ports, hosts, &asked.collect());
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
            let ips = hosts.of(&job.address.host).iter().filter(|ip| machines.contains(ip));
            self.nodes.extend(ips.map(|ip| (*ip, job.address.port)));
            for port in given(job, ports, hosts).filter(|port| asked.contains(port)) {
                // Of those that were listed: one that is remembered has it while nobody else does.
                if job.remembered_until.is_none() {
                    self.given.insert(port, operation.to_owned());
                } else {
                    self.given.entry(port).or_insert_with(|| operation.to_owned());
                }
            }
        }
    }

    /// Whether a port was given to a job of another operation.
    #[must_use]
    pub fn is_others(&self, ip: IpAddr, port: u16, operation: &str) -> bool {
        self.given.get(&(ip, port)).is_some_and(|owner| owner != operation)
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
        if self.is_others(ip, address.port, operation) {
            return Err("is a port of another operation's job");
        }
        // Nobody's: not learned, so nobody knows whose it is.
        if self.first.get(&port).is_none_or(|first| first != operation) {
            return Err("is what another operation wrote before");
        }
        Ok(ip)
    }
}

/// The ports that a job was given, on each address of its machine.
fn given<'a>(job: &Job, ports: &KnownPorts, hosts: &'a Hosts) -> impl Iterator<Item = Port> + use<'a> {
    let ports = ports.of(&job.id).ok();
    hosts.of(&job.address.host).iter().flat_map(move |ip| {
        let ports = ports.clone();
        let ports: Vec<u16> = ports.iter().flat_map(|ports| ports.iter().flatten().copied()).collect();
        ports.into_iter().map(|port| (*ip, port))
    })
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
