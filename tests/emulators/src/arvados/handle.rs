//! What tests hold of a cluster.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::permissions::Level;
use super::record::{Kind, text};
use super::state::{Call, Fault, State};
use super::uuid::{ANONYMOUS_GROUP, ANONYMOUS_USER, SYSTEM};
use super::{ports, server};

/// A running cluster. Clones are of the same one; it ends when the last of them is dropped.
#[derive(Clone)]
pub struct Arvados {
    state: Arc<State>,
    _running: Arc<DropGuard>,
}

/// A request for a container, as somebody commits it.
#[derive(Clone, Debug)]
pub struct Submission {
    user: String,
    fields: Value,
    container: Option<String>,
}

impl fmt::Debug for Arvados {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arvados").field("address", &self.state.address()).finish_non_exhaustive()
    }
}

// === impl Submission ===

impl Submission {
    /// A request of that user, in that user's own project, with no port.
    #[must_use]
    pub fn new(user: &str) -> Self {
        let fields = json!({"state": "Committed", "priority": 500, "service": true, "properties": {},
            "published_ports": {}, "owner_uuid": user});
        Self { user: user.to_owned(), fields, container: None }
    }

    /// In that project, or of that user.
    #[must_use]
    pub fn owner(self, uuid: &str) -> Self {
        self.field("owner_uuid", uuid.into())
    }

    /// With these published ports, whatever they look like.
    #[must_use]
    pub fn ports(self, ports: Value) -> Self {
        self.field("published_ports", ports)
    }

    /// With these properties.
    #[must_use]
    pub fn properties(self, properties: Value) -> Self {
        self.field("properties", properties)
    }

    /// Answered with a container that there is already.
    #[must_use]
    pub fn reusing(mut self, container: &str) -> Self {
        self.container = Some(container.to_owned());
        self
    }

    /// With another value of some field.
    #[must_use]
    pub fn field(mut self, field: &str, value: Value) -> Self {
        if let Some(fields) = self.fields.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        self
    }
}

// === impl Arvados: its life ===

impl Arvados {
    /// A cluster on a free port of loopback, with the users and groups that every one has.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
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

    /// `ExternalURL` of the service of containers. No resolver knows its names.
    #[must_use]
    pub fn external_url(&self) -> String {
        self.state.cluster().external_url.clone()
    }

    /// Another `ExternalURL`; empty where the cluster has no such service.
    pub fn set_external_url(&self, url: &str) {
        url.clone_into(&mut self.state.cluster().external_url);
    }

    /// Off: connections are cut and new ones close at once. What is known stays.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.state.reachable().send_replace(is_reachable);
    }

    /// No page has more items than that, whatever is asked for.
    pub fn set_page(&self, items: usize) {
        self.state.cluster().page = items;
    }
}

// === impl Arvados: people ===

impl Arvados {
    /// Adds a user; its name.
    #[must_use]
    pub fn add_user(&self, username: &str) -> String {
        let email = format!("{username}@example.test");
        let fields = json!({"username": username, "email": email, "full_name": username, "is_admin": false,
            "is_active": true});
        self.state.cluster().add_new(Kind::User, fields)
    }

    /// The user that stands for everybody.
    #[must_use]
    pub fn anonymous_user(&self) -> String {
        ANONYMOUS_USER.into()
    }

    /// The group that everybody is in.
    #[must_use]
    pub fn anonymous_group(&self) -> String {
        ANONYMOUS_GROUP.into()
    }

    /// The user that the system is: an administrator.
    #[must_use]
    pub fn system_user(&self) -> String {
        SYSTEM.into()
    }

    /// Makes a token that may do anything its user may: `v2/…`.
    #[must_use]
    pub fn add_token(&self, user: &str) -> String {
        self.add_scoped_token(user, &["all"])
    }

    /// Makes a token for these requests alone, as in `GET /arvados/v1/users/current`.
    #[must_use]
    pub fn add_scoped_token(&self, user: &str, scopes: &[&str]) -> String {
        let mut cluster = self.state.cluster();
        let uuid = cluster.uuids.next(Kind::ApiClientAuthorization);
        let secret = format!("{:0>50}", uuid.rsplit('-').next().unwrap_or_default());
        cluster.add(&uuid, json!({"owner_uuid": user, "api_token": secret, "scopes": scopes}));
        format!("v2/{uuid}/{secret}")
    }

    /// The token is good no more.
    pub fn revoke_token(&self, token: &str) {
        let mut cluster = self.state.cluster();
        if let Some(uuid) = token.split('/').nth(1) {
            cluster.remove(uuid);
        }
    }

    /// Adds a group: a `project`, or a `role`.
    #[must_use]
    pub fn add_group(&self, owner: &str, class: &str) -> String {
        self.state.cluster().add_new(Kind::Group, json!({"owner_uuid": owner, "name": "a group", "group_class": class}))
    }

    /// Gives a user or a role a level on something; the name of the link.
    #[must_use]
    pub fn share(&self, tail: &str, head: &str, level: Level) -> String {
        let fields = json!({"link_class": "permission", "name": level.name(), "tail_uuid": tail, "head_uuid": head,
            "owner_uuid": SYSTEM});
        self.state.cluster().add_new(Kind::Link, fields)
    }
}

// === impl Arvados: records ===

impl Arvados {
    /// Commits a request; its name, and its container's, which is queued if it is new.
    #[must_use]
    pub fn submit(&self, submission: Submission) -> (String, String) {
        let mut cluster = self.state.cluster();
        let Submission { user, mut fields, container } = submission;
        let ports = fields.get("published_ports").cloned().unwrap_or_default();
        let new = json!({"state": "Queued", "published_ports": ports, "service": true, "owner_uuid": SYSTEM});
        let container = container.unwrap_or_else(|| cluster.add_new(Kind::Container, new));
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("container_uuid".into(), container.clone().into());
            fields.insert("modified_by_user_uuid".into(), user.into());
        }
        (cluster.add_new(Kind::ContainerRequest, fields), container)
    }

    /// The container runs, as that user, and its ports have addresses.
    pub fn run(&self, container: &str, user: &str) {
        let mut cluster = self.state.cluster();
        let ports = cluster.find(container).and_then(|container| container.get("published_ports")).cloned();
        let ports = ports::assigned(&ports.unwrap_or_default(), container, &cluster.external_url);
        let moment = cluster.moment();
        let fields = json!({"state": "Running", "started_at": moment, "published_ports": ports,
            "runtime_user_uuid": user});
        cluster.change(container, SYSTEM, fields);
    }

    /// Commits a request whose container runs at once.
    #[must_use]
    pub fn start_service(&self, submission: Submission) -> (String, String) {
        let user = submission.user.clone();
        let (request, container) = self.submit(submission);
        self.run(&container, &user);
        (request, container)
    }

    /// The container is in that state; `Complete` and `Cancelled` finish its requests too.
    pub fn set_state(&self, container: &str, state: &str) {
        let mut cluster = self.state.cluster();
        cluster.change(container, SYSTEM, json!({"state": state}));
        if matches!(state, "Complete" | "Cancelled") {
            let requests: Vec<String> =
                cluster.requests_of(container).map(|request| text(request, "uuid").to_owned()).collect();
            for request in requests {
                cluster.change(&request, SYSTEM, json!({"state": "Final"}));
            }
        }
    }

    /// Names a port of a request, as that user; the link.
    #[must_use]
    pub fn name_port(&self, owner: &str, name: &str, request: &str, port: u16) -> String {
        let fields = json!({"link_class": "published_port", "name": name, "head_uuid": request,
            "properties": {"port": port}, "owner_uuid": owner});
        self.state.cluster().add_new(Kind::Link, fields)
    }

    /// Changes fields of a record, as that user, whatever they are.
    pub fn change(&self, uuid: &str, by: &str, fields: Value) {
        self.state.cluster().change(uuid, by, fields);
    }

    /// Takes a record away.
    pub fn remove(&self, uuid: &str) {
        self.state.cluster().remove(uuid);
    }

    /// A field of a record.
    #[must_use]
    pub fn field(&self, uuid: &str, field: &str) -> Value {
        self.state.cluster().find(uuid).and_then(|record| record.get(field)).cloned().unwrap_or_default()
    }

    /// Where the program listens that a port of a container leads to.
    pub fn serve(&self, container: &str, port: u16, address: SocketAddr) {
        self.state.cluster().served.insert((container.to_owned(), port), address);
    }
}

// === impl Arvados: trouble, and what happened ===

impl Arvados {
    /// The next so many requests whose path starts so go wrong like this.
    pub fn fail(&self, path: &str, count: u64, fault: Fault) {
        self.state.plan(path, count, fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state.clear_faults();
    }

    /// The last requests whose path starts so, oldest first.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<Call> {
        self.state.calls().iter().filter(|call| call.path.starts_with(path)).cloned().collect()
    }

    /// Forgets what was asked.
    pub fn reset_calls(&self) {
        self.state.calls().clear();
    }
}
