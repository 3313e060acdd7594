//! What the server and the tests share.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::calls::Calls;
use super::cluster::Cluster;
use super::faults::Faults;

/// The cluster, and what is known about its use.
pub(super) struct State {
    address: SocketAddr,
    cluster: Mutex<Cluster>,
    calls: Mutex<Calls>,
    faults: Mutex<Faults>,
    /// Whether connections are served or cut.
    reachable: watch::Sender<bool>,
    /// Cancelled when the emulator ends.
    stop: CancellationToken,
}

// === impl State ===

impl State {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cluster: Mutex::new(Cluster::new()),
            calls: Mutex::default(),
            faults: Mutex::default(),
            reachable: watch::Sender::new(true),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cluster, after what time has ended in it is over.
    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        let mut cluster = lock(&self.cluster);
        cluster.cypress.expire(Instant::now());
        cluster
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn reachable(&self) -> &watch::Sender<bool> {
        &self.reachable
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether this cluster is new enough for that command.
    pub(super) fn has_command(&self, name: &str) -> bool {
        !self.cluster().switches.missing_commands.iter().any(|missing| missing == name)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed with the lock held must not hide behind another failure.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
