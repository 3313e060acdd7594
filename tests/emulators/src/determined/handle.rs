//! What tests hold of a master.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::cluster::Task;
use super::server::{self, Call, State};

/// A running master. Clones are of the same one; it ends when the last of them is dropped.
#[derive(Clone)]
pub struct Determined {
    state: Arc<State>,
    _running: Arc<DropGuard>,
}

impl fmt::Debug for Determined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Determined").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Determined {
    /// Starts a master without users on a free port of loopback.
    ///
    /// # Errors
    /// It can't listen.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let state = Arc::new(State::new(listener.local_addr()?));
        TaskTracker::new().spawn(server::serve(listener, Arc::clone(&state)));
        let running = Arc::new(state.stop().clone().drop_guard());
        Ok(Self { state, _running: running })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.state.address()
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Adds a user.
    pub fn add_user(&self, name: &str, password: &str) {
        self.state.cluster().add_user(name, password, false);
    }

    /// Adds a user who sees everything.
    pub fn add_admin(&self, name: &str, password: &str) {
        self.state.cluster().add_user(name, password, true);
    }

    /// A user is active, or is not any more.
    pub fn set_active(&self, name: &str, active: bool) {
        self.state.cluster().set_active(name, active);
    }

    /// A session of a user.
    #[must_use]
    pub fn session(&self, name: &str) -> String {
        self.state.cluster().begin(name)
    }

    /// Ends all sessions of a user.
    pub fn end_sessions(&self, name: &str) {
        self.state.cluster().end_sessions(name);
    }

    /// Ends one session.
    pub fn end_session(&self, session: &str) {
        self.state.cluster().end_session(session);
    }

    /// A task is there, as it is now.
    pub fn set_task(&self, task: Task) {
        self.state.cluster().tasks.insert(task.id.clone(), task);
    }

    /// A task has ended.
    pub fn remove_task(&self, id: &str) {
        self.state.cluster().tasks.remove(id);
    }

    /// How many requests for a service began: what the master's watcher of idle tasks looks at.
    #[must_use]
    pub fn begun(&self, service: &str) -> u64 {
        self.state.cluster().begun.get(service).copied().unwrap_or_default()
    }

    /// Requests whose path starts so are answered with that status from now on; none: as they should be.
    pub fn break_paths(&self, path: &str, status: Option<StatusCode>) {
        self.state.break_paths(path, status);
    }

    /// A list has an item that is none.
    pub fn break_list(&self, list: &str) {
        self.state.cluster().broken.insert(list.into());
    }

    /// The last requests whose path starts so, oldest first.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<Call> {
        self.state.calls().iter().filter(|call| call.path.starts_with(path)).cloned().collect()
    }
}
