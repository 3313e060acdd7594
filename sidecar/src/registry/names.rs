//! Which service has which id and which label.
//!
//! Ids are suffixes of a digest, so two services can want the same one: by chance, or because
//! someone searched for a name that collides. Who was seen first keeps the short id for as long as
//! this process lives, also through a while of absence. On a fresh start the order is that of the
//! names, so that every sidecar of a fleet gives the same ids to the same services.
//!
//! An id always wins over an alias label. Among alias labels, who has one keeps it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::naming::{ID_LENGTHS, ServiceDigest, alias_label};
use taskgate_core::service::MAX_LABELS;

use crate::discovery::inventory::{Entry, Problem, ServiceKey};

/// How many ids of services that went are kept for their return.
const MAX_DEPARTED: usize = 100_000;

/// Which service has which id and which label.
#[derive(Debug, Default)]
pub struct Names {
    ids: HashMap<Arc<ServiceKey>, Label>,
    taken: HashMap<Label, Arc<ServiceKey>>,
    departed: VecDeque<Arc<ServiceKey>>,
    aliases: HashMap<Label, Arc<ServiceKey>>,
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
    /// Names services. `entries` are in the order in which they count, with distinct keys; the
    /// result is in the same order, with none where a service can't be named.
    pub fn assign(&mut self, entries: &[Arc<Entry>], problems: &mut Vec<Problem>) -> Vec<Option<Assigned>> {
        let wanted = wanted_ids(entries, problems);
        self.assign_ids(&wanted, problems);
        let aliases: Vec<Vec<Label>> = entries.iter().map(|entry| alias_labels(entry)).collect();
        self.release_aliases(entries, &aliases);
        let named = entries.iter().zip(aliases).map(|(entry, aliases)| {
            let id = self.ids.get(&entry.key)?.clone();
            let labels = self.labels(entry, &id, aliases, &wanted, problems);
            Some(Assigned { id, labels })
        });
        named.collect()
    }

    fn assign_ids(&mut self, wanted: &HashMap<Arc<ServiceKey>, Arc<ServiceKey>>, problems: &mut Vec<Problem>) {
        let mut new: Vec<&Arc<ServiceKey>> = wanted.keys().filter(|key| !self.ids.contains_key(*key)).collect();
        new.sort();
        for key in new {
            let digest = ServiceDigest::of(&key.operation, &key.task, &key.service);
            match digest.first_free(|id| self.taken.contains_key(id)) {
                Some(id) => {
                    self.taken.insert(id.clone(), Arc::clone(key));
                    self.ids.insert(Arc::clone(key), id);
                }
                None => {
                    let reason = "every id of it is another service's; rename its task or service".to_owned();
                    problems.push(Problem { subject: subject(key), reason });
                }
            }
        }
        for (key, owner) in wanted {
            let longer = self.ids.get(key).filter(|id| id.as_str().len() > ID_LENGTHS[0]);
            if let Some(id) = longer {
                let reason = format!("the short id of `{}` is another service's; it is reached as `{id}`", key.service);
                problems.push(Problem { subject: subject(owner), reason });
            }
        }
        self.depart(wanted);
    }

    /// Keeps the ids of services that went, up to a bound.
    fn depart(&mut self, wanted: &HashMap<Arc<ServiceKey>, Arc<ServiceKey>>) {
        if self.departed.is_empty()
            && wanted.keys().all(|key| self.ids.contains_key(key))
            && self.ids.len() == wanted.len()
        {
            return;
        }
        self.departed.retain(|key| !wanted.contains_key(key));
        let known: HashSet<&Arc<ServiceKey>> = self.departed.iter().collect();
        let mut gone: Vec<Arc<ServiceKey>> =
            self.ids.keys().filter(|key| !wanted.contains_key(*key) && !known.contains(key)).map(Arc::clone).collect();
        gone.sort();
        self.departed.extend(gone);
        while self.departed.len() > MAX_DEPARTED {
            if let Some(id) = self.departed.pop_front().and_then(|key| self.ids.remove(&key)) {
                self.taken.remove(&id);
            }
        }
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
        problems: &mut Vec<Problem>,
    ) -> Vec<Label> {
        let mut labels: Vec<Label> = alternative_keys(entry)
            .filter(|key| wanted.get(key) == Some(&entry.key))
            .filter_map(|key| self.ids.get(&key).cloned())
            .filter(|label| label != id)
            .collect();
        let aliased = !aliases.is_empty();
        for label in aliases {
            let owner = self.taken.get(&label).or_else(|| self.aliases.get(&label));
            match owner {
                Some(owner) if *owner != entry.key => {
                    let reason =
                        format!("label `{label}` is that of {}; give one of them another alias", subject(owner));
                    problems.push(Problem { subject: subject(&entry.key), reason });
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
            problems.push(Problem { subject: subject(&entry.key), reason });
        }
        if labels.len() > MAX_LABELS {
            let reason = format!("has more than {MAX_LABELS} labels; the rest are left out");
            problems.push(Problem { subject: subject(&entry.key), reason });
            for label in labels.drain(MAX_LABELS..) {
                self.aliases.remove(&label);
            }
        }
        labels
    }
}

/// A service's names, for a message.
#[must_use]
pub fn subject(key: &ServiceKey) -> String {
    let text = format!("service {} of task {} of operation {}", key.service, key.task, key.operation);
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// Which names want an id, and the service that each is of. A service's own name counts before
/// another's alternative name.
fn wanted_ids(entries: &[Arc<Entry>], problems: &mut Vec<Problem>) -> HashMap<Arc<ServiceKey>, Arc<ServiceKey>> {
    let mut wanted: HashMap<Arc<ServiceKey>, Arc<ServiceKey>> =
        entries.iter().map(|entry| (Arc::clone(&entry.key), Arc::clone(&entry.key))).collect();
    for entry in entries {
        for key in alternative_keys(entry) {
            match wanted.get(&key) {
                Some(owner) if *owner != entry.key => {
                    let reason = format!("its other name `{}` is that of {}", key.service, subject(owner));
                    problems.push(Problem { subject: subject(&entry.key), reason });
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
