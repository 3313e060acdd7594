//! What all connections share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::authority::Rule;
use super::controller::{self, Script};
use super::resource::{GATEWAY_GROUP, Resource};
use super::store::Store;

/// Which cluster it is.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The versions of `TCPRoute`: `v1`, `v1alpha2`, or both.
    pub routes: Vec<&'static str>,
    /// Whether there are `ListenerSet`s.
    pub listener_sets: bool,
    /// How many listeners a Gateway may have; 64 where nobody raised it.
    pub max_listeners: usize,
    /// Whether `/apis` and what is below it say what there is.
    pub has_index: bool,
    /// The token that it knows; none: it asks for none.
    pub token: Option<String>,
    /// How long each answer takes.
    pub latency: Duration,
}

/// When a client that dies does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Before its write arrives.
    Before,
    /// After it was done, before the answer arrives.
    After,
}

/// A call that was answered.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) verb: &'static str,
    pub(super) plural: &'static str,
    pub(super) name: String,
    pub(super) code: u16,
}

/// What changes.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) script: Script,
    pub(super) rules: Option<Vec<Rule>>,
    /// Refusals to come: verb, plural, status.
    pub(super) faults: VecDeque<(String, String, u16)>,
    /// After how many more writes whoever writes dies.
    pub(super) death: Option<(usize, Death)>,
    /// Whether the collector is at work.
    pub(super) collects: bool,
    pub(super) log: Vec<Logged>,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) profile: Profile,
    inner: Mutex<Inner>,
    /// The number of the last change.
    pub(super) changes: watch::Sender<u64>,
    /// How many clients died.
    pub(super) deaths: watch::Sender<usize>,
    pub(super) stop: CancellationToken,
}

impl Default for Profile {
    /// Gateway API 1.6: `TCPRoute` v1 alone, and `ListenerSet`s.
    fn default() -> Self {
        Self {
            routes: vec!["v1"],
            listener_sets: true,
            max_listeners: 64,
            has_index: false,
            token: None,
            latency: Duration::ZERO,
        }
    }
}

impl Profile {
    /// Whether a resource is there in a version.
    pub(super) fn serves(&self, resource: &Resource, version: &str) -> bool {
        match (resource.group, resource.plural) {
            (GATEWAY_GROUP, "tcproutes") => self.routes.contains(&version),
            (GATEWAY_GROUP, "listenersets") => self.listener_sets && version == "v1",
            (GATEWAY_GROUP, _) => ["v1", "v1beta1"].contains(&version),
            _ => version == "v1",
        }
    }

    /// The definition of Gateways, as much of it as anybody reads.
    pub(super) fn definition(&self) -> Value {
        let listeners = json!({"type": "array", "minItems": 1, "maxItems": self.max_listeners});
        let schema = json!({"openAPIV3Schema": {"properties": {"spec": {"properties": {"listeners": listeners}}}}});
        let version =
            |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": schema});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "gateways.gateway.networking.k8s.io", "resourceVersion": "1", "uid": "definition"},
            "spec": {
                "group": GATEWAY_GROUP, "scope": "Namespaced",
                "names": {"kind": "Gateway", "plural": "gateways"},
                "versions": [version("v1", true), version("v1beta1", false)],
            },
        })
    }
}

impl State {
    pub(super) fn new(profile: Profile) -> Self {
        let inner = Inner {
            store: Store::default(),
            script: Script::AtOnce,
            rules: None,
            faults: VecDeque::new(),
            death: None,
            collects: true,
            log: Vec::new(),
        };
        Self {
            profile,
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
            deaths: watch::Sender::new(0),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Who panicked left whole objects.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Does something, lets the controller and the collector look at it, and tells whoever watches.
    pub(super) fn change<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> T {
        let (value, version) = {
            let mut inner = self.lock();
            let value = step(&mut inner);
            if inner.collects {
                inner.store.collect();
            }
            if inner.script == Script::AtOnce {
                controller::look(&mut inner.store, true);
            }
            (value, inner.store.version())
        };
        self.changes.send_if_modified(|known| std::mem::replace(known, version) != version);
        value
    }
}
