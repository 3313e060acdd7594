//! What the server and the tests share.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;

/// How many requests are remembered.
const REMEMBERED: usize = 4_096;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method that was meant.
    pub method: Method,
    /// The host that it named.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query as it came, and what a form had.
    pub parameters: String,
    /// All its headers.
    pub headers: HeaderMap,
}

/// How answers go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error with that status, instead of doing anything.
    Refuse(u16),
    /// The answer comes later.
    Delay(Duration),
    /// The connection closes before an answer.
    Close,
    /// A body that is no JSON, with status 200.
    Garbage,
    /// No answer ever comes.
    Hang,
}

/// The cluster, and what is known about its use.
pub(super) struct State {
    address: SocketAddr,
    cluster: Mutex<Cluster>,
    calls: Mutex<VecDeque<Call>>,
    /// By how the path starts, how often still, and how.
    faults: Mutex<Vec<(String, u64, Fault)>>,
    reachable: watch::Sender<bool>,
    stop: CancellationToken,
    requests: Mutex<u64>,
}

// === impl State ===

impl State {
    pub(super) fn new(address: SocketAddr) -> Self {
        let external_url = format!("http://*.containers.zzzzz.example.test:{}/", address.port());
        Self {
            address,
            cluster: Mutex::new(Cluster::new(external_url)),
            calls: Mutex::default(),
            faults: Mutex::default(),
            reachable: watch::Sender::new(true),
            stop: CancellationToken::new(),
            requests: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        lock(&self.cluster)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, VecDeque<Call>> {
        lock(&self.calls)
    }

    pub(super) fn reachable(&self) -> &watch::Sender<bool> {
        &self.reachable
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Remembers a request.
    pub(super) fn remember(&self, call: Call) {
        let mut calls = self.calls();
        if calls.len() == REMEMBERED {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// The number of the next request.
    pub(super) fn number(&self) -> u64 {
        let mut requests = lock(&self.requests);
        *requests += 1;
        *requests
    }

    /// The next so many requests whose path starts so go wrong like this.
    pub(super) fn plan(&self, path: &str, count: u64, fault: Fault) {
        lock(&self.faults).push((path.to_owned(), count, fault));
    }

    pub(super) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// What goes wrong with a request for a path.
    pub(super) fn take_fault(&self, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let planned = faults.iter_mut().find(|(start, count, _)| *count > 0 && path.starts_with(start.as_str()))?;
        planned.1 -= 1;
        let fault = planned.2.clone();
        faults.retain(|(_, count, _)| *count > 0);
        Some(fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed with the lock held must not hide behind another failure.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
