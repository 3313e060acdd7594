//! The registry: every provider's services, with their ids and labels, and what changed.
//!
//! It keeps each provider's last inventory, so that a provider that fails leaves its services as
//! they were. It never asks a provider anything and does no I/O, but for [asking the machine](refused) whether an
//! address is its own: inventories come in, rows go out to the [feed](crate::feed). What it remembers across restarts is kept by [`memory`].

pub mod holders;
pub mod memory;
pub mod names;
pub mod problems;
pub mod provider;
pub mod published;
pub mod refused;
pub mod state;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use taskgate_core::label::Label;
use taskgate_core::service::Protocol;
use taskgate_core::time::UnixTime;
use taskgate_core::visitor::OWN_PROVIDER;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::publisher::{Mailbox, Report};
use crate::feed::Feed;
use crate::registry::provider::ProviderStatus;
use crate::registry::published::Published;
use crate::registry::refused::RefusedEndpoint;
use crate::registry::state::{Change, State};
use crate::telemetry::metrics::{Metrics, ProviderLabels, ServiceLabels};

/// How long the registry rests after each change, so that a burst of reports is one change.
const REST: Duration = Duration::from_millis(10);

/// The registry.
#[derive(Debug)]
pub struct Registry {
    state: Mutex<State>,
    index: RwLock<HashMap<Box<str>, Arc<Published>>>,
    feed: Arc<Feed>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    changes: watch::Sender<u64>,
    named: watch::Sender<u64>,
}

impl Registry {
    /// An empty registry that feeds `feed`.
    #[must_use]
    pub fn new(feed: Arc<Feed>, clock: SharedClock, metrics: Arc<Metrics>) -> Self {
        let (changes, named) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { state: Mutex::default(), index: RwLock::default(), feed, clock, metrics, changes, named }
    }

    /// News whenever an id or a friendly name was given or taken away.
    #[must_use]
    pub fn follow_names(&self) -> watch::Receiver<u64> {
        self.named.subscribe()
    }

    /// Says which providers there are, first preferred. Services of others go.
    pub fn expect_providers(&self, names: &[&str]) {
        self.state().expect_providers(names);
    }

    /// Keeps a label for the sidecar's own service.
    pub fn reserve(&self, label: Label, key: ServiceKey) {
        self.state().reserve(label, key);
    }

    /// Refuses endpoints that are the sidecar's own listeners: a tenant must not reach them through
    /// the gate.
    pub fn refuse_endpoints(&self, own: Vec<SocketAddr>) {
        self.state().refuse_endpoints(own);
    }

    /// Refuses what operators refuse beside them.
    pub fn refuse_more(&self, more: Vec<RefusedEndpoint>) {
        let mut state = self.state();
        state.refuse_more(more);
        // Before there are services there is nothing to take back.
        if !state.services().is_empty() {
            self.publish(&mut state);
        }
    }

    /// Takes reports from the mailbox until `stop`.
    pub async fn run(self: Arc<Self>, mailbox: Arc<Mailbox>, stop: CancellationToken) {
        loop {
            let reports = tokio::select! {
                reports = mailbox.take() => reports,
                () = stop.cancelled() => return,
            };
            let registry = Arc::clone(&self);
            // Tens of thousands of rows take a while; the runtime's threads have other things to do.
            if tokio::task::spawn_blocking(move || registry.apply(reports)).await.is_err() {
                tracing::error!("applying an inventory failed; the table stays as it was");
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Takes reports and publishes what they change.
    pub fn apply(&self, reports: BTreeMap<Arc<str>, Report>) {
        let mut state = self.state();
        let now = self.clock.now();
        for (provider, report) in reports {
            match &report {
                Report::Confirmed | Report::Sees(_) => self.metrics.task_proxy.looked(true),
                Report::Failed(_) => self.metrics.task_proxy.looked(false),
                Report::Gone => {}
            }
            state.take_report(&provider, report, now);
        }
        self.publish(&mut state);
    }

    /// Publishes what changed.
    fn publish(&self, state: &mut State) {
        let started = tokio::time::Instant::now();
        let change = state.update(self.clock.now());
        let changes = state.names().changes();
        self.named.send_if_modified(|known| std::mem::replace(known, changes) != changes);
        if !change.is_empty() {
            self.index(&change);
            let number = self.feed.publish(&change.upserts, &change.removals);
            tracing::info!(
                table.number = number,
                table.upserts = change.upserts.len(),
                table.removals = change.removals.len(),
                table.services = state.services().len(),
                duration_ms = started.elapsed().as_secs_f64() * 1_000.0,
                "table changed"
            );
            self.count(&change, number);
            self.changes.send_replace(number);
        }
        if state.waits_for().is_empty() {
            self.feed.settle();
        }
        self.report(state);
    }

    /// Goes on without providers that have not published yet: proxies no longer wait for them.
    pub fn stop_waiting(&self) {
        let waits_for = self.waits_for();
        if !waits_for.is_empty() {
            tracing::error!(providers = ?waits_for, "providers have not published yet; their services are unknown to proxies from now on");
            self.feed.settle();
        }
    }

    /// The providers that have not published yet, and why where that is known.
    #[must_use]
    pub fn waits_for(&self) -> BTreeMap<String, String> {
        self.state().waits_for()
    }

    /// Whether a provider's services have the ids that others gave them, because all of those were read.
    #[must_use]
    pub fn knows_claims(&self, provider: &str) -> bool {
        self.state().knows_claims(provider)
    }

    /// How each provider is.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderStatus> {
        self.state().providers()
    }

    /// The service that a label names, by its id or another label of it.
    #[must_use]
    pub fn service(&self, label: &str) -> Option<Arc<Published>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).get(label).map(Arc::clone)
    }

    /// Every service, in the order of their names.
    #[must_use]
    pub fn services(&self) -> Vec<Arc<Published>> {
        let mut services: Vec<_> = self.state().services().values().map(Arc::clone).collect();
        services.sort_by(|left, right| left.entry.key.cmp(&right.entry.key));
        services
    }

    /// Every service of a protocol, in no order.
    #[must_use]
    pub fn services_that_speak(&self, protocol: Protocol) -> Vec<Arc<Published>> {
        let state = self.state();
        state.services().values().filter(|service| service.entry.protocol == protocol).map(Arc::clone).collect()
    }

    /// The number of the table's last change, and the news when there is another.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while applying leaves a state that the next inventory rebuilds.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self, change: &Change) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change.upserts.iter().filter_map(|upsert| upsert.before.as_ref());
        for before in change.removals.iter().chain(changed) {
            for label in before.all_labels() {
                if index.get(label).is_some_and(|other| other.id == before.id) {
                    index.remove(label);
                }
            }
        }
        for upsert in &change.upserts {
            for label in upsert.now.all_labels() {
                index.insert(label.into(), Arc::clone(&upsert.now));
            }
        }
    }

    fn count(&self, change: &Change, number: u64) {
        self.metrics.table_number.set(i64::try_from(number).unwrap_or(i64::MAX));
        let add = |service: &Published, count: i64| {
            let provider = service.provider.to_string();
            if service.has_longer_id() {
                self.metrics.id_collisions.get_or_create(&ProviderLabels { provider: provider.clone() }).inc_by(count);
            }
            let labels = ServiceLabels { provider, protocol: protocol_name(service.entry.protocol) };
            self.metrics.services.get_or_create(&labels).inc_by(count);
        };
        for service in &change.removals {
            add(service, -1);
        }
        for upsert in &change.upserts {
            // One whose id changed is among the removals too.
            if let Some(before) = upsert.before.as_ref().filter(|before| before.id == upsert.now.id) {
                add(before, -1);
            }
            add(&upsert.now, 1);
        }
    }

    fn report(&self, state: &State) {
        self.metrics.problems.clear();
        self.metrics.discovery_success.clear();
        for provider in state.providers() {
            let labels = ProviderLabels { provider: provider.name.clone() };
            let problems = i64::try_from(provider.problems.len()).unwrap_or(i64::MAX);
            self.metrics.problems.get_or_create(&labels).set(problems);
            // Counted as services come and go; here only so that it is there before the first one.
            let _ = self.metrics.id_collisions.get_or_create(&labels);
            // What the sidecar serves itself is said once: there is nothing to look at again, and to alert about.
            if provider.name == OWN_PROVIDER {
                continue;
            }
            let success = provider.last_success.map_or(0, UnixTime::as_millis);
            let seconds = Duration::from_millis(success).as_secs_f64();
            self.metrics.discovery_success.get_or_create(&labels).set(seconds);
        }
    }
}

/// A protocol's name in metrics and listings.
#[must_use]
pub const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "grpc",
        Protocol::Http => "http",
        Protocol::Tcp => "tcp",
        Protocol::WebSocket => "websocket",
    }
}

#[cfg(test)]
mod tests;
