//! The registry's state, changed by reports.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;
use taskgate_core::time::UnixTime;

use crate::discovery::inventory::{Entry, Inventory, Problem, ServiceKey};
use crate::discovery::publisher::Report;
use crate::registry::names::{Names, subject};
use crate::registry::published::Published;

/// The most problems of one provider that are kept.
const MAX_PROBLEMS: usize = 1_000;

/// The registry's state.
#[derive(Debug, Default)]
pub struct State {
    providers: Vec<Provider>,
    own: Vec<SocketAddr>,
    names: Names,
    services: HashMap<Arc<ServiceKey>, Arc<Published>>,
}

/// One provider, as the registry knows it.
#[derive(Debug)]
struct Provider {
    name: Arc<str>,
    entries: Vec<Arc<Entry>>,
    published: bool,
    unread: Vec<Problem>,
    naming: Vec<Problem>,
    /// The problems before the rebuild that is under way.
    known_naming: Vec<Problem>,
    failure: Option<String>,
    last_success: Option<UnixTime>,
}

/// How a provider is.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderStatus {
    /// The provider's name.
    pub name: String,
    /// Why it could not look, where the last attempt failed.
    pub failure: Option<String>,
    /// When it last looked, in milliseconds since 1970.
    pub last_success: Option<UnixTime>,
    /// How many services it has.
    pub services: usize,
    /// What is wrong with single services, up to a bound.
    pub problems: Vec<Problem>,
}

/// A service that is new or changed.
#[derive(Clone, Debug)]
pub struct Upsert {
    /// As it was.
    pub before: Option<Arc<Published>>,
    /// As it is.
    pub now: Arc<Published>,
}

/// What a rebuild changed.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Services that are new or changed.
    pub upserts: Vec<Upsert>,
    /// Services that went.
    pub removals: Vec<Arc<Published>>,
}

impl Change {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

impl State {
    /// The services that are published.
    #[must_use]
    pub fn services(&self) -> &HashMap<Arc<ServiceKey>, Arc<Published>> {
        &self.services
    }

    /// Says which providers there are, first preferred.
    pub fn expect_providers(&mut self, names: &[&str]) {
        let mut known = std::mem::take(&mut self.providers);
        for name in names {
            let provider = match known.iter().position(|provider| &*provider.name == *name) {
                Some(index) => known.swap_remove(index),
                None => Provider::new(name),
            };
            self.providers.push(provider);
        }
    }

    /// Refuses endpoints that are these listeners.
    pub fn refuse_endpoints(&mut self, own: Vec<SocketAddr>) {
        self.own = own;
    }

    /// Takes a report; whether the table may have changed.
    pub fn take_report(&mut self, provider: &str, report: Report, now: UnixTime) -> bool {
        let Some(known) = self.providers.iter_mut().find(|known| &*known.name == provider) else {
            // Its services went when it was no longer expected; see that they are gone from the table.
            return report == Report::Gone;
        };
        match report {
            Report::Confirmed => {
                if known.failure.take().is_some() {
                    tracing::info!(provider, "discovery works again");
                }
                known.last_success = Some(now);
                false
            }
            Report::Failed(reason) => {
                if known.failure.as_ref() != Some(&reason) {
                    tracing::error!(provider, error = reason, "discovery failed; what was known stays in force");
                }
                known.failure = Some(reason);
                false
            }
            Report::Gone => {
                let name = Arc::clone(&known.name);
                *known = Provider::new(&name);
                true
            }
            Report::Sees(inventory) => {
                for problem in inventory.problems.iter().take(MAX_PROBLEMS) {
                    tracing::warn!(provider, subject = problem.subject, reason = problem.reason, "service left out");
                }
                known.failure = None;
                known.last_success = Some(now);
                known.take_inventory(inventory);
                true
            }
        }
    }

    /// The providers that have not published yet.
    #[must_use]
    pub fn waits_for(&self) -> BTreeMap<String, String> {
        let waiting = self.providers.iter().filter(|provider| !provider.published);
        let reason = |provider: &Provider| provider.failure.clone().unwrap_or_else(|| "has not published yet".into());
        waiting.map(|provider| (provider.name.to_string(), reason(provider))).collect()
    }

    /// How each provider is.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderStatus> {
        self.providers.iter().map(Provider::status).collect()
    }

    /// Names and packs all services, and finds what changed.
    pub fn rebuild(&mut self) -> Change {
        let chosen = self.choose();
        let entries: Vec<Arc<Entry>> = chosen.iter().map(|(_, entry)| Arc::clone(entry)).collect();
        let mut naming = Vec::new();
        let assigned = self.names.assign(&entries, &mut naming);
        let mut services = HashMap::with_capacity(chosen.len());
        let mut change = Change::default();
        for ((provider, entry), assigned) in chosen.into_iter().zip(assigned) {
            let Some(assigned) = assigned else { continue };
            let before = self.services.remove(&entry.key);
            let same = before.as_ref().filter(|before| {
                before.id == assigned.id
                    && before.labels == assigned.labels
                    && before.provider == provider
                    && (Arc::ptr_eq(&before.entry, &entry) || before.entry == entry)
            });
            if let Some(same) = same {
                services.insert(Arc::clone(&same.entry.key), Arc::clone(same));
                continue;
            }
            match Published::new(assigned.id, assigned.labels, provider, Arc::clone(&entry)) {
                Ok(now) => {
                    let now = Arc::new(now);
                    services.insert(Arc::clone(&entry.key), Arc::clone(&now));
                    // A service whose id changed is another row: the old one goes.
                    change.removals.extend(before.clone().filter(|before| before.id != now.id));
                    change.upserts.push(Upsert { before, now });
                }
                Err(error) => {
                    naming.push(Problem { subject: subject(&entry.key), reason: error.to_string() });
                    change.removals.extend(before);
                }
            }
        }
        change.removals.extend(std::mem::replace(&mut self.services, services).into_values());
        self.keep_problems(naming);
        change
    }

    /// Every service once: the first provider that has it counts.
    fn choose(&mut self) -> Vec<(Arc<str>, Arc<Entry>)> {
        let mut chosen: Vec<(Arc<str>, Arc<Entry>)> = Vec::new();
        let mut seen: HashSet<Arc<ServiceKey>> = HashSet::new();
        for provider in &mut self.providers {
            let mut naming = Vec::new();
            for entry in &provider.entries {
                let own = entry.endpoints.iter().find(|endpoint| is_own(&self.own, endpoint.address));
                let reason = if let Some(endpoint) = own {
                    format!("endpoint {} is the sidecar itself", endpoint.address)
                } else if seen.insert(Arc::clone(&entry.key)) {
                    chosen.push((Arc::clone(&provider.name), Arc::clone(entry)));
                    continue;
                } else {
                    "is published twice; the first provider's counts".to_owned()
                };
                naming.push(Problem { subject: subject(&entry.key), reason });
            }
            provider.known_naming = std::mem::replace(&mut provider.naming, naming);
        }
        chosen
    }

    /// Files problems with names under the providers they belong to, and logs those that are new.
    fn keep_problems(&mut self, problems: Vec<Problem>) {
        let mut by_subject: HashMap<String, Vec<Problem>> = HashMap::new();
        for problem in problems {
            by_subject.entry(problem.subject.clone()).or_default().push(problem);
        }
        for provider in &mut self.providers {
            if !by_subject.is_empty() {
                let found = provider.entries.iter().filter_map(|entry| by_subject.remove(&subject(&entry.key)));
                provider.naming.extend(found.flatten());
            }
            provider.naming.truncate(MAX_PROBLEMS);
            log_new(&provider.name, &provider.naming, &provider.known_naming);
            provider.known_naming.clear();
        }
    }
}

impl Provider {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            entries: Vec::new(),
            published: false,
            unread: Vec::new(),
            naming: Vec::new(),
            known_naming: Vec::new(),
            failure: None,
            last_success: None,
        }
    }

    /// Takes an inventory, keeping entries that did not change as they are. They count in the order
    /// of their names, so that every sidecar of a fleet comes to the same end.
    fn take_inventory(&mut self, inventory: Inventory) {
        let before: HashMap<Arc<ServiceKey>, Arc<Entry>> =
            self.entries.drain(..).map(|entry| (Arc::clone(&entry.key), entry)).collect();
        self.entries = inventory
            .services
            .into_iter()
            .map(|entry| match before.get(&entry.key) {
                Some(known) if **known == entry => Arc::clone(known),
                _ => Arc::new(entry),
            })
            .collect();
        self.entries.sort_by(|left, right| left.key.cmp(&right.key));
        self.unread = inventory.problems;
        self.unread.truncate(MAX_PROBLEMS);
        self.published = true;
    }

    fn status(&self) -> ProviderStatus {
        ProviderStatus {
            name: self.name.to_string(),
            failure: self.failure.clone(),
            last_success: self.last_success,
            services: self.entries.len(),
            problems: self.unread.iter().chain(&self.naming).take(MAX_PROBLEMS).cloned().collect(),
        }
    }
}

/// Whether an address is one of the sidecar's own listeners.
fn is_own(own: &[SocketAddr], address: SocketAddr) -> bool {
    let local = |ip: IpAddr| ip.to_canonical().is_loopback() || ip.is_unspecified();
    own.iter().any(|listener| {
        listener.port() == address.port()
            && (listener.ip().to_canonical() == address.ip().to_canonical()
                || local(listener.ip()) && local(address.ip()))
    })
}

/// Logs problems that were not known.
fn log_new(provider: &str, problems: &[Problem], known: &[Problem]) {
    let known: HashSet<(&str, &str)> = known.iter().map(|one| (one.subject.as_str(), one.reason.as_str())).collect();
    for Problem { subject, reason } in problems.iter().take(MAX_PROBLEMS) {
        if !known.contains(&(subject.as_str(), reason.as_str())) {
            tracing::warn!(provider, subject, reason, "something is wrong with a service");
        }
    }
}
