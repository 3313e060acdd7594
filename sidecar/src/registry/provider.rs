//! One provider, as the registry knows it: what it published last, and how it is.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use taskgate_core::time::UnixTime;

use crate::discovery::inventory::{Claims, Entry, Problem};
use crate::registry::problems::MAX_PROBLEMS;

/// One provider, as the registry knows it.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: Arc<str>,
    pub(super) entries: Vec<Arc<Entry>>,
    /// Which ids others gave.
    pub(super) claims: Claims,
    pub(super) published: bool,
    pub(super) unread: Vec<Problem>,
    pub(super) naming: Vec<Problem>,
    pub(super) failure: Option<String>,
    pub(super) last_success: Option<UnixTime>,
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

impl Provider {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            entries: Vec::new(),
            claims: Claims::default(),
            published: false,
            unread: Vec::new(),
            naming: Vec::new(),
            failure: None,
            last_success: None,
        }
    }

    /// Takes which ids others gave; whether they differ from those before.
    pub(super) fn take_claims(&mut self, claims: Claims) -> bool {
        let differ = self.claims != claims;
        self.claims = claims;
        differ
    }

    /// Takes the services of an inventory, keeping entries that did not change as they are. They count in the order
    /// of their names, so that every sidecar of a fleet comes to the same end. What has to be done
    /// about it: None where services came or went or are called otherwise, else the entries to pack. The
    /// problems are already [`fair`](crate::registry::problems::fair).
    pub(super) fn take_inventory(
        &mut self,
        services: Vec<Arc<Entry>>,
        problems: Vec<Problem>,
        whole: bool,
    ) -> Option<Vec<Arc<Entry>>> {
        let changed = match replaced(&self.entries, &services) {
            Some(replaced) if self.published => self.replace(replaced),
            _ => self.merge(services, whole),
        };
        log_new(&self.name, &problems, &self.unread);
        self.unread = problems;
        changed
    }

    /// Takes entries in the places of others of the same services. The entries to pack, or None; see
    /// [`Self::take_inventory`].
    fn replace(&mut self, replaced: Vec<(usize, Arc<Entry>)>) -> Option<Vec<Arc<Entry>>> {
        let mut alike = true;
        for (place, entry) in &replaced {
            let around = [place.checked_sub(1), place.checked_add(1)];
            let mut around = around.into_iter().flatten().filter_map(|place| self.entries.get(place));
            // Which of two entries of one service counts is not decided here.
            alike &= !around.any(|other| other.key == entry.key);
            if let Some(known) = self.entries.get_mut(*place) {
                alike &= is_called_the_same(known, entry);
                *known = Arc::clone(entry);
            }
        }
        alike.then(|| replaced.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Takes entries that may have come, gone and changed places. The entries to pack, or None; see
    /// [`Self::take_inventory`].
    fn merge(&mut self, mut services: Vec<Arc<Entry>>, whole: bool) -> Option<Vec<Arc<Entry>>> {
        services.sort_by(|left, right| left.key.cmp(&right.key));
        let mut before = std::mem::take(&mut self.entries).into_iter().peekable();
        let mut changed = Some(Vec::new());
        self.entries.reserve(services.len());
        for entry in services {
            // Whoever is passed over here is gone, if this is the whole truth.
            while let Some(absent) = before.next_if(|known| known.key < entry.key) {
                if whole {
                    changed = None;
                } else {
                    self.entries.push(absent);
                }
            }
            let known = before.next_if(|known| known.key == entry.key);
            let entry = match known {
                Some(known) if Arc::ptr_eq(&known, &entry) || known == entry => known,
                Some(known) => {
                    match &mut changed {
                        Some(changed) if is_called_the_same(&known, &entry) => changed.push(Arc::clone(&entry)),
                        changed => *changed = None,
                    }
                    entry
                }
                None => {
                    changed = None;
                    entry
                }
            };
            // Which of two entries of one service counts is not decided here.
            if self.entries.last().is_some_and(|last| last.key == entry.key) {
                changed = None;
            }
            self.entries.push(entry);
        }
        if whole {
            if before.next().is_some() || !std::mem::replace(&mut self.published, true) {
                changed = None;
            }
        } else {
            self.entries.extend(before);
        }
        changed
    }

    /// Takes what is wrong with the names of services, [`fair`](crate::registry::problems::fair) already.
    pub(super) fn take_naming(&mut self, naming: Vec<Problem>) {
        log_new(&self.name, &naming, &self.naming);
        self.naming = naming;
    }

    pub(super) fn status(&self) -> ProviderStatus {
        // Neither kind hides the other.
        let unread = MAX_PROBLEMS - self.naming.len().min(MAX_PROBLEMS / 2);
        ProviderStatus {
            name: self.name.to_string(),
            failure: self.failure.clone(),
            last_success: self.last_success,
            services: self.entries.len(),
            problems: self.unread.iter().take(unread).chain(&self.naming).take(MAX_PROBLEMS).cloned().collect(),
        }
    }
}

/// The entries that are not as they were, with their places, where the services are the same ones in the same order.
/// Providers mostly say again what they said, and keep what did not change: then this looks at no more than where
/// entries lie in memory, which is what makes a change cost as much among many services as among few.
fn replaced(known: &[Arc<Entry>], services: &[Arc<Entry>]) -> Option<Vec<(usize, Arc<Entry>)>> {
    if known.len() != services.len() {
        return None;
    }
    let mut replaced = Vec::new();
    for (place, (known, entry)) in known.iter().zip(services).enumerate() {
        if Arc::ptr_eq(known, entry) {
            continue;
        }
        if known.key != entry.key {
            return None;
        }
        if known != entry {
            replaced.push((place, Arc::clone(entry)));
        }
    }
    Some(replaced)
}

/// Whether two entries of one service have the same names, and count alike.
fn is_called_the_same(left: &Entry, right: &Entry) -> bool {
    left.alternatives == right.alternatives
        && left.alias == right.alias
        && left.protocol == right.protocol
        && left.names == right.names
        && (left.names.is_empty() && left.alias.is_none() || left.policy.owner == right.policy.owner)
}

/// Logs problems that were not known.
fn log_new(provider: &str, problems: &[Problem], known: &[Problem]) {
    let known: HashSet<(&str, &str)> = known.iter().map(|one| (one.subject.as_str(), one.reason.as_str())).collect();
    for Problem { subject, reason } in problems {
        if !known.contains(&(subject.as_str(), reason.as_str())) {
            tracing::warn!(provider, subject, reason, "something is wrong with a service");
        }
    }
}
