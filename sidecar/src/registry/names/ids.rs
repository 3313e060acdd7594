//! Which name has which id.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::naming::{ID_LENGTHS, ServiceDigest};
use taskgate_core::service::MAX_NAME;

use crate::discovery::inventory::{Claim, ServiceKey};
use crate::registry::problems::{Reasons, subject};

/// How many ids of services that went are kept for their return.
pub(super) const MAX_DEPARTED: usize = 100_000;

/// An id and whose it is.
///
/// Invariant: it is one of the ids that the names' own digest makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedId {
    id: Label,
    key: Arc<ServiceKey>,
}

/// Which name has which id.
///
/// Invariants: `ids` and `taken` say the same; `departed` has the keys of `ids` that are not wanted
/// now, each once, who went first before the others; all keys are publishable.
#[derive(Debug)]
pub(super) struct Ids {
    ids: HashMap<Arc<ServiceKey>, Label>,
    taken: HashMap<Label, Arc<ServiceKey>>,
    departed: VecDeque<Arc<ServiceKey>>,
    max_departed: usize,
    changes: u64,
}

impl NamedId {
    /// An id and whose it is; none where those names can't have that id, or no service can be
    /// published under them.
    #[must_use]
    pub fn new(id: &str, key: Arc<ServiceKey>) -> Option<Self> {
        if !is_publishable(&key) {
            return None;
        }
        let id = digest(&key).ids().find(|one| one.as_str() == id)?;
        Some(Self { id, key })
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &Label {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn key(&self) -> &ServiceKey {
        &self.key
    }
}

impl Ids {
    /// The id of a name.
    pub(super) fn id(&self, key: &ServiceKey) -> Option<&Label> {
        self.ids.get(key)
    }

    /// Who has an id.
    pub(super) fn owner(&self, id: &Label) -> Option<&Arc<ServiceKey>> {
        self.taken.get(id)
    }

    /// How often an id was given or taken away.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes ids that were given before, as those of services that are away; who went first comes
    /// first. How many were left out because the id or the service is there already.
    pub(super) fn restore(&mut self, remembered: Vec<NamedId>) -> usize {
        let before = remembered.len();
        let mut taken = 0;
        for NamedId { id, key } in remembered {
            if self.ids.contains_key(&key) || self.taken.contains_key(&id) {
                continue;
            }
            self.taken.insert(id.clone(), Arc::clone(&key));
            self.ids.insert(Arc::clone(&key), id);
            self.departed.push_back(key);
            taken += 1;
        }
        // Until every provider has published, most of them only seem to be away.
        self.max_departed = self.max_departed.max(self.departed.len().saturating_add(MAX_DEPARTED));
        before - taken
    }

    /// Every provider has published: who is away now is away.
    pub(super) fn settle(&mut self) {
        self.max_departed = MAX_DEPARTED;
    }

    /// The ids to remember: those of services that went, first who went first, then the others in no
    /// order. How many are of services that went.
    pub(super) fn remembered(&self) -> (Vec<NamedId>, usize) {
        let named = |(key, id): (&Arc<ServiceKey>, &Label)| NamedId { id: id.clone(), key: Arc::clone(key) };
        let departed: HashSet<&Arc<ServiceKey>> = self.departed.iter().collect();
        let mut all = Vec::with_capacity(self.ids.len());
        all.extend(self.departed.iter().filter_map(|key| self.ids.get_key_value(key)).map(named));
        let went = all.len();
        all.extend(self.ids.iter().filter(|(key, _)| !departed.contains(key)).map(named));
        (all, went)
    }

    /// Takes ids that others gave. Such an id wins over one that was given here: who else has it loses
    /// it, and is named anew by the next [`Ids::assign`]. Of claims that contradict each other the
    /// first counts. Those that can't be true come back.
    pub(super) fn adopt<'a, Whose>(
        &mut self,
        claims: impl IntoIterator<Item = (Whose, &'a Claim)>,
    ) -> Vec<(Whose, &'a Claim)> {
        let mut untrue = Vec::new();
        let mut keys: HashSet<&ServiceKey> = HashSet::new();
        let mut ids: HashSet<&Label> = HashSet::new();
        for (whose, claim) in claims {
            let Claim { key, id } = claim;
            if keys.contains(key) || ids.contains(id) {
                continue;
            }
            if self.ids.get(key) != Some(id) {
                // The digest is made only where something changes: there are many claims, and all of
                // them come each time.
                let Some(named) = NamedId::new(id.as_str(), Arc::new(key.clone())) else {
                    untrue.push((whose, claim));
                    continue;
                };
                self.give(named);
            }
            keys.insert(key);
            ids.insert(id);
        }
        untrue
    }

    /// Gives an id to who is wanted and has none, and a longer one where the short one is another's. All
    /// that is wanted is publishable.
    pub(super) fn assign(&mut self, wanted: &HashMap<Arc<ServiceKey>, Arc<ServiceKey>>, problems: &mut Reasons) {
        let mut new: Vec<&Arc<ServiceKey>> = wanted.keys().filter(|key| !self.ids.contains_key(*key)).collect();
        new.sort();
        for key in new {
            match digest(key).first_free(|id| self.taken.contains_key(id)) {
                Some(id) => self.give(NamedId { id, key: Arc::clone(key) }),
                None => {
                    let reason =
                        format!("every id of `{}` is another service's; rename its task or service", key.service);
                    problems.add(wanted.get(key).unwrap_or(key), reason);
                }
            }
        }
        self.report_longer(wanted, problems);
        self.depart(wanted);
    }

    fn give(&mut self, NamedId { id, key }: NamedId) {
        if let Some(before) = self.ids.remove(&key) {
            self.taken.remove(&before);
        }
        if let Some(evicted) = self.taken.remove(&id) {
            self.ids.remove(&evicted);
            self.departed.retain(|departed| *departed != evicted);
        }
        self.taken.insert(id.clone(), Arc::clone(&key));
        self.ids.insert(key, id);
        self.changes = self.changes.wrapping_add(1);
    }

    fn report_longer(&self, wanted: &HashMap<Arc<ServiceKey>, Arc<ServiceKey>>, problems: &mut Reasons) {
        let longer = |key: &Arc<ServiceKey>| self.ids.get(key).filter(|id| id.as_str().len() > ID_LENGTHS[0]);
        let mut reached: Vec<_> =
            wanted.iter().filter_map(|(key, owner)| longer(key).map(|id| (key, owner, id))).collect();
        reached.sort();
        for (key, owner, id) in reached {
            let Some(short) = digest(key).suffix(ID_LENGTHS[0]) else { continue };
            let whose = self
                .taken
                .get(&short)
                .map_or_else(|| "was another service's".into(), |other| format!("is that of {}", subject(other)));
            let reason = format!("the short id `{short}` of `{}` {whose}; it is reached as `{id}`", key.service);
            problems.add(owner, reason);
        }
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
        while self.departed.len() > self.max_departed {
            if let Some(id) = self.departed.pop_front().and_then(|key| self.ids.remove(&key)) {
                self.taken.remove(&id);
                self.changes = self.changes.wrapping_add(1);
            }
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            ids: HashMap::new(),
            taken: HashMap::new(),
            departed: VecDeque::new(),
            max_departed: MAX_DEPARTED,
            changes: 0,
        }
    }
}

/// Whether names are such that their service can be published. Others get no id, which bounds what is
/// remembered.
pub(super) fn is_publishable(key: &ServiceKey) -> bool {
    let is_name = |name: &String| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    [&key.operation, &key.task, &key.service].into_iter().all(is_name)
}

fn digest(key: &ServiceKey) -> ServiceDigest {
    ServiceDigest::of(&key.operation, &key.task, &key.service)
}
