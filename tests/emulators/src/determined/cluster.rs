//! Users, their sessions, tasks, and who sees what.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

/// What the client puts before a password before it hashes it.
const SALT: &str = "GubPEmmotfiK9TMD6Zdw";

/// What kind of task it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command.
    Command,
    /// A trial of an experiment; it is in no list.
    Experiment,
    /// A notebook.
    Notebook,
    /// A shell.
    Shell,
    /// A TensorBoard.
    Tensorboard,
}

/// A port of a task.
#[derive(Clone, Debug)]
pub struct Port {
    /// The port.
    pub port: u16,
    /// Where the program listens that it leads to.
    pub upstream: SocketAddr,
    /// Whether it is TCP.
    pub tcp: bool,
    /// Whether nobody is asked who they are.
    pub unauthenticated: bool,
    /// Whether it is the one that the task's name alone leads to.
    pub default: bool,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// Whose it is.
    pub owner: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Whether it is up.
    pub running: bool,
    /// Who sees it beside its owner and administrators.
    pub shared_with: Vec<String>,
    /// A token for it alone.
    pub token: String,
    /// A shell's private key.
    pub private_key: String,
    /// Whether the master says addresses.
    pub says_addresses: bool,
}

#[derive(Clone, Debug)]
struct User {
    id: u64,
    hash: String,
    admin: bool,
    active: bool,
}

/// What the master knows.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    users: BTreeMap<String, User>,
    sessions: HashMap<String, String>,
    pub(super) tasks: BTreeMap<String, Task>,
    /// By what the proxy calls it, how many requests for a service began.
    pub(super) begun: HashMap<String, u64>,
    /// What is taken out of lists, whoever asks.
    pub(super) broken: HashSet<String>,
    made: u64,
}

// === impl Kind ===

impl Kind {
    /// What it is listed under.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Command => "commands",
            Self::Experiment => "experiments",
            Self::Notebook => "notebooks",
            Self::Shell => "shells",
            Self::Tensorboard => "tensorboards",
        }
    }

    const fn task_type(self) -> &'static str {
        match self {
            Self::Command => "TASK_TYPE_COMMAND",
            Self::Experiment => "TASK_TYPE_TRIAL",
            Self::Notebook => "TASK_TYPE_NOTEBOOK",
            Self::Shell => "TASK_TYPE_SHELL",
            Self::Tensorboard => "TASK_TYPE_TENSORBOARD",
        }
    }
}

// === impl Task ===

impl Task {
    /// A running task of that owner.
    #[must_use]
    pub fn new(id: &str, kind: Kind, owner: &str) -> Self {
        Self {
            id: id.into(),
            kind,
            owner: owner.into(),
            ports: Vec::new(),
            running: true,
            shared_with: Vec::new(),
            token: format!("v2.public.token-of-{id}"),
            private_key: format!("private-key-of-{id}"),
            says_addresses: false,
        }
    }

    /// With a port that speaks HTTP.
    #[must_use]
    pub fn port(mut self, port: u16, upstream: SocketAddr) -> Self {
        self.ports.push(Port { port, upstream, tcp: false, unauthenticated: false, default: false });
        self
    }

    /// With a port that speaks TCP.
    #[must_use]
    pub fn tcp(mut self, port: u16, upstream: SocketAddr) -> Self {
        self.ports.push(Port { port, upstream, tcp: true, unauthenticated: false, default: false });
        self
    }

    /// With the last port as the one that the task's name alone leads to.
    #[must_use]
    pub fn by_default(mut self) -> Self {
        self.ports.iter_mut().next_back().into_iter().for_each(|port| port.default = true);
        self
    }

    /// With nobody asked at the last port.
    #[must_use]
    pub fn unauthenticated(mut self) -> Self {
        self.ports.iter_mut().next_back().into_iter().for_each(|port| port.unauthenticated = true);
        self
    }

    /// Seen by that user too.
    #[must_use]
    pub fn shared_with(mut self, user: &str) -> Self {
        self.shared_with.push(user.into());
        self
    }

    /// With addresses where the master has a field for them.
    #[must_use]
    pub fn with_addresses(mut self) -> Self {
        self.says_addresses = true;
        self
    }

    /// What the proxy calls a port.
    #[must_use]
    pub fn service_id(&self, port: &Port) -> String {
        if port.default { self.id.clone() } else { format!("{}:{}", self.id, port.port) }
    }

    const fn state(&self) -> &'static str {
        if self.running { "STATE_RUNNING" } else { "STATE_PULLING" }
    }

    /// As the list of all tasks has it.
    pub(super) fn summary(&self) -> Value {
        let port = |port: &Port| {
            json!({"serviceId": self.service_id(port), "port": port.port, "proxyTcp": port.tcp,
                "unauthenticated": port.unauthenticated})
        };
        let started = json!({"resourcesId": "r", "started": {"addresses": null, "nativeResourcesId": ""}});
        json!({
            "taskId": self.id, "allocationId": format!("{}.1", self.id), "name": self.id,
            "registeredTime": "2026-01-01T00:00:00Z", "resourcePool": "default", "slotsNeeded": 0,
            "resources": if self.running { vec![started] } else { Vec::new() },
            "schedulerType": "fair_share", "priority": 42,
            "proxyPorts": self.ports.iter().map(port).collect::<Vec<_>>(),
        })
    }

    /// As the list of its kind has it, secrets included.
    pub(super) fn item(&self, user_id: u64) -> Value {
        let mut item = json!({
            "id": self.id, "description": format!("{} of {}", self.kind.list(), self.owner), "state": self.state(),
            "startTime": "2026-01-01T00:00:00Z", "container": null, "displayName": self.owner, "userId": user_id,
            "username": self.owner, "resourcePool": "default", "exitStatus": "", "jobId": "j", "workspaceId": 1,
        });
        match self.kind {
            Kind::Notebook => item["serviceAddress"] = json!(format!("/proxy/{}/?token={}", self.id, self.token)),
            Kind::Tensorboard => item["serviceAddress"] = json!(format!("/proxy/{}/", self.id)),
            Kind::Shell => {
                item["privateKey"] = json!(self.private_key);
                item["publicKey"] = json!("ssh-rsa AAAA");
                item["agentUserGroup"] = json!({"user": "root", "uid": 0, "gid": 0, "group": "root"});
                item["addresses"] = if self.says_addresses { self.addresses() } else { json!([]) };
            }
            Kind::Command | Kind::Experiment => {}
        }
        item
    }

    fn addresses(&self) -> Value {
        let address = |port: &Port| {
            json!({"container_ip": "172.17.0.2", "container_port": port.port,
                "host_ip": port.upstream.ip().to_string(), "host_port": port.upstream.port()})
        };
        self.ports.iter().map(address).collect()
    }

    /// As its own record has it.
    pub(super) fn record(&self) -> Value {
        let allocation = json!({"taskId": self.id, "allocationId": format!("{}.1", self.id), "state": self.state(),
            "isReady": self.running, "startTime": "2026-01-01T00:00:00Z", "endTime": null, "slots": 0});
        json!({"task": {"taskId": self.id, "taskType": self.kind.task_type(), "allocations": [allocation],
            "startTime": "2026-01-01T00:00:00Z", "endTime": null}})
    }
}

// === impl Cluster ===

impl Cluster {
    pub(super) fn add_user(&mut self, name: &str, password: &str, admin: bool) {
        let id = self.users.len() as u64 + 1;
        self.users.insert(name.into(), User { id, hash: hash(password), admin, active: true });
    }

    pub(super) fn set_active(&mut self, name: &str, active: bool) {
        self.users.entry(name.into()).and_modify(|user| user.active = active);
    }

    /// A session, for whoever knows the password.
    pub(super) fn login(&mut self, name: &str, password: &str, is_hashed: bool) -> Option<String> {
        let shown = if is_hashed { password.to_owned() } else { hash(password) };
        self.users.get(name).filter(|user| user.active && user.hash == shown)?;
        Some(self.begin(name))
    }

    pub(super) fn begin(&mut self, name: &str) -> String {
        self.made += 1;
        let token = format!("v2.public.session-{}-of-{name}", self.made);
        self.sessions.insert(token.clone(), name.to_owned());
        token
    }

    pub(super) fn end_sessions(&mut self, name: &str) {
        self.sessions.retain(|_, user| user != name);
    }

    pub(super) fn end_session(&mut self, token: &str) {
        self.sessions.remove(token);
    }

    /// Whose session it is, of those who are active.
    pub(super) fn holder(&self, token: &str) -> Option<String> {
        let name = self.sessions.get(token)?;
        self.users.get(name).filter(|user| user.active).map(|_| name.clone())
    }

    /// What is said of a user.
    pub(super) fn user(&self, name: &str) -> Value {
        let Some(user) = self.users.get(name) else { return Value::Null };
        json!({"id": user.id, "username": name, "admin": user.admin, "active": user.active, "agentUserGroup": null,
            "displayName": "", "modifiedAt": "2026-01-01T00:00:00Z", "remote": false,
            "lastAuthAt": "2026-01-01T00:00:00Z"})
    }

    pub(super) fn user_id(&self, name: &str) -> u64 {
        self.users.get(name).map_or(0, |user| user.id)
    }

    pub(super) fn sees(&self, name: &str, task: &Task) -> bool {
        let is_admin = self.users.get(name).is_some_and(|user| user.admin);
        is_admin || task.owner == name || task.shared_with.iter().any(|other| other == name)
    }

    /// The tasks that somebody sees.
    pub(super) fn seen<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.values().filter(move |task| self.sees(name, task))
    }

    /// The task and the port that the proxy calls so.
    pub(super) fn service(&self, id: &str) -> Option<(Task, Port)> {
        let up = self.tasks.values().filter(|task| task.running);
        let mut ports = up.flat_map(|task| task.ports.iter().map(move |port| (task, port)));
        let found = ports.find(|(task, port)| task.service_id(port) == id);
        found.map(|(task, port)| (task.clone(), port.clone()))
    }
}

/// As the client hashes it.
fn hash(password: &str) -> String {
    let mut text = String::new();
    for byte in Sha512::digest(format!("{SALT}{password}")) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
