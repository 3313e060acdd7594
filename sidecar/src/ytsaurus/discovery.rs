//! Discovery: from running operations to services, round by round.
//!
//! A round lists the operations (now and then, for that is dear), their jobs, the ports of jobs that are
//! new and what SPYT clusters wrote, all in batches. [`operation`], [`annotation`], [`spark`] and [`job`]
//! read what the cluster says; [`compose`] makes services of it.
//!
//! What can't be read or had costs its operation, job or service alone: the rest goes on, what was known
//! of that operation stays, and the reason is reported. Only when nothing can be had has the round failed.

pub mod address;
pub mod annotation;
pub mod claims;
pub mod compose;
pub mod hosts;
pub mod job;
pub mod jobs;
pub mod listing;
pub mod operation;
pub mod owners;
pub mod ports;
pub mod spark;
pub mod written;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use crate::discovery::inventory::{Entry, Inventory, Problem, ServiceKey};
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::discovery::address::HostPort;
use crate::ytsaurus::discovery::annotation::{Annotation, MAX_SERVICES, Wanted};
use crate::ytsaurus::discovery::claims::Claims;
use crate::ytsaurus::discovery::compose::{Found, Rules, services};
use crate::ytsaurus::discovery::hosts::Hosts;
use crate::ytsaurus::discovery::job::Job;
use crate::ytsaurus::discovery::jobs::{Jobs, list_jobs};
use crate::ytsaurus::discovery::listing::{ListingError, list};
use crate::ytsaurus::discovery::operation::{Offer, Operation, bounded};
use crate::ytsaurus::discovery::owners::Owners;
use crate::ytsaurus::discovery::ports::KnownPorts;
use crate::ytsaurus::discovery::spark::{CLUSTER_SERVICES, DRIVER_SERVICE, Spark};
use crate::ytsaurus::discovery::written::{Written, read_written};
use crate::ytsaurus::settings::YtsaurusSettings;

/// How long after the first round operations that could not be looked at are waited for before what is
/// seen counts as all there is. It is shorter than `discovery.startup_secs`.
const PATIENCE: Duration = Duration::from_secs(40);

/// Why a round came to nothing.
#[derive(Debug, Error)]
pub enum RoundError {
    /// Which ids services have can't be known.
    #[error("which ids services have can't be read: {0}")]
    Claims(CallError),
    /// Of no operation could the jobs be listed.
    #[error("jobs can't be listed: {0}")]
    Jobs(String),
    /// Operations could not be listed.
    #[error(transparent)]
    Listing(#[from] ListingError),
}

/// Discovery in one cluster, with what it remembers from round to round.
#[derive(Debug)]
pub struct Discovery {
    settings: Arc<YtsaurusSettings>,
    client: Client,
    listed: Option<Listed>,
    ports: KnownPorts,
    hosts: Hosts,
    owners: Owners,
    claims: Claims,
    /// Jobs and addresses as they were known last.
    jobs: Jobs,
    written: Written,
    /// The services that each operation had last.
    entries: HashMap<String, Vec<Arc<Entry>>>,
    /// When the first round began.
    first: Option<Instant>,
}

/// The operations as they were listed last.
#[derive(Debug)]
struct Listed {
    at: Instant,
    operations: Vec<Operation>,
    problems: Vec<Problem>,
}

impl Discovery {
    /// Discovery that knows nothing yet.
    #[must_use]
    pub fn new(settings: Arc<YtsaurusSettings>, client: Client) -> Self {
        Self {
            settings,
            client,
            listed: None,
            ports: KnownPorts::default(),
            hosts: Hosts::default(),
            owners: Owners::default(),
            claims: Claims::default(),
            jobs: Jobs::default(),
            written: Written::default(),
            entries: HashMap::new(),
            first: None,
        }
    }

    /// The operations as they were listed last.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.listed.iter().flat_map(|listed| &listed.operations)
    }

    /// Looks at the cluster.
    ///
    /// # Errors
    /// [`RoundError`].
    pub async fn round(&mut self) -> Result<Inventory, RoundError> {
        let started = Instant::now();
        self.first.get_or_insert(started);
        let deadline = started + self.settings.round;
        self.list_operations(started, deadline).await?;
        let Some(mut listed) = self.listed.take() else { return Ok(Inventory::default()) };
        let outcome = self.look(&mut listed, deadline).await;
        self.listed = Some(listed);
        outcome
    }

    async fn list_operations(&mut self, now: Instant, deadline: Instant) -> Result<(), RoundError> {
        let is_due = self.listed.as_ref().is_none_or(|listed| now >= listed.at + self.settings.operations_period);
        if is_due {
            let before = self.listed.as_ref().map_or(&[][..], |listed| &listed.operations);
            let mut listing = list(&self.client, &self.settings, before, deadline).await?;
            if !self.settings.spark.enabled {
                listing.operations.retain(|operation| !matches!(operation.offer, Offer::Spark(_)));
            }
            tracing::debug!(seen = listing.seen, offering = listing.operations.len(), "operations listed");
            let Self { entries, claims, client, settings, .. } = self;
            if let Some(table) = &settings.table {
                claims.refresh(client, table, deadline).await.map_err(RoundError::Claims)?;
            }
            let running: HashSet<&str> = listing.operations.iter().map(|operation| operation.id.as_str()).collect();
            entries.retain(|operation, _| running.contains(operation.as_str()));
            self.listed = Some(Listed { at: now, operations: listing.operations, problems: listing.problems });
        }
        Ok(())
    }

    async fn look(&mut self, listed: &mut Listed, deadline: Instant) -> Result<Inventory, RoundError> {
        let Self { settings, client, .. } = &*self;
        let mut written = read_written(client, &listed.operations, settings, deadline).await;
        written.fall_back(&self.written);
        let with_jobs = listed.operations.iter().filter(|operation| has_jobs(operation, &written));
        let asked: Vec<&str> = with_jobs.map(|operation| operation.id.as_str()).collect();
        let mut jobs = list_jobs(client, &asked, settings, deadline).await?;
        jobs.fall_back(&self.jobs);
        let gone = std::mem::take(&mut jobs.gone);
        listed.operations.retain(|operation| !gone.contains(&operation.id));
        self.entries.retain(|operation, _| !gone.contains(operation));
        for operation in &listed.operations {
            jobs.bound(&operation.id, &operation.offer);
        }
        self.locate(&listed.operations, &jobs, &written, deadline).await;
        let inventory = self.inventory(listed, &jobs, &written);
        (self.jobs, self.written) = (jobs, written);
        Ok(inventory)
    }

    /// Learns where jobs are: their ports, the addresses of their nodes, and whose an address is.
    async fn locate(&mut self, operations: &[Operation], jobs: &Jobs, written: &Written, deadline: Instant) {
        let Self { settings, client, ports, hosts, owners, .. } = self;
        let with_ports = operations.iter().filter(|operation| has_ports(&operation.offer));
        ports.learn(client, with_ports.flat_map(|one| jobs.of(&one.id)), settings, deadline).await;
        let nodes: HashSet<&str> = jobs.all().map(|job| job.address.host.as_str()).collect();
        hosts.look_up(&nodes, deadline).await;
        let is_spark = |operation: &Operation| matches!(operation.offer, Offer::Spark(_));
        if operations.iter().any(is_spark) || jobs.all().any(|job| job.remembered_until.is_some()) {
            let oldest_first = operations.iter().rev();
            let addresses = oldest_first.map(|one| (one.id.as_str(), addresses(one, written)));
            owners.learn(jobs, ports, hosts, addresses);
        }
    }

    fn inventory(&mut self, listed: &Listed, jobs: &Jobs, written: &Written) -> Inventory {
        let Self { settings, ports, hosts, owners, claims, entries, first, .. } = self;
        let rules = Rules {
            port_names: settings.port_names,
            forward_credential: settings.forward_credential,
            spark: settings.spark,
            hosts,
            owners,
        };
        let is_young = first.is_some_and(|first| Instant::now() < first + PATIENCE);
        let is_unlocated = |job: &Job| ports.is_unanswered(&job.id) || hosts.is_unanswered(&job.address.host);
        let mut unseen = 0_usize;
        let mut inventory = Inventory {
            services: Vec::new(),
            problems: listed.problems.clone(),
            claims: claims.claims(),
            partial: None,
        };
        for operation in &listed.operations {
            let (found, mut reasons) = found(operation, jobs, ports, written);
            let (now, wrong) = services(operation, &found, &rules);
            reasons.extend(wrong);
            let known = entries.remove(&operation.id).unwrap_or_default();
            let is_unanswered = jobs.is_unanswered(&operation.id)
                || written.is_unanswered(&operation.id)
                || found.jobs.iter().any(|(job, _)| is_unlocated(job));
            // Nothing at all is known of where it is: whoever knew more goes on with that.
            let nowhere = now.iter().all(|entry| entry.endpoints.is_empty());
            let is_unseen = is_young && is_unanswered && nowhere && known.is_empty();
            unseen += usize::from(is_unseen);
            let now = if is_unseen { Vec::new() } else { now };
            let mut now = settled(operation, now, known);
            if now.len() > MAX_SERVICES {
                now.truncate(MAX_SERVICES);
                reasons.push(format!("has had more than {MAX_SERVICES} services; the rest are left out"));
            }
            inventory.services.extend(now.iter().map(Arc::clone));
            entries.insert(operation.id.clone(), now);
            let subject = format!("operation {}", operation.id);
            let problems = bounded(reasons).into_iter().map(|reason| Problem { subject: subject.clone(), reason });
            inventory.problems.extend(problems);
        }
        if unseen > 0 {
            inventory.partial =
                Some(format!("{unseen} operations could not be looked at yet; the cluster is asked again"));
        }
        inventory
    }
}

/// What is known of an operation, and what is wrong with it.
fn found<'a>(
    operation: &Operation,
    jobs: &'a Jobs,
    ports: &KnownPorts,
    written: &'a Written,
) -> (Found<'a>, Vec<String>) {
    let mut reasons: Vec<String> = jobs.failure(&operation.id).into_iter().map(ToOwned::to_owned).collect();
    reasons.extend(written.failure(&operation.id).map(|reason| format!("{reason}; what was known of it stays")));
    reasons.extend(jobs.reasons(&operation.id).iter().cloned());
    let mut found = Found { jobs: Vec::new(), written: written.of(&operation.id) };
    for job in jobs.of(&operation.id) {
        let known = ports.of(&job.id);
        if let Err(reason) = &known {
            reasons.extend(reason.map(|reason| format!("job {}: {reason}", job.id)));
        }
        found.jobs.push((job, known.ok()));
    }
    (found, reasons)
}

/// The addresses that users wrote for an operation.
fn addresses(operation: &Operation, written: &Written) -> Vec<HostPort> {
    match &operation.offer {
        Offer::Spark(Spark::Driver(address)) => address.iter().cloned().collect(),
        Offer::Spark(Spark::Cluster(_)) => {
            let names = CLUSTER_SERVICES.iter().filter_map(|service| written.of(&operation.id)?.get(service.directory));
            names.flatten().filter_map(|name| HostPort::parse(name)).collect()
        }
        Offer::Annotated(_) => Vec::new(),
    }
}

/// The services of an operation, those that did not change as they were: the registry has the same ones.
///
/// Services that it had and has no jobs for at the moment stay: their names go on, and requests are told to
/// come back. What an annotation names is there without jobs too, so nothing is kept beyond it.
fn settled(operation: &Operation, now: Vec<Entry>, known: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
    let mut known: BTreeMap<Arc<ServiceKey>, Arc<Entry>> =
        known.into_iter().map(|entry| (Arc::clone(&entry.key), entry)).collect();
    let mut settled: Vec<Arc<Entry>> = now
        .into_iter()
        .map(|entry| match known.remove(&entry.key) {
            Some(known) if *known == entry => known,
            _ => Arc::new(entry),
        })
        .collect();
    let is = |entry: &Entry, (task, service)| entry.key.task == task && entry.key.service == service;
    let may_be = |entry: &Entry| match &operation.offer {
        Offer::Annotated(Annotation { services: Wanted::EveryPort, .. }) => !entry.alternatives.is_empty(),
        Offer::Annotated(Annotation { services: Wanted::Named(_), .. }) => false,
        Offer::Spark(Spark::Driver(_)) => is(entry, DRIVER_SERVICE),
        Offer::Spark(Spark::Cluster(_)) => CLUSTER_SERVICES.iter().any(|known| is(entry, (known.task, known.service))),
    };
    let absent = known.into_values().filter(|entry| may_be(entry));
    settled.extend(absent.map(|entry| {
        Arc::new(Entry {
            endpoints: Vec::new(),
            alias: operation.alias.clone(),
            policy: operation.policy(),
            forward_credential: false,
            names: Vec::new(),
            vouched: false,
            path: None,
            ..(*entry).clone()
        })
    }));
    settled
}

/// Whether an operation's jobs matter. Those of workers, which are many, do not.
fn has_jobs(operation: &Operation, written: &Written) -> bool {
    match &operation.offer {
        Offer::Annotated(_) | Offer::Spark(Spark::Driver(Some(_))) => true,
        Offer::Spark(Spark::Cluster(cluster)) => !cluster.annotated.is_empty() || written.of(&operation.id).is_some(),
        Offer::Spark(Spark::Driver(None)) => false,
    }
}

/// Whether their ports do.
fn has_ports(offer: &Offer) -> bool {
    match offer {
        Offer::Annotated(_) => true,
        Offer::Spark(Spark::Cluster(cluster)) => !cluster.annotated.is_empty(),
        Offer::Spark(Spark::Driver(_)) => false,
    }
}
