//! What tests hold of a cluster.

mod observe;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::cypress::{Actor, Path};
use super::error::ClusterError;
use super::faults::Fault;
use super::guid::{Guid, Kind};
use super::jobs::{Job, NodeOutage};
use super::operations::{Operation, Operations};
use super::state::State;
use super::{access, scenario, server};
use crate::yson::Yson;

/// A running cluster. Clones are of the same one; it ends when the last of them is dropped.
#[derive(Clone)]
pub struct Ytsaurus {
    state: Arc<State>,
    _running: Arc<DropGuard>,
}

impl fmt::Debug for Ytsaurus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ytsaurus").field("address", &self.state.address()).finish_non_exhaustive()
    }
}

// === impl Ytsaurus: its life ===

impl Ytsaurus {
    /// An empty cluster on a free port of loopback, which requires authentication.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// An empty cluster on that address.
    ///
    /// # Errors
    /// The address can't be bound.
    pub async fn start_on(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let state = Arc::new(State::new(listener.local_addr()?));
        let running = Arc::new(state.stop().clone().drop_guard());
        TaskTracker::new().spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self { state, _running: running })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.state.address()
    }

    /// `http://` and where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Off: connections are cut and new ones close at once. What is known stays.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.state.reachable().send_replace(is_reachable);
    }

    /// Adds what a scenario says, in YSON or JSON.
    ///
    /// # Errors
    /// It can't be read; then some of it may be there.
    pub fn play(&self, scenario: &[u8]) -> Result<(), scenario::ScenarioError> {
        scenario::play(self, scenario)
    }
}

// === impl Ytsaurus: people ===

impl Ytsaurus {
    /// Adds a user with a token.
    pub fn add_user(&self, login: &str, token: &str) {
        self.state.cluster().access.add_token(login, token);
    }

    /// Adds a value of the cookie [`COOKIE`](super::COOKIE) for a user, who is added too.
    pub fn add_cookie(&self, login: &str, value: &str) {
        self.state.cluster().access.add_cookie(login, value);
    }

    /// The token is good no more.
    pub fn revoke_token(&self, token: &str) {
        self.state.cluster().access.revoke_token(token);
    }

    /// The cookie is good no more.
    pub fn revoke_cookie(&self, value: &str) {
        self.state.cluster().access.revoke_cookie(value);
    }

    /// Adds a group with these members, users or groups; or members to a group.
    pub fn add_group(&self, group: &str, members: &[&str]) {
        let mut cluster = self.state.cluster();
        for member in members {
            cluster.access.add_member(group, member);
        }
    }

    /// Takes a member out of a group.
    pub fn remove_from_group(&self, group: &str, member: &str) {
        self.state.cluster().access.remove_member(group, member);
    }

    /// Makes a user a superuser, or an ordinary one.
    pub fn set_superuser(&self, login: &str, is_superuser: bool) {
        self.state.cluster().access.set_superuser(login, is_superuser);
    }

    /// Bans a user, or lets it in again.
    pub fn set_banned(&self, login: &str, is_banned: bool) {
        self.state.cluster().access.set_banned(login, is_banned);
    }

    /// The user may not do that (`read`, `write`, `remove`) at that path and below. `//sys/operations` is
    /// what listings of operations read.
    pub fn deny(&self, user: &str, permission: &str, path: &str) {
        self.state.cluster().access.deny(user, permission, path);
    }

    /// Takes back what [`Ytsaurus::deny`] did at that path.
    pub fn stop_denying(&self, user: &str, path: &str) {
        self.state.cluster().access.stop_denying(user, path);
    }

    /// Off: everybody is who they say, or `root`.
    pub fn require_authentication(&self, is_required: bool) {
        self.state.cluster().switches.is_authentication_required = is_required;
    }
}

// === impl Ytsaurus: operations and jobs ===

impl Ytsaurus {
    /// Adds an operation; its id. One with the same id is replaced.
    pub fn add_operation(&self, operation: Operation) -> Guid {
        let mut cluster = self.state.cluster();
        let id = Operations::requested_id(&operation).unwrap_or_else(|| cluster.guids.next(Kind::Operation));
        cluster.operations.add(id, operation);
        id
    }

    /// The operation is `completed`, and so are its jobs.
    pub fn finish_operation(&self, id: Guid) {
        let mut cluster = self.state.cluster();
        cluster.operations.set_state(id, "completed");
        for job in cluster.jobs.ids_of(id) {
            cluster.jobs.finish(job, "completed");
        }
    }

    /// The operation is in that state. Its jobs are not touched.
    pub fn set_state(&self, id: Guid, state: &str) {
        self.state.cluster().operations.set_state(id, state);
    }

    /// The operation is gone, as long after its end, with its jobs.
    pub fn remove_operation(&self, id: Guid) {
        let mut cluster = self.state.cluster();
        cluster.operations.remove(id);
        cluster.jobs.remove_all(id);
    }

    /// Replaces the annotations of an operation.
    pub fn set_annotations(&self, id: Guid, annotations: Yson) {
        self.state.cluster().operations.set_annotations(id, annotations);
    }

    /// Replaces the access list of an operation; the author stays in it.
    pub fn set_acl(&self, id: Guid, acl: Yson) {
        self.state.cluster().operations.set_acl(id, acl);
    }

    /// Adds a job to an operation; its id.
    pub fn add_job(&self, operation: Guid, job: Job) -> Guid {
        let mut cluster = self.state.cluster();
        let id = job.requested_id().unwrap_or_else(|| cluster.guids.next(Kind::Job));
        cluster.jobs.add(id, operation, job);
        id
    }

    /// The job is nowhere any more.
    pub fn remove_job(&self, id: Guid) {
        self.state.cluster().jobs.remove(id);
    }

    /// The job is in that state, which is not `running`: listings have it so, its node does not know it.
    pub fn finish_job(&self, id: Guid, state: &str) {
        self.state.cluster().jobs.finish(id, state);
    }

    /// The job is on another node.
    pub fn move_job(&self, id: Guid, address: &str) {
        self.state.cluster().jobs.relocate(id, address);
    }

    /// The job has other ports; whatever its node says.
    pub fn set_ports(&self, id: Guid, ports: Yson) {
        self.state.cluster().jobs.set_ports(id, ports);
    }

    /// Listings have the job as running and stale; its node does not know it.
    pub fn mark_stale(&self, id: Guid) {
        self.state.cluster().jobs.mark_stale(id);
    }

    /// Whether the node of a job knows it, whatever listings say.
    pub fn set_job_active(&self, id: Guid, is_active: bool) {
        self.state.cluster().jobs.set_active(id, is_active);
    }

    /// The node can't be asked about its jobs.
    pub fn set_node_offline(&self, address: &str, outage: NodeOutage) {
        self.state.cluster().jobs.set_outage(address, Some(outage));
    }

    /// The node can be asked again.
    pub fn set_node_online(&self, address: &str) {
        self.state.cluster().jobs.set_outage(address, None);
    }

    /// Whether commands whose parameters have that text somewhere are answered, alone or in a batch: it may be
    /// a node, or an operation, on which the cluster waits in vain.
    pub fn set_hanging(&self, text: &str, is_hanging: bool) {
        let hanging = &mut self.state.cluster().switches.hanging;
        hanging.retain(|known| known != text);
        if is_hanging {
            hanging.push(text.to_owned());
        }
    }

    /// Listings of the operation's jobs say that they lack something, and why; they have what there is.
    pub fn set_listing_errors(&self, operation: Guid, errors: Vec<ClusterError>) {
        self.state.cluster().jobs.set_errors(operation, errors);
    }

    /// Whether listings into the past have what started at the very cursor. The archive of a real cluster
    /// has it, Cypress, where running operations are, has not: off by default.
    pub fn set_cursor_inclusive(&self, is_inclusive: bool) {
        self.state.cluster().switches.is_cursor_inclusive = is_inclusive;
    }
}

// === impl Ytsaurus: Cypress ===

impl Ytsaurus {
    /// Sets a node, with what it takes to get there, or an attribute.
    ///
    /// # Errors
    /// Such a value can't be there, or somebody has it locked.
    pub fn set(&self, path: &str, value: Yson) -> Result<(), ClusterError> {
        let path = Path::parse(&path.into())?;
        self.state.cluster().cypress.set(&path, value, true, true, ROOT)
    }

    /// What is at a path, outside of transactions.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Yson> {
        let path = Path::parse(&path.into()).ok()?;
        self.state.cluster().cypress.get(&path, None, None).ok()
    }

    /// Removes a node with all below it.
    ///
    /// # Errors
    /// It is not there, or somebody has it locked.
    pub fn remove(&self, path: &str) -> Result<(), ClusterError> {
        let path = Path::parse(&path.into())?;
        self.state.cluster().cypress.remove(&path, true, false, ROOT)
    }

    /// The rows of a table, outside of transactions; none if there is no such table.
    #[must_use]
    pub fn rows(&self, path: &str) -> Option<Vec<Yson>> {
        let path = Path::parse(&path.into()).ok()?;
        self.state.cluster().cypress.select(&path, None).ok().map(|selection| selection.rows)
    }

    /// How often a table was written, counted when it was committed for all to see.
    #[must_use]
    pub fn writes(&self, path: &str) -> u64 {
        self.state.cluster().cypress.writes(path)
    }

    /// The transactions that are under way.
    #[must_use]
    pub fn transactions(&self) -> Vec<Guid> {
        self.state.cluster().cypress.transactions()
    }

    /// Ends a transaction, as its owner's death would.
    pub fn abort_transaction(&self, id: Guid) {
        self.state.cluster().cypress.abort(id);
    }
}

/// What the handle does, it does as root, outside of transactions.
const ROOT: Actor<'static> = Actor { user: access::ROOT, transaction: None };

// === impl Ytsaurus: trouble ===

impl Ytsaurus {
    /// The next so many calls of a command go wrong like this. `whoami`, `hosts`, `api`, `ping` and `version`
    /// are commands too, and so is `execute_batch/get`, a part of a batch, which can only be refused.
    pub fn fail(&self, command: &str, count: u64, fault: Fault) {
        self.state.faults().plan(Some(command), count, fault);
    }

    /// The next so many calls go wrong like this, whatever they are.
    pub fn fail_any(&self, count: u64, fault: Fault) {
        self.state.faults().plan(None, count, fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// This cluster is too old for that command: it is neither listed nor known.
    pub fn set_command(&self, command: &str, is_there: bool) {
        let mut cluster = self.state.cluster();
        let missing = &mut cluster.switches.missing_commands;
        missing.retain(|name| name != command);
        if !is_there {
            missing.push(command.to_owned());
        }
    }

    /// Whether streams come in frames to those that accept that.
    pub fn set_framing(&self, is_enabled: bool) {
        self.state.cluster().switches.is_framing_enabled = is_enabled;
    }
}
