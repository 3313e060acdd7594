//! From an operation, its jobs and their ports to its services.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use taskgate_core::service::{Endpoint, MAX_ENDPOINTS, Protocol};

use crate::config::ytsaurus::{ForwardCredential, PortNames, SparkConfig};
use crate::discovery::inventory::{Entry, ServiceKey};
use crate::ytsaurus::discovery::address::HostPort;
use crate::ytsaurus::discovery::annotation::{Annotation, MAX_SERVICES, NamedService, Wanted};
use crate::ytsaurus::discovery::hosts::Hosts;
use crate::ytsaurus::discovery::job::Job;
use crate::ytsaurus::discovery::operation::{Offer, Operation};
use crate::ytsaurus::discovery::owners::Owners;
use crate::ytsaurus::discovery::spark::{CLUSTER_SERVICES, ClusterService, DRIVER_SERVICE, Spark};
use crate::ytsaurus::text;

/// The ports of a job, by index; none where one is no port.
pub type Ports = Arc<[Option<u16>]>;

/// What services are made by.
#[derive(Debug)]
pub struct Rules<'a> {
    /// How services without a name are called first.
    pub port_names: PortNames,
    /// Whether operations may ask for credentials.
    pub forward_credential: ForwardCredential,
    /// Which ports users may write.
    pub spark: SparkConfig,
    /// Addresses of nodes.
    pub hosts: &'a Hosts,
    /// Who has which port.
    pub owners: &'a Owners,
}

/// What is known of an operation beside itself.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// Its running jobs, with their ports where they were given any and are known.
    pub jobs: Vec<(&'a Job, Option<Ports>)>,
    /// What the parts of a SPYT cluster wrote, by the directory they wrote it into; none unless this
    /// operation is the cluster's own.
    pub written: Option<&'a BTreeMap<&'static str, Vec<String>>>,
}

/// The services of an operation, and what is wrong with them.
#[must_use]
pub fn services(operation: &Operation, found: &Found<'_>, rules: &Rules<'_>) -> (Vec<Entry>, Vec<String>) {
    let mut composing = Composing { operation, found, rules, entries: Vec::new(), reasons: Vec::new() };
    match &operation.offer {
        Offer::Annotated(Annotation { services: Wanted::EveryPort, forward_credential }) => {
            composing.every_port(*forward_credential);
        }
        Offer::Annotated(Annotation { services: Wanted::Named(services), .. }) => {
            for service in services {
                composing.named(service);
            }
        }
        Offer::Spark(Spark::Driver(Some(address))) => {
            let (task, service) = DRIVER_SERVICE;
            composing.written_service(task, service, std::slice::from_ref(address));
        }
        Offer::Spark(Spark::Driver(None)) => {}
        Offer::Spark(Spark::Cluster(cluster)) => {
            for known in CLUSTER_SERVICES {
                composing.cluster(known, &cluster.annotated);
            }
        }
    }
    (composing.entries, composing.reasons)
}

struct Composing<'a> {
    operation: &'a Operation,
    found: &'a Found<'a>,
    rules: &'a Rules<'a>,
    entries: Vec<Entry>,
    reasons: Vec<String>,
}

impl Composing<'_> {
    /// One service for each port of each task.
    fn every_port(&mut self, forward_credential: bool) {
        let mut tasks: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for (job, ports) in &self.found.jobs {
            let count = tasks.entry(Arc::clone(&job.task)).or_default();
            *count = ports.as_ref().map_or(0, |ports| ports.len()).max(*count);
        }
        for (task, count) in tasks {
            for index in 0..count {
                if self.entries.len() == MAX_SERVICES {
                    self.reasons.push(format!("more than {MAX_SERVICES} services; the rest are left out"));
                    return;
                }
                let (name, other) = port_names(self.rules.port_names, index);
                let endpoints = self.at_port(&task, &name, index);
                self.add(&task, &name, vec![other], Protocol::Http, endpoints, forward_credential);
            }
        }
    }

    fn named(&mut self, wanted: &NamedService) {
        let endpoints = self.at_port(&wanted.task, &wanted.service, wanted.port_index);
        self.add(&wanted.task, &wanted.service, Vec::new(), wanted.protocol, endpoints, wanted.forward_credential);
        self.call_last(&wanted.names);
    }

    /// Gives the service that was added last the friendly names that it wants.
    fn call_last(&mut self, names: &[String]) {
        if let Some(entry) = self.entries.last_mut() {
            entry.names = names.to_vec();
        }
    }

    /// A service of a SPYT cluster: by the ports of its jobs where it says so, else where its parts wrote
    /// that they are.
    fn cluster(&mut self, known: ClusterService, annotated: &[NamedService]) {
        let ClusterService { task, service, directory } = known;
        let at_port = annotated.iter().find(|wanted| wanted.task == task && wanted.service == service);
        if let Some(wanted) = at_port.filter(|_| self.found.jobs.iter().any(|(job, _)| &*job.task == task)) {
            let endpoints = self.at_port(task, service, wanted.port_index);
            self.add(task, service, Vec::new(), Protocol::Http, endpoints, false);
            self.call_last(&wanted.names);
            return;
        }
        let Some(written) = self.found.written.and_then(|written| written.get(directory)) else { return };
        let (good, bad): (Vec<_>, Vec<_>) = written.iter().map(|text| HostPort::parse(text)).partition(Option::is_some);
        if !bad.is_empty() {
            self.reasons.push(format!("{} names in `{directory}` of its directory are no `host:port`", bad.len()));
        }
        let addresses: Vec<HostPort> = good.into_iter().flatten().collect();
        self.written_service(task, service, &addresses);
    }

    /// A service whose addresses a user wrote; none where none of them may be used.
    fn written_service(&mut self, task: &str, service: &str, addresses: &[HostPort]) {
        let endpoints = self.written(task, service, addresses);
        if !endpoints.is_empty() {
            self.add(task, service, Vec::new(), Protocol::Http, endpoints, false);
        }
    }

    /// The endpoints of a service at one of its jobs' ports.
    fn at_port(&mut self, task: &str, service: &str, index: usize) -> Vec<Endpoint> {
        let mut endpoints = Vec::new();
        let (mut missing, mut invalid, mut homeless, mut taken) = (0_usize, 0_usize, 0_usize, 0_usize);
        for (job, ports) in self.found.jobs.iter().filter(|(job, _)| &*job.task == task) {
            let Some(ports) = ports else { continue };
            match (ports.get(index), self.rules.hosts.of(&job.address.host).first()) {
                (None, _) => missing += 1,
                (Some(None), _) => invalid += 1,
                (Some(Some(_)), None) => homeless += 1,
                (Some(Some(port)), Some(ip)) if self.is_taken(job, *ip, *port) => taken += 1,
                (Some(Some(port)), Some(ip)) => endpoints.push(endpoint(*ip, *port)),
            }
        }
        for (count, what) in [
            (missing, format!("have no port {index}; raise `port_count` or lower `port_index`")),
            (invalid, format!("have a port {index} that is none")),
            (homeless, "are on nodes whose names have no address, or none in time".to_owned()),
            (taken, "are not listed, and other operations' jobs have their ports by now".to_owned()),
        ] {
            if count > 0 {
                self.reasons.push(format!("{}: {count} jobs {what}", place(task, service)));
            }
        }
        self.bounded(task, service, endpoints)
    }

    /// Whether a job may be over and its port someone else's.
    fn is_taken(&self, job: &Job, ip: IpAddr, port: u16) -> bool {
        job.remembered_until.is_some() && self.rules.owners.is_others(ip, port, &self.operation.id)
    }

    /// The endpoints of a service whose addresses a user wrote: those that are of the operation's own jobs.
    fn written(&mut self, task: &str, service: &str, addresses: &[HostPort]) -> Vec<Endpoint> {
        let mut endpoints = Vec::new();
        for address in addresses {
            match self.own(address) {
                Ok(ip) => endpoints.push(endpoint(ip, address.port)),
                Err(reason) => {
                    let HostPort { host, port } = address;
                    self.reasons.push(format!("{}: {host}:{port} {reason}", place(task, service)));
                }
            }
        }
        self.bounded(task, service, endpoints)
    }

    /// The IP address of an address that a user wrote.
    ///
    /// # Errors
    /// Why nobody may be sent there.
    fn own(&self, address: &HostPort) -> Result<IpAddr, &'static str> {
        let Rules { hosts, owners, spark: SparkConfig { lowest_port, highest_port, .. }, .. } = self.rules;
        if !(lowest_port..=highest_port).contains(&&address.port) {
            return Err("has a port outside `spark.lowest_port` to `highest_port`");
        }
        owners.own(address, &self.operation.id, self.found.jobs.iter().map(|(job, _)| *job), hosts)
    }

    fn bounded(&mut self, task: &str, service: &str, mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
        // Two jobs at one address are one endpoint; the order stays that of the jobs.
        let mut seen = std::collections::HashSet::new();
        endpoints.retain(|endpoint| seen.insert(endpoint.address));
        if endpoints.len() > MAX_ENDPOINTS {
            endpoints.truncate(MAX_ENDPOINTS);
            self.reasons.push(format!("{}: requests go to {MAX_ENDPOINTS} jobs alone", place(task, service)));
        }
        endpoints
    }

    fn add(
        &mut self,
        task: &str,
        service: &str,
        alternatives: Vec<String>,
        protocol: Protocol,
        endpoints: Vec<Endpoint>,
        forward_credential: bool,
    ) {
        let operation = self.operation;
        let allowed = self.rules.forward_credential == ForwardCredential::Annotated;
        if forward_credential && !allowed {
            let reason = "asks for its visitors' credentials, which `forward_credential: never` forbids";
            self.reasons.push(format!("{}: {reason}", place(task, service)));
        }
        let key = ServiceKey { operation: operation.id.clone(), task: task.into(), service: service.into() };
        self.entries.push(Entry {
            key: Arc::new(key),
            alternatives,
            alias: operation.alias.clone(),
            protocol,
            endpoints,
            policy: operation.policy(),
            forward_credential: forward_credential && allowed,
            names: Vec::new(),
            vouched: false,
            path: None,
        });
    }
}

/// A service, for a message.
fn place(task: &str, service: &str) -> String {
    format!("task {}, service {}", text::shown(task), text::shown(service))
}

fn endpoint(ip: IpAddr, port: u16) -> Endpoint {
    Endpoint { address: SocketAddr::new(ip, port), weight: 1 }
}

/// The two names of a service without one.
fn port_names(first: PortNames, index: usize) -> (String, String) {
    let (underscore, plain) = (format!("port_{index}"), format!("port{index}"));
    match first {
        PortNames::Plain => (plain, underscore),
        PortNames::Underscore => (underscore, plain),
    }
}
