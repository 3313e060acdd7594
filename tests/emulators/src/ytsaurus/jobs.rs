//! The jobs of operations: as listings have them, and as the nodes that run them say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::ClusterError;
use super::guid::Guid;
use super::time;
use crate::yson::{Yson, YsonMap};

/// A job to add: what a test says about it, all else is made up.
#[derive(Clone, Debug)]
pub struct Job {
    id: Option<Guid>,
    task: String,
    address: String,
    ports: Yson,
    state: String,
    cookie: Option<i64>,
    fields: YsonMap,
    absent: Vec<String>,
}

/// How a node fails that can't be asked about its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeOutage {
    /// The cluster does not know it any more: a resolve error, code 500.
    Gone,
    /// It is known and does not answer: code 105, inside another error.
    Unreachable,
}

/// A job of the cluster.
#[derive(Debug)]
pub(super) struct StoredJob {
    pub(super) operation: Guid,
    pub(super) address: String,
    pub(super) task: String,
    pub(super) state: String,
    pub(super) ports: Yson,
    /// Whether the node that runs it knows it.
    pub(super) is_active: bool,
    /// What listings say.
    pub(super) fields: YsonMap,
}

/// All jobs.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_id: HashMap<Guid, StoredJob>,
    by_operation: HashMap<Guid, BTreeSet<Guid>>,
    outages: BTreeMap<String, NodeOutage>,
    /// What listings of an operation's jobs say that they lack.
    errors: HashMap<Guid, Vec<ClusterError>>,
}

// === impl Job ===

impl Job {
    /// A running job of that task, on a made up node, without ports.
    #[must_use]
    pub fn new(task: &str) -> Self {
        Self {
            id: None,
            task: task.to_owned(),
            address: "exec-node-1.cluster.example.test:9012".to_owned(),
            ports: Vec::new().into(),
            state: "running".to_owned(),
            cookie: None,
            fields: YsonMap::new(),
            absent: Vec::new(),
        }
    }

    /// With that id, instead of a made up one.
    #[must_use]
    pub fn id(mut self, id: Guid) -> Self {
        self.id = Some(id);
        self
    }

    /// On that node, `host:port` of the node itself.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// With these ports.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = Yson::list(ports.into_iter().map(i64::from));
        self
    }

    /// What its node says when asked for its ports, whatever it is.
    #[must_use]
    pub fn ports_as(mut self, ports: Yson) -> Self {
        self.ports = ports;
        self
    }

    /// In that state, instead of `running`.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// With that index in its task, instead of the number of jobs before it.
    #[must_use]
    pub fn cookie(mut self, cookie: i64) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// With this field in listings, whatever it is.
    #[must_use]
    pub fn field(mut self, name: &str, value: Yson) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    /// Without that field in listings.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.absent.push(name.to_owned());
        self
    }

    pub(super) fn requested_id(&self) -> Option<Guid> {
        self.id
    }
}

// === impl StoredJob ===

impl StoredJob {
    /// What the node that runs it says about it.
    pub(super) fn orchid(&self) -> Yson {
        Yson::map([
            ("operation_id", Yson::from(self.operation)),
            ("job_state", Yson::from(&self.state)),
            ("job_ports", self.ports.clone()),
        ])
    }

    fn set(&mut self, name: &str, value: Yson) {
        self.fields.insert(name.into(), value);
    }
}

// === impl Jobs ===

impl Jobs {
    /// Adds a job of an operation under that id.
    pub(super) fn add(&mut self, id: Guid, operation: Guid, job: Job) {
        let siblings = self.by_operation.entry(operation).or_default();
        let cookie = job.cookie.unwrap_or_else(|| i64::try_from(siblings.len()).unwrap_or(i64::MAX));
        siblings.insert(id);
        let named = [
            ("id", Yson::from(id)),
            ("operation_id", Yson::from(operation)),
            ("allocation_id", Yson::from(id)),
            ("type", Yson::from("vanilla")),
            ("state", Yson::from(&job.state)),
            ("controller_state", Yson::from(&job.state)),
            ("address", Yson::from(&job.address)),
            ("addresses", addresses(&job.address)),
            ("task_name", Yson::from(&job.task)),
            ("start_time", time::text(time::now_micros()).into()),
            ("job_cookie", cookie.into()),
            ("pool_tree", "default".into()),
            ("has_spec", true.into()),
            ("is_stale", false.into()),
        ];
        let mut fields: YsonMap = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
        fields.extend(job.fields);
        for name in &job.absent {
            fields.remove(name.as_bytes());
        }
        let is_active = job.state == "running";
        let stored = StoredJob {
            operation,
            address: job.address,
            task: job.task,
            state: job.state,
            ports: job.ports,
            is_active,
            fields,
        };
        self.by_id.insert(id, stored);
    }

    pub(super) fn remove(&mut self, id: Guid) {
        if let Some(job) = self.by_id.remove(&id)
            && let Some(siblings) = self.by_operation.get_mut(&job.operation)
        {
            siblings.remove(&id);
        }
    }

    pub(super) fn remove_all(&mut self, operation: Guid) {
        for id in self.by_operation.remove(&operation).unwrap_or_default() {
            self.by_id.remove(&id);
        }
    }

    pub(super) fn finish(&mut self, id: Guid, state: &str) {
        let Some(job) = self.by_id.get_mut(&id) else { return };
        state.clone_into(&mut job.state);
        job.is_active = false;
        job.set("state", state.into());
        job.set("controller_state", state.into());
        job.set("finish_time", time::text(time::now_micros()).into());
    }

    pub(super) fn relocate(&mut self, id: Guid, address: &str) {
        let Some(job) = self.by_id.get_mut(&id) else { return };
        address.clone_into(&mut job.address);
        job.set("address", address.into());
        job.set("addresses", addresses(address));
    }

    pub(super) fn set_ports(&mut self, id: Guid, ports: Yson) {
        if let Some(job) = self.by_id.get_mut(&id) {
            job.ports = ports;
        }
    }

    /// Nobody runs it any more, and listings have not noticed.
    pub(super) fn mark_stale(&mut self, id: Guid) {
        let Some(job) = self.by_id.get_mut(&id) else { return };
        job.is_active = false;
        job.set("is_stale", true.into());
        job.set("archive_state", "running".into());
        job.fields.remove(b"controller_state".as_slice());
    }

    /// The node that runs it knows it, or not.
    pub(super) fn set_active(&mut self, id: Guid, is_active: bool) {
        if let Some(job) = self.by_id.get_mut(&id) {
            job.is_active = is_active;
        }
    }

    pub(super) fn set_outage(&mut self, address: &str, outage: Option<NodeOutage>) {
        match outage {
            Some(outage) => self.outages.insert(address.to_owned(), outage),
            None => self.outages.remove(address),
        };
    }

    pub(super) fn set_errors(&mut self, operation: Guid, errors: Vec<ClusterError>) {
        self.errors.insert(operation, errors);
    }

    pub(super) fn errors(&self, operation: Guid) -> Vec<Yson> {
        self.errors.get(&operation).into_iter().flatten().map(ClusterError::to_yson).collect()
    }

    pub(super) fn outage(&self, address: &str) -> Option<NodeOutage> {
        self.outages.get(address).copied()
    }

    pub(super) fn find(&self, id: Guid) -> Option<&StoredJob> {
        self.by_id.get(&id)
    }

    /// The jobs of an operation, in the order of their ids.
    pub(super) fn of(&self, operation: Guid) -> impl Iterator<Item = &StoredJob> {
        self.by_operation.get(&operation).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    pub(super) fn ids_of(&self, operation: Guid) -> Vec<Guid> {
        self.by_operation.get(&operation).into_iter().flatten().copied().collect()
    }

    /// The nodes that jobs are on.
    pub(super) fn addresses(&self) -> BTreeSet<&str> {
        self.by_id.values().map(|job| job.address.as_str()).collect()
    }

    /// The jobs that a node runs.
    pub(super) fn active_at(&self, address: &str) -> impl Iterator<Item = (Guid, &StoredJob)> {
        self.by_id.iter().filter(move |(_, job)| job.is_active && job.address == address).map(|(id, job)| (*id, job))
    }
}

fn addresses(address: &str) -> Yson {
    Yson::map([("default", address)])
}
