//! What the cluster keeps: objects, each with the number of its last change, and the changes for whoever watches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::Resource;

/// How many changes are remembered.
const REMEMBERED: usize = 20_000;

/// Where an object is: plural, namespace, name.
pub(super) type Key = (&'static str, String, String);

/// A change.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) plural: &'static str,
    pub(super) namespace: String,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(super) what: &'static str,
    pub(super) object: Value,
}

/// What the cluster keeps.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    version: u64,
    events: VecDeque<Event>,
    /// Changes up to this one are forgotten.
    forgotten: u64,
}

impl Store {
    /// The number of the last change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// All objects of a resource, in one namespace or in all.
    pub(super) fn all<'a>(
        &'a self,
        resource: &Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        let plural = resource.plural;
        let is_there = move |key: &Key| key.0 == plural && namespace.is_none_or(|namespace| key.1 == namespace);
        self.objects.iter().filter(move |(key, _)| is_there(key))
    }

    /// Adds an object that is new.
    pub(super) fn add(&mut self, key: &Key, mut object: Value) -> Value {
        let number = self.version + 1;
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{number:012x}"));
        let seconds = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        object["metadata"]["creationTimestamp"] = json!(seconds.to_string());
        object["metadata"]["generation"] = json!(1);
        self.keep(key, "ADDED", object)
    }

    /// Puts an object in the place of what it was; one that is the same changes nothing.
    pub(super) fn put(&mut self, key: &Key, object: Value) -> Value {
        match self.objects.get(key) {
            Some(before) if *before == object => object,
            _ => self.keep(key, "MODIFIED", object),
        }
    }

    /// Deletes an object, and what it owns.
    pub(super) fn delete(&mut self, key: &Key) {
        if let Some(object) = self.objects.remove(key) {
            self.remember(key, "DELETED", object);
        }
    }

    /// Deletes whatever is owned by what is gone, as the cluster's collector does some time later.
    pub(super) fn collect(&mut self) {
        loop {
            let living: BTreeSet<&str> =
                self.objects.values().filter_map(|object| object["metadata"]["uid"].as_str()).collect();
            let is_left = |object: &Value| {
                let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
                let is_gone = |owner: &Value| !living.contains(owner["uid"].as_str().unwrap_or_default());
                !owners.is_empty() && owners.iter().all(is_gone)
            };
            let left: Vec<Key> =
                self.objects.iter().filter(|(_, object)| is_left(object)).map(|(key, _)| key.clone()).collect();
            if left.is_empty() {
                return;
            }
            for key in left {
                self.delete(&key);
            }
        }
    }

    /// What changed after a number. None where that is forgotten.
    pub(super) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Event>> {
        (version >= self.forgotten).then(|| self.events.iter().filter(move |event| event.version > version))
    }

    /// Forgets all changes up to now.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.forgotten = self.version;
    }

    fn keep(&mut self, key: &Key, what: &'static str, mut object: Value) -> Value {
        object["metadata"]["resourceVersion"] = json!((self.version + 1).to_string());
        self.objects.insert(key.clone(), object.clone());
        self.remember(key, what, object.clone());
        object
    }

    fn remember(&mut self, key: &Key, what: &'static str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let (plural, namespace) = (key.0, key.1.clone());
        self.events.push_back(Event { version: self.version, plural, namespace, what, object });
        if self.events.len() > REMEMBERED
            && let Some(event) = self.events.pop_front()
        {
            self.forgotten = event.version;
        }
    }
}
