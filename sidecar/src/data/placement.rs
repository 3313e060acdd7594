//! Which store is whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::data::path::{DomainName, Key, ProjectName, Segments};
use crate::data::store::Store;

/// A store of which nothing is configured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no store `{0}`")]
pub struct UnknownStore(pub String);

/// The stores, and which project's data go into which.
#[derive(Clone, Debug)]
pub struct Placement {
    stores: BTreeMap<String, Arc<dyn Store>>,
    rules: Vec<PlacementRule>,
}

/// That the data of some projects go into a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementRule {
    /// The project; none: any.
    pub project: Option<ProjectName>,
    /// The domain; none: any.
    pub domain: Option<DomainName>,
    /// The store's name.
    pub store: String,
}

/// A store with its name.
#[derive(Clone, Debug)]
pub struct NamedStore {
    /// What the configuration calls it.
    pub name: String,
    /// The store.
    pub store: Arc<dyn Store>,
}

/// An upload, and whose it is.
#[derive(Clone, Debug)]
pub struct PlacedUpload {
    /// The store.
    pub store: NamedStore,
    /// The whole key.
    pub key: Key,
    /// The project.
    pub project: ProjectName,
    /// The domain.
    pub domain: DomainName,
    /// The key below the domain.
    pub rest: Segments,
}

impl Placement {
    /// Stores by their names, and rules of which the first that fits counts. Where there is one store and no rule,
    /// it is everybody's.
    ///
    /// # Errors
    /// [`UnknownStore`].
    pub fn new(stores: BTreeMap<String, Arc<dyn Store>>, mut rules: Vec<PlacementRule>) -> Result<Self, UnknownStore> {
        if let Some(rule) = rules.iter().find(|rule| !stores.contains_key(&rule.store)) {
            return Err(UnknownStore(rule.store.clone()));
        }
        let mut names = stores.keys();
        if let (true, Some(only), None) = (rules.is_empty(), names.next(), names.next()) {
            rules.push(PlacementRule { project: None, domain: None, store: only.clone() });
        }
        Ok(Self { stores, rules })
    }

    /// The store that a project's data go into; none where no rule fits.
    #[must_use]
    pub fn of(&self, project: &ProjectName, domain: &DomainName) -> Option<NamedStore> {
        let fits = |rule: &&PlacementRule| {
            rule.project.as_ref().is_none_or(|own| own == project)
                && rule.domain.as_ref().is_none_or(|own| own == domain)
        };
        let rule = self.rules.iter().find(fits)?;
        let store = self.stores.get(&rule.store)?;
        Some(NamedStore { name: rule.store.clone(), store: Arc::clone(store) })
    }

    /// The store that an address is of, and the key there; none where it is of no store that is configured.
    #[must_use]
    pub fn find(&self, uri: &str) -> Option<(NamedStore, Key)> {
        self.stores.iter().find_map(|(name, store)| {
            let key = store.key(uri)?;
            Some((NamedStore { name: name.clone(), store: Arc::clone(store) }, key))
        })
    }

    /// The upload that an address names: one that is in the store its project's data go into. None for any other
    /// address.
    #[must_use]
    pub fn upload(&self, uri: &str, prefix: Option<&Segments>) -> Option<PlacedUpload> {
        // Several stores may have an address, where one's prefix is in the other.
        self.stores.iter().find_map(|(name, store)| {
            let key = store.key(uri)?;
            let (project, domain, rest) = key.place(prefix)?;
            let own = self.of(&project, &domain).filter(|own| own.name == *name)?;
            Some(PlacedUpload { store: own, key, project, domain, rest })
        })
    }

    /// Every store, by its name.
    pub fn stores(&self) -> impl Iterator<Item = (&str, &Arc<dyn Store>)> {
        self.stores.iter().map(|(name, store)| (name.as_str(), store))
    }
}
