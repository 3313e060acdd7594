//! Which service has which id and which label.
//!
//! Ids are suffixes of a digest, so two services can want the same one: by chance, or because
//! someone searched for a name that collides. Who was seen first keeps the short id, also through a
//! while of absence, and for longer than this process lives where it is [kept](crate::registry::memory).
//! Services that are new at the same time count in the order of their names, so that every sidecar of
//! a fleet gives the same ids on a fresh start. Where sidecars saw them in another order, what one of
//! them published ([`Claim`]) wins over what another gave by itself.
//!
//! An id always wins over an alias label. Among alias labels, who has one keeps it. Friendly names are what is left:
//! see [`friendly`].

pub mod friendly;
mod ids;
pub mod rules;
mod wishes;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use taskgate_core::label::Label;
use taskgate_core::naming::alias_label;
use taskgate_core::service::{InvalidService, MAX_LABELS};
use taskgate_core::time::UnixTime;

use crate::discovery::inventory::{Claim, Claims, Entry, ServiceKey};
use crate::registry::names::friendly::name::is_platform_label;
use crate::registry::names::friendly::{Friendly, HeldName, Holder};
use crate::registry::names::ids::{Ids, is_publishable};
use crate::registry::names::rules::NameRules;
use crate::registry::problems::{Reasons, subject};

pub use crate::registry::names::ids::NamedId;

/// Which service has which id and which label.
#[derive(Debug, Default)]
pub struct Names {
    ids: Ids,
    aliases: HashMap<Label, Arc<ServiceKey>>,
    /// The labels of the sidecar's own services.
    own: HashMap<Label, Arc<ServiceKey>>,
    friendly: Friendly,
    settled: bool,
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
    /// Takes ids that were given in an earlier life, who went first before the others, and the friendly names of that
    /// life. How many were left out because they or their service are there already.
    pub fn restore(&mut self, remembered: Vec<NamedId>, friendly: Vec<HeldName>) -> usize {
        self.ids.restore(remembered) + self.friendly.restore(friendly)
    }

    /// Keeps a label for one service of the sidecar's own. It must not be like an id.
    pub fn reserve(&mut self, label: Label, key: ServiceKey) {
        self.aliases.remove(&label);
        self.own.insert(label, Arc::new(key));
    }

    /// Whether a label is kept for these names.
    #[must_use]
    pub fn is_reserved(&self, key: &ServiceKey) -> bool {
        self.own.values().any(|own| **own == *key)
    }

    /// Takes what holds for friendly names; whether that is news.
    pub fn set_rules(&mut self, rules: NameRules) -> bool {
        let differ = self.friendly.rules != rules;
        self.friendly.rules = rules;
        differ
    }

    /// The friendly names that are somebody's.
    pub fn held(&self) -> impl Iterator<Item = HeldName> + '_ {
        self.friendly.held()
    }

    /// How long they are kept.
    #[must_use]
    pub fn kept(&self) -> Duration {
        self.friendly.rules.kept
    }

    /// The names that nobody gets.
    pub fn reserved(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(Label::as_str).chain(self.friendly.rules.reserved.iter().map(String::as_str))
    }

    /// Lets a friendly name go that is kept for somebody. Whether it was; none where it is nobody's.
    pub fn release(&mut self, label: &Label) -> Option<bool> {
        self.friendly.release(label)
    }

    /// When somebody else may have a friendly name that is kept now.
    #[must_use]
    pub fn lapses_at(&self) -> Option<UnixTime> {
        self.friendly.lapses_at()
    }

    /// The ids to remember: those of services that went, first who went first, then the others in no
    /// order. How many are of services that went.
    #[must_use]
    pub fn remembered(&self) -> (Vec<NamedId>, usize) {
        self.ids.remembered()
    }

    /// How often an id or a friendly name was given or taken away.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.ids.changes().wrapping_add(self.friendly.changes())
    }

    /// Every provider has published: of services that are not wanted now only so many are remembered.
    pub fn settle(&mut self) {
        self.settled = true;
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
    pub fn assign(&mut self, entries: &[Arc<Entry>], now: UnixTime, problems: &mut Reasons) -> Vec<Option<Assigned>> {
        self.follow_friendly(entries, now);
        let wanted = wanted_ids(entries, problems);
        self.ids.assign(&wanted, problems);
        let aliases: Vec<Vec<Label>> = entries.iter().map(|entry| alias_labels(entry)).collect();
        self.release_aliases(entries, &aliases);
        let named = entries.iter().zip(aliases).map(|(entry, aliases)| {
            let id = self.ids.id(&entry.key).filter(|_| wanted.get(&entry.key) == Some(&entry.key))?.clone();
            let labels = self.labels(entry, &id, aliases, &wanted, problems);
            Some(Assigned { id, labels })
        });
        let mut named: Vec<Option<Assigned>> = named.collect();
        self.assign_friendly(entries, &mut named, problems);
        named
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
        let mut own: Vec<&Label> =
            self.own.iter().filter(|(_, own)| **own == entry.key).map(|(label, _)| label).collect();
        own.sort();
        labels.extend(own.into_iter().cloned());
        for label in aliases {
            let owner = self.ids.owner(&label).or_else(|| self.own.get(&label)).or_else(|| self.aliases.get(&label));
            let refused = match owner.filter(|owner| **owner != entry.key) {
                Some(owner) => Some(format!("`{label}` is that of {}", subject(owner))),
                None => self.friendly.refusal(&label, &Holder::of(entry)),
            };
            if let Some(refused) = refused {
                problems.add(&entry.key, format!("label {refused}; give one of them another alias"));
            } else {
                self.aliases.insert(label.clone(), Arc::clone(&entry.key));
                labels.push(label);
            }
        }
        if let Some(alias) = &entry.alias
            && own_alias_label(entry).is_none()
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

/// The alias labels of a service: that of its own name first, and none without that; then what its platform calls it.
fn alias_labels(entry: &Entry) -> Vec<Label> {
    let alternatives = entry.alias.iter().flat_map(|alias| {
        entry.alternatives.iter().filter_map(move |service| alias_label(alias, &entry.key.task, service))
    });
    let own = own_alias_label(entry);
    let alternatives = alternatives.filter(|_| own.is_some());
    let given = entry.names.iter().filter(|name| is_platform_label(name));
    let given = given.filter_map(|name| Label::parse(name.as_bytes()).ok());
    own.iter().cloned().chain(alternatives).chain(given).collect()
}

fn own_alias_label(entry: &Entry) -> Option<Label> {
    alias_label(entry.alias.as_ref()?, &entry.key.task, &entry.key.service)
}
