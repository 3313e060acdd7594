//! Which service has which id and which label.
//!
//! Ids are suffixes of a digest, so two services can want the same one: by chance, or because
//! someone searched for a name that collides. Who was seen first keeps the short id, also through a
//! while of absence, and for longer than this process lives where it is [kept](crate::registry::memory).
//! Services that are new at the same time count in the order of their names, so that every sidecar of
//! a fleet gives the same ids on a fresh start. Where sidecars saw them in another order, what one of
//! them published ([`Claim`]) wins over what another gave by itself.
//!
//! An id always wins over an alias label. Among alias labels, who has one keeps it.

mod ids;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::naming::alias_label;
use taskgate_core::service::{InvalidService, MAX_LABELS};

use crate::discovery::inventory::{Claim, Claims, Entry, ServiceKey};
use crate::registry::names::ids::{Ids, is_publishable};
use crate::registry::problems::{Reasons, subject};

pub use crate::registry::names::ids::NamedId;

/// Which service has which id and which label.
#[derive(Debug, Default)]
pub struct Names {
    ids: Ids,
    aliases: HashMap<Label, Arc<ServiceKey>>,
    /// The label of the sidecar's own service, and that service.
    own: Option<(Label, Arc<ServiceKey>)>,
}

/// The names of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The canonical id.
    pub id: Label,
    /// Other labels.
    pub labels: Vec<Label>,
}

impl Names {
    /// Takes ids that were given in an earlier life, who went first before the others. How many were
    /// left out because the id or the service is there already.
    pub fn restore(&mut self, remembered: Vec<NamedId>) -> usize {
        self.ids.restore(remembered)
    }

    /// Keeps a label for one service, which must not be like an id.
    pub fn reserve(&mut self, label: Label, key: ServiceKey) {
        self.aliases.remove(&label);
        self.own = Some((label, Arc::new(key)));
    }

    /// Whether a label is kept for these names.
    #[must_use]
    pub fn is_reserved(&self, key: &ServiceKey) -> bool {
        self.own.as_ref().is_some_and(|(_, own)| **own == *key)
    }

    /// The ids to remember: those of services that went, first who went first, then the others in no
    /// order. How many are of services that went.
    #[must_use]
    pub fn remembered(&self) -> (Vec<NamedId>, usize) {
        self.ids.remembered()
    }

    /// How often an id was given or taken away.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.ids.changes()
    }

    /// Every provider has published: of services that are not wanted now only so many are remembered.
    pub fn settle(&mut self) {
        self.ids.settle();
    }

    /// Whether all of these ids are in force.
    #[must_use]
    pub fn agree_with(&self, claims: &Claims) -> bool {
        claims.iter().all(|claim| self.ids.id(&claim.key) == Some(&claim.id))
    }

    /// Takes ids that others gave; to be followed by [`Names::assign`], which names anew who lost an
    /// id. Claims of names that nobody wants now are remembered as those of services that went. Of claims
    /// that contradict each other the first counts. Those that can't be true are not taken: they come
    /// back, each with whose it is.
    pub fn adopt<'a, Whose>(
        &mut self,
        claims: impl IntoIterator<Item = (Whose, &'a Claim)>,
    ) -> Vec<(Whose, &'a Claim)> {
        self.ids.adopt(claims)
    }

    /// Names services. `entries` are in the order in which they count, with distinct keys; the
    /// result is in the same order, with none where a service can't be named.
    pub fn assign(&mut self, entries: &[Arc<Entry>], problems: &mut Reasons) -> Vec<Option<Assigned>> {
        let wanted = wanted_ids(entries, problems);
        self.ids.assign(&wanted, problems);
        let aliases: Vec<Vec<Label>> = entries.iter().map(|entry| alias_labels(entry)).collect();
        self.release_aliases(entries, &aliases);
        let named = entries.iter().zip(aliases).map(|(entry, aliases)| {
            let id = self.ids.id(&entry.key).filter(|_| wanted.get(&entry.key) == Some(&entry.key))?.clone();
            let labels = self.labels(entry, &id, aliases, &wanted, problems);
            Some(Assigned { id, labels })
        });
        named.collect()
    }

    /// Forgets who has an alias label that its service no longer wants.
    fn release_aliases(&mut self, entries: &[Arc<Entry>], aliases: &[Vec<Label>]) {
        if self.aliases.is_empty() {
            return;
        }
        let wanted: HashSet<(&Label, &Arc<ServiceKey>)> = entries
            .iter()
            .zip(aliases)
            .flat_map(|(entry, aliases)| aliases.iter().map(move |label| (label, &entry.key)))
            .collect();
        self.aliases.retain(|label, key| wanted.contains(&(label, &*key)));
    }

    fn labels(
        &mut self,
        entry: &Entry,
        id: &Label,
        aliases: Vec<Label>,
        wanted: &HashMap<Arc<ServiceKey>, Arc<ServiceKey>>,
        problems: &mut Reasons,
    ) -> Vec<Label> {
        let mut labels: Vec<Label> = alternative_keys(entry)
            .filter(|key| wanted.get(key) == Some(&entry.key))
            .filter_map(|key| self.ids.id(&key).cloned())
            .filter(|label| label != id)
            .collect();
        let aliased = !aliases.is_empty();
        labels.extend(self.own.as_ref().filter(|(_, own)| *own == entry.key).map(|(label, _)| label.clone()));
        for label in aliases {
            let reserved = self.own.as_ref().filter(|(own, _)| *own == label).map(|(_, key)| key);
            let owner = self.ids.owner(&label).or(reserved).or_else(|| self.aliases.get(&label));
            match owner {
                Some(owner) if *owner != entry.key => {
                    let reason =
                        format!("label `{label}` is that of {}; give one of them another alias", subject(owner));
                    problems.add(&entry.key, reason);
                }
                _ => {
                    self.aliases.insert(label.clone(), Arc::clone(&entry.key));
                    labels.push(label);
                }
            }
        }
        if let Some(alias) = &entry.alias
            && !aliased
        {
            let reason = format!(
                "alias `{}` makes no host label with task and service: 63 characters of a-z, 0-9, `_` and `-` at most, \
                 and no `-` in task or service",
                alias.chars().filter(|character| !character.is_control()).take(80).collect::<String>()
            );
            problems.add(&entry.key, reason);
        }
        if labels.len() > MAX_LABELS {
            let reason = format!("has more than {MAX_LABELS} labels; the rest are left out");
            problems.add(&entry.key, reason);
            for label in labels.drain(MAX_LABELS..) {
                self.aliases.remove(&label);
            }
        }
        labels
    }
}

/// Which names want an id, and the service that each is of. A service's own name counts before
/// another's alternative name. A service with a name that can't be published wants none at all.
fn wanted_ids(entries: &[Arc<Entry>], problems: &mut Reasons) -> HashMap<Arc<ServiceKey>, Arc<ServiceKey>> {
    let is_good = |entry: &&Arc<Entry>| {
        is_publishable(&entry.key) && alternative_keys(entry).all(|alternative| is_publishable(&alternative))
    };
    let (good, bad): (Vec<&Arc<Entry>>, Vec<_>) = entries.iter().partition(is_good);
    bad.iter().for_each(|entry| problems.add(&entry.key, InvalidService::Name.to_string()));
    let mut wanted: HashMap<Arc<ServiceKey>, Arc<ServiceKey>> =
        good.iter().map(|entry| (Arc::clone(&entry.key), Arc::clone(&entry.key))).collect();
    for entry in good {
        for key in alternative_keys(entry) {
            match wanted.get(&key) {
                Some(owner) if *owner != entry.key => {
                    let reason = format!("its other name `{}` is that of {}", key.service, subject(owner));
                    problems.add(&entry.key, reason);
                }
                Some(_) => {}
                None => {
                    wanted.insert(Arc::new(key), Arc::clone(&entry.key));
                }
            }
        }
    }
    wanted
}

fn alternative_keys(entry: &Entry) -> impl Iterator<Item = ServiceKey> + '_ {
    entry.alternatives.iter().map(|service| ServiceKey {
        operation: entry.key.operation.clone(),
        task: entry.key.task.clone(),
        service: service.clone(),
    })
}

/// The alias labels of a service: that of its own name first, and none without that.
fn alias_labels(entry: &Entry) -> Vec<Label> {
    let Some(alias) = &entry.alias else { return Vec::new() };
    let label = |service: &String| alias_label(alias, &entry.key.task, service);
    let Some(own) = label(&entry.key.service) else { return Vec::new() };
    std::iter::once(own).chain(entry.alternatives.iter().filter_map(label)).collect()
}
