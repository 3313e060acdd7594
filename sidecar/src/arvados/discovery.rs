//! From running containers to services.
//!
//! A container is the workload: it may run for many requests, of several people, and all of them lead to the
//! same services with the same policy. Its own record says which ports are published and how, since that is a
//! copy from the time when it was made, which no later request changes. Whose it is, is fixed when it starts.
//!
//! What its requests say (properties) counts where its owner wrote it; see [`memory`].

pub mod compose;
pub mod memory;
pub mod ports;
pub mod wire;
pub mod wishes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use crate::arvados::client::Client;
use crate::arvados::client::error::CallError;
use crate::arvados::client::listing::{Listed, Listing};
use crate::arvados::discovery::compose::Composing;
use crate::arvados::discovery::memory::Memory;
use crate::arvados::discovery::wire::{Container, Link, Request};
use crate::arvados::relay::Relay;
use crate::arvados::settings::ArvadosSettings;
use crate::arvados::uuid::Uuid;
use crate::discovery::inventory::{Entry, Inventory, Problem};

/// How many names of records one question has.
const BATCH: usize = 200;
/// The most services of one owner.
const MAX_OF_OWNER: usize = 256;

/// What discovery sees, again and again.
#[derive(Debug)]
pub struct Discovery {
    settings: Arc<ArvadosSettings>,
    client: Client,
    relay: Option<Arc<Relay>>,
    known: Arc<Workloads>,
    memory: Memory,
    /// Names of ports, as they were read last.
    links: Vec<Link>,
}

/// A container that runs, or will, and what is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Whose it is, where that is known.
    pub owner: Option<Uuid>,
    /// The requests by which others' levels are told: those that its owner made. Each with what it belongs to.
    pub requests: Vec<(Uuid, Uuid)>,
}

/// The workloads that discovery saw last.
#[derive(Debug, Default)]
pub struct Workloads {
    by_container: ArcSwap<HashMap<String, Workload>>,
}

impl Workloads {
    /// A workload, by its container.
    #[must_use]
    pub fn of(&self, container: &str) -> Option<Workload> {
        self.by_container.load().get(container).cloned()
    }

    /// These are the workloads now.
    pub fn replace(&self, by_container: HashMap<String, Workload>) {
        self.by_container.store(Arc::new(by_container));
    }
}

impl Discovery {
    /// Discovery in a cluster. Without a relay there is no way through the controller.
    #[must_use]
    pub fn new(
        settings: Arc<ArvadosSettings>,
        client: Client,
        relay: Option<Arc<Relay>>,
        known: Arc<Workloads>,
    ) -> Self {
        Self { settings, client, relay, known, memory: Memory::default(), links: Vec::new() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// [`CallError`]: the cluster could not be asked; nothing changed.
    pub async fn round(&mut self) -> Result<Inventory, CallError> {
        let deadline = Instant::now() + self.settings.round;
        let mut problems = Vec::new();
        let requests = self.requests(&mut problems, deadline).await?;
        let mut by_container: BTreeMap<Uuid, Vec<Request>> = BTreeMap::new();
        for request in requests {
            by_container.entry(request.container.clone()).or_default().push(request);
        }
        by_container.retain(|_, requests| requests.iter().any(Request::has_services));
        let containers = self.containers(by_container.keys(), &mut problems, deadline).await?;
        self.read_links(&mut problems, deadline).await;
        if let Some(relay) = &self.relay
            && let Err(error) = relay.learn(&self.client, part(deadline)).await
        {
            // Services with an address of their own need none of it.
            let reason = format!("the cluster does not say how its containers are called: {error}");
            problems.push(Problem { subject: "controller".into(), reason });
        }

        let present: HashSet<&Uuid> = by_container.keys().collect();
        self.memory.retain(|container| present.contains(container));
        let composing = Composing {
            settings: &self.settings,
            relay: self.relay.as_deref(),
            links: &compose::by_request(&self.links),
        };
        let mut workloads = HashMap::new();
        let mut services = Vec::new();
        // What is older has its address and its place before what is newer.
        let mut containers: Vec<Container> = containers.into_values().collect();
        containers.sort_by(|one, other| one.created_at.cmp(&other.created_at));
        for container in &containers {
            let uuid = &container.uuid;
            let Some(requests) = by_container.get(uuid) else { continue };
            let seen = composing.services(container, requests, &mut self.memory, &mut problems);
            workloads.insert(uuid.to_string(), seen.workload);
            services.extend(seen.services);
        }
        self.memory.end_round();
        bound(&mut services, &mut problems);
        let anonymous = self.anonymous(&workloads, &services, &mut problems, deadline).await?;
        let services = services.into_iter().map(|mut entry| {
            if anonymous.contains(&entry.key.operation) {
                compose::open_to_all(&mut entry);
            }
            Arc::new(entry)
        });
        let inventory = Inventory { services: services.collect(), problems, ..Inventory::default() };
        if let Some(relay) = &self.relay {
            relay.keep(&inventory);
        }
        self.known.replace(workloads);
        Ok(inventory)
    }

    async fn requests(&self, problems: &mut Vec<Problem>, deadline: Instant) -> Result<Vec<Request>, CallError> {
        let states = if self.settings.starting { json!(["Queued", "Locked", "Running"]) } else { json!(["Running"]) };
        let listing = Listing {
            path: "container_requests",
            filters: vec![json!(["state", "=", "Committed"]), json!(["container.state", "in", states])],
            select: &["owner_uuid", "modified_by_user_uuid", "container_uuid", "published_ports", "properties"],
        };
        let records = self.client.list(self.client.own_token(), &listing, deadline).await?;
        Ok(read(records, "container request", problems))
    }

    async fn containers(
        &self,
        uuids: impl Iterator<Item = &Uuid>,
        problems: &mut Vec<Problem>,
        deadline: Instant,
    ) -> Result<BTreeMap<Uuid, Container>, CallError> {
        let uuids: Vec<&str> = uuids.map(Uuid::as_str).collect();
        let mut containers = BTreeMap::new();
        for batch in uuids.chunks(BATCH) {
            let listing = Listing {
                path: "containers",
                filters: vec![json!(["uuid", "in", batch])],
                select: &["state", "published_ports", "runtime_user_uuid"],
            };
            let records = self.client.list(self.client.own_token(), &listing, deadline).await?;
            let read: Vec<Container> = read(records, "container", problems);
            containers.extend(read.into_iter().map(|container| (container.uuid.clone(), container)));
        }
        Ok(containers)
    }

    /// Reads the names of ports. Where that fails the names stay as they were: anybody can make a link, and nobody's
    /// services must depend on what others made.
    async fn read_links(&mut self, problems: &mut Vec<Problem>, deadline: Instant) {
        let listing = Listing {
            path: "links",
            filters: vec![json!(["link_class", "=", "published_port"])],
            select: &["name", "head_uuid", "owner_uuid", "modified_by_user_uuid", "properties"],
        };
        match self.client.list(self.client.own_token(), &listing, part(deadline)).await {
            Ok(listed) => self.links = read(listed, "link", problems),
            Err(error) => {
                let reason = format!("names of ports stay as they were: {error}");
                problems.push(Problem { subject: "links".into(), reason });
            }
        }
    }

    /// The containers that are shared with the anonymous user, among those whose services readers may use.
    async fn anonymous(
        &self,
        workloads: &HashMap<String, Workload>,
        services: &[Entry],
        problems: &mut Vec<Problem>,
        deadline: Instant,
    ) -> Result<BTreeSet<String>, CallError> {
        let Some(token) = self.settings.anonymous.as_ref().filter(|_| self.settings.public) else {
            return Ok(BTreeSet::new());
        };
        let mut containers: HashMap<&str, &str> = HashMap::new();
        for entry in services.iter().filter(|entry| compose::is_for_readers(entry)) {
            let requests = workloads.get(&entry.key.operation).map(|workload| workload.requests.as_slice());
            let requests = requests.unwrap_or_default().iter();
            containers.extend(requests.map(|(request, _)| (request.as_str(), entry.key.operation.as_str())));
        }
        let requests: Vec<&str> = containers.keys().copied().collect();
        let mut shared = BTreeSet::new();
        for batch in requests.chunks(BATCH) {
            let filters = vec![json!(["uuid", "in", batch])];
            let listing = Listing { path: "container_requests", filters, select: &[] };
            match self.client.list(token, &listing, deadline).await {
                Ok(listed) => {
                    let names =
                        listed.records.iter().filter_map(|record| serde_json::from_str::<Named>(record.get()).ok());
                    shared
                        .extend(names.filter_map(|named| containers.get(named.uuid.as_str())).map(ToString::to_string));
                }
                Err(CallError::Credential | CallError::Forbidden) => {
                    let reason = "the cluster rejects the anonymous user's token; nothing is open to all by sharing";
                    problems.push(Problem { subject: "anonymous_token_file".into(), reason: reason.into() });
                    return Ok(BTreeSet::new());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(shared)
    }
}

#[derive(serde::Deserialize)]
struct Named {
    uuid: String,
}

/// Half of the time that is left, for what can be done without.
fn part(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// Leaves out what one owner has too much of: the rest of the cluster needs room as well.
fn bound(services: &mut Vec<Entry>, problems: &mut Vec<Problem>) {
    let mut counts: HashMap<Option<String>, usize> = HashMap::new();
    services.retain(|entry| {
        let count = counts.entry(entry.policy.owner.clone()).or_default();
        *count += 1;
        *count <= MAX_OF_OWNER
    });
    for (owner, _) in counts.into_iter().filter(|(_, count)| *count > MAX_OF_OWNER) {
        let subject = owner.map_or_else(|| "containers without an owner".to_owned(), |owner| format!("user {owner}"));
        let reason = format!("has more than {MAX_OF_OWNER} services; the newest are left out");
        problems.push(Problem { subject, reason });
    }
}

/// Reads records one by one: what can't be read costs itself.
fn read<T: DeserializeOwned>(listed: Listed, what: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    problems.extend(listed.skipped.into_iter().map(|uuid| Problem {
        subject: format!("{what} {}", ports::quoted(&uuid)),
        reason: "the record is larger than anyone should make it; make its properties smaller".into(),
    }));
    let mut out = Vec::with_capacity(listed.records.len());
    for record in listed.records {
        match serde_json::from_str(record.get()) {
            Ok(read) => out.push(read),
            Err(_) => {
                // The name was read before: a listing goes on by it.
                let name = serde_json::from_str::<Named>(record.get()).map(|named| named.uuid).unwrap_or_default();
                let subject = format!("{what} {}", ports::quoted(&name));
                problems.push(Problem { subject, reason: "the record has other values than expected".into() });
            }
        }
    }
    out
}
