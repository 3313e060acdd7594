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
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::arvados::client::Client;
use crate::arvados::client::error::CallError;
use crate::arvados::client::listing::Listing;
use crate::arvados::discovery::compose::Composing;
use crate::arvados::discovery::memory::Memory;
use crate::arvados::discovery::wire::{Container, Link, Request};
use crate::arvados::relay::Relay;
use crate::arvados::settings::ArvadosSettings;
use crate::arvados::uuid::Uuid;
use crate::discovery::inventory::{Inventory, Problem};

/// How many names of records one question has.
const BATCH: usize = 200;

/// What discovery sees, again and again.
#[derive(Debug)]
pub struct Discovery {
    settings: Arc<ArvadosSettings>,
    client: Client,
    relay: Option<Arc<Relay>>,
    known: Arc<Workloads>,
    memory: Memory,
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
        Self { settings, client, relay, known, memory: Memory::default() }
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
        let links = self.links(&mut problems, deadline).await?;
        if let (Some(relay), Some(controller)) = (&self.relay, &self.settings.controller)
            && controller.external_url.is_none()
        {
            relay.learn(&self.client, deadline).await?;
        }

        let present: HashSet<&Uuid> = by_container.keys().collect();
        self.memory.retain(|container| present.contains(container));
        let composing =
            Composing { settings: &self.settings, relay: self.relay.as_deref(), links: &compose::by_request(&links) };
        let mut workloads = HashMap::new();
        let mut services = Vec::new();
        for (uuid, container) in &containers {
            let Some(requests) = by_container.get(uuid) else { continue };
            let seen = composing.services(container, requests, &mut self.memory, &mut problems);
            workloads.insert(uuid.to_string(), seen.workload);
            services.extend(seen.services);
        }
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

    async fn links(&self, problems: &mut Vec<Problem>, deadline: Instant) -> Result<Vec<Link>, CallError> {
        let listing = Listing {
            path: "links",
            filters: vec![json!(["link_class", "=", "published_port"])],
            select: &["name", "head_uuid", "owner_uuid", "modified_by_user_uuid", "properties"],
        };
        let records = self.client.list(self.client.own_token(), &listing, deadline).await?;
        Ok(read(records, "link", problems))
    }

    /// The containers that are shared with the anonymous user, among those whose services readers may use.
    async fn anonymous(
        &self,
        workloads: &HashMap<String, Workload>,
        services: &[crate::discovery::inventory::Entry],
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
                Ok(records) => {
                    let names = records.iter().filter_map(|record| serde_json::from_str::<Named>(record.get()).ok());
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

/// Reads records one by one: what can't be read costs itself.
fn read<T: DeserializeOwned>(records: Vec<Box<RawValue>>, what: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let mut out = Vec::with_capacity(records.len());
    for record in records {
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
