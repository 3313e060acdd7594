//! The registry's state, changed by reports.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;
use taskgate_core::visitor::OWN_PROVIDER;

use crate::discovery::inventory::{Claim, Entry, Problem, ServiceKey};
use crate::discovery::publisher::Report;
use crate::registry::names::friendly::HeldName;
use crate::registry::names::rules::NameRules;
use crate::registry::names::{NamedId, Names};
use crate::registry::problems::{Reasons, fair, subject};
use crate::registry::provider::{Provider, ProviderStatus};
use crate::registry::published::Published;
use crate::registry::refused::{Refused, RefusedEndpoint};

/// The registry's state.
#[derive(Debug, Default)]
pub struct State {
    providers: Vec<Provider>,
    refused: Refused,
    names: Names,
    services: HashMap<Arc<ServiceKey>, Arc<Published>>,
    pending: Pending,
}

/// An entry, and the provider that has it.
type Chosen = (Arc<str>, Arc<Entry>);

/// What reports changed since the table was last made.
#[derive(Debug, Default)]
enum Pending {
    /// Anything: all services are named and compared.
    Everything,
    /// Nothing.
    #[default]
    Nothing,
    /// These entries, of these providers, and none of their names.
    Some(Vec<Chosen>),
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

impl Pending {
    fn add(&mut self, provider: &Arc<str>, changed: Option<Vec<Arc<Entry>>>) {
        let changed = changed.map(|entries| entries.into_iter().map(|entry| (Arc::clone(provider), entry)));
        *self = match (std::mem::take(self), changed) {
            (Self::Everything, _) | (_, None) => Self::Everything,
            (Self::Nothing, Some(changed)) => Self::Some(changed.collect()),
            (Self::Some(entries), Some(changed)) => Self::Some(entries.into_iter().chain(changed).collect()),
        };
    }
}

impl State {
    /// The services that are published.
    #[must_use]
    pub fn services(&self) -> &HashMap<Arc<ServiceKey>, Arc<Published>> {
        &self.services
    }

    /// The names of services.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes names that were given in an earlier life; see [`Names::restore`].
    pub fn restore(&mut self, remembered: Vec<NamedId>, friendly: Vec<HeldName>) -> usize {
        self.names.restore(remembered, friendly)
    }

    /// Takes what holds for friendly names.
    pub fn set_name_rules(&mut self, rules: NameRules) {
        if self.names.set_rules(rules) {
            self.pending = Pending::Everything;
        }
    }

    /// Lets a friendly name go; see [`Names::release`].
    pub fn release_name(&mut self, label: &Label) -> Option<bool> {
        let released = self.names.release(label);
        if released == Some(true) {
            self.pending = Pending::Everything;
        }
        released
    }

    /// Says which providers there are, first preferred.
    pub fn expect_providers(&mut self, names: &[&str]) {
        self.pending = Pending::Everything;
        let mut known = std::mem::take(&mut self.providers);
        for name in names {
            let provider = match known.iter().position(|provider| &*provider.name == *name) {
                Some(index) => known.swap_remove(index),
                None => Provider::new(name),
            };
            self.providers.push(provider);
        }
    }

    /// Keeps a label for the sidecar's own service; see [`Names::reserve`].
    pub fn reserve(&mut self, label: Label, key: ServiceKey) {
        self.pending = Pending::Everything;
        self.names.reserve(label, key);
    }

    /// Refuses endpoints that are these listeners, but for the sidecar's own services.
    pub fn refuse_endpoints(&mut self, own: Vec<SocketAddr>) {
        self.pending = Pending::Everything;
        self.refused.set_own(own);
    }

    /// Refuses endpoints that operators refuse.
    pub fn refuse_more(&mut self, more: Vec<RefusedEndpoint>) {
        if self.refused.set_more(more) {
            self.pending = Pending::Everything;
        }
    }

    /// Takes a report; [`State::update`] does what it asks for.
    pub fn take_report(&mut self, provider: &str, report: Report, now: UnixTime) {
        let Some(known) = self.providers.iter_mut().find(|known| &*known.name == provider) else {
            // Its services went when it was no longer expected; see that they are gone from the table.
            if report == Report::Gone {
                self.pending = Pending::Everything;
            }
            return;
        };
        match report {
            Report::Confirmed => {
                if known.failure.take().is_some() {
                    tracing::info!(provider, "discovery works again");
                }
                known.last_success = Some(now);
            }
            Report::Failed(reason) => {
                if known.failure.as_ref() != Some(&reason) {
                    tracing::error!(provider, error = reason, "discovery failed; what was known stays in force");
                }
                known.failure = Some(reason);
            }
            Report::Gone => {
                let name = Arc::clone(&known.name);
                *known = Provider::new(&name);
                self.pending = Pending::Everything;
            }
            Report::Sees(inventory) => {
                let whole = inventory.partial.is_none();
                if whole {
                    known.last_success = Some(now);
                }
                known.failure = inventory.partial;
                let name = Arc::clone(&known.name);
                let claimed = known.take_claims(inventory.claims) && !self.names.agree_with(&known.claims);
                let problems = inventory.problems.into_iter().map(|problem| (problem.subject.clone(), problem));
                let changed = known.take_inventory(inventory.services, fair(problems), whole);
                self.pending.add(&name, changed.filter(|_| !claimed));
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

    /// Whether a provider's services have the ids that others gave them, because all of those were read.
    #[must_use]
    pub fn knows_claims(&self, provider: &str) -> bool {
        self.providers.iter().any(|known| &*known.name == provider && known.claims.are_whole())
    }

    /// How each provider is.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderStatus> {
        self.providers.iter().map(Provider::status).collect()
    }

    /// Packs what reports changed. Where services only moved or changed hands, that is a matter of
    /// those services and not of how many there are.
    pub fn update(&mut self, now: UnixTime) -> Change {
        if self.names.lapses_at().is_some_and(|at| at <= now) {
            self.pending = Pending::Everything;
        }
        match std::mem::take(&mut self.pending) {
            Pending::Nothing => Change::default(),
            Pending::Some(entries) => self.patch(&entries).unwrap_or_else(|| self.rebuild(now)),
            Pending::Everything => self.rebuild(now),
        }
    }

    /// Packs entries whose names did not change. None where that is not all there is to do.
    fn patch(&mut self, entries: &[(Arc<str>, Arc<Entry>)]) -> Option<Change> {
        let mut change = Change::default();
        for (provider, entry) in entries {
            // A service that is not published may be now, or may bring another to light.
            let before = self.services.get(&entry.key).filter(|before| before.provider == *provider)?;
            if self.not_theirs(provider, entry).is_some() {
                return None;
            }
            let (id, labels) = (before.id.clone(), before.labels.clone());
            let now = Published::new(id, labels, Arc::clone(provider), Arc::clone(entry)).ok()?;
            change.upserts.push(Upsert { before: Some(Arc::clone(before)), now: Arc::new(now) });
        }
        for upsert in &change.upserts {
            self.services.insert(Arc::clone(&upsert.now.entry.key), Arc::clone(&upsert.now));
        }
        Some(change)
    }

    /// Names and packs all services, and finds what changed.
    fn rebuild(&mut self, now: UnixTime) -> Change {
        let (chosen, passed_over) = self.choose();
        let entries: Vec<Arc<Entry>> = chosen.iter().map(|(_, entry)| Arc::clone(entry)).collect();
        let mut naming = Reasons::default();
        if self.providers.iter().all(|provider| provider.published) {
            self.names.settle();
        }
        let untrue = self.adopt_claims();
        let assigned = self.names.assign(&entries, now, &mut naming);
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
                    naming.add(&entry.key, error.to_string());
                    change.removals.extend(before);
                }
            }
        }
        change.removals.extend(std::mem::replace(&mut self.services, services).into_values());
        self.keep_problems(passed_over, naming, untrue);
        change
    }

    /// Takes the ids that others gave. For each provider, what it claims that can't be true.
    fn adopt_claims(&mut self) -> Vec<Vec<Problem>> {
        let mut untrue: Vec<Vec<Problem>> = self.providers.iter().map(|_| Vec::new()).collect();
        let claims = self.providers.iter().enumerate();
        let claims = claims.flat_map(|(whose, provider)| provider.claims.iter().map(move |claim| (whose, claim)));
        for (whose, Claim { key, id }) in self.names.adopt(claims) {
            let reason = format!("`{id}` is claimed for it, which is no id of these names; not taken");
            if let Some(problems) = untrue.get_mut(whose) {
                problems.push(Problem { subject: subject(key), reason });
            }
        }
        untrue
    }

    /// Why a service can't be somebody else's than the sidecar's own.
    fn not_theirs(&self, provider: &str, entry: &Entry) -> Option<String> {
        if provider == OWN_PROVIDER {
            return None;
        }
        if self.names.is_reserved(&entry.key) {
            return Some("these are the names of the sidecar's own service".to_owned());
        }
        entry.endpoints.iter().find_map(|endpoint| self.refused.reason(endpoint.address))
    }

    /// Every service once: the first provider that has it counts. For each provider, why some of its
    /// services do not.
    fn choose(&self) -> (Vec<Chosen>, Vec<Reasons>) {
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut passed_over = Vec::with_capacity(self.providers.len());
        let mut seen: HashSet<Arc<ServiceKey>> = HashSet::new();
        for provider in &self.providers {
            let mut reasons = Reasons::default();
            for entry in &provider.entries {
                let reason = if let Some(reason) = self.not_theirs(&provider.name, entry) {
                    reason
                } else if seen.insert(Arc::clone(&entry.key)) {
                    chosen.push((Arc::clone(&provider.name), Arc::clone(entry)));
                    continue;
                } else {
                    "is published twice; the first provider's counts".to_owned()
                };
                reasons.add(&entry.key, reason);
            }
            passed_over.push(reasons);
        }
        (chosen, passed_over)
    }

    /// Files what is wrong with names under the providers that it belongs to.
    fn keep_problems(&mut self, passed_over: Vec<Reasons>, mut naming: Reasons, untrue: Vec<Vec<Problem>>) {
        for ((provider, mut passed_over), untrue) in self.providers.iter_mut().zip(passed_over).zip(untrue) {
            let of_entries = provider.entries.iter().flat_map(|entry| {
                let reasons = passed_over.take(&entry.key).into_iter().chain(naming.take(&entry.key));
                reasons.map(|reason| (entry.key.operation.as_str(), Problem { subject: subject(&entry.key), reason }))
            });
            // No operation has that name.
            let of_claims = untrue.into_iter().map(|problem| ("", problem));
            let problems = fair(of_entries.chain(of_claims));
            provider.take_naming(problems);
        }
    }
}
