//! The controller: says of Gateways, sets and routes how they do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::resource::{GATEWAYS, ROUTES, SERVICES, SETS};
use super::store::{Key, Store};

/// When the controller does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// At each change.
    AtOnce,
    /// When it is told to: [`look`](super::Kubernetes::look).
    OnDemand,
    /// At each change it says that it has seen it, and never that something listens.
    Never,
}

/// A listener, and who has it.
struct Claim {
    owner: Key,
    name: String,
    port: i64,
    protocol: String,
}

/// Looks at everything, and writes what it has to say. `programs`: whether anything ever listens.
pub(super) fn look(store: &mut Store, programs: bool) {
    let gateways: Vec<(Key, Value)> = all(store, &GATEWAYS);
    for (key, gateway) in &gateways {
        // The Gateway's own listeners come first, then sets by age, then by name.
        let mut sets: Vec<(Key, Value)> =
            all(store, &SETS).into_iter().filter(|(set, object)| is_parent(set, object, key)).collect();
        sets.sort_by_key(|(key, set)| (text(&set["metadata"]["creationTimestamp"]), key.clone()));
        let mut taken: BTreeMap<(i64, String), Key> = BTreeMap::new();
        let mut settle = |object: &Value, owner: &Key| -> Vec<(Claim, bool)> {
            let mut settled = Vec::new();
            for claim in claims(object, owner) {
                let place = (claim.port, class(&claim.protocol).to_owned());
                let is_lost = *taken.entry(place).or_insert_with(|| claim.owner.clone()) != claim.owner;
                settled.push((claim, is_lost));
            }
            settled
        };
        let own = settle(gateway, key);
        let listening = say_listeners(gateway, &own, programs, None);
        write(store, key, gateway, &listening);
        for (set_key, set) in sets {
            let is_allowed = match gateway["spec"]["allowedListeners"]["namespaces"]["from"].as_str() {
                Some("All" | "Selector") => true,
                Some("Same") => set_key.1 == key.1,
                _ => false,
            };
            let listeners = if is_allowed { settle(&set, &set_key) } else { Vec::new() };
            let refused = (!is_allowed).then_some("the Gateway allows no such sets");
            let status = say_listeners(&set, &listeners, programs, refused);
            write(store, &set_key, &set, &status);
        }
    }
    for (key, route) in all(store, &ROUTES) {
        let status = say_route(store, &key, &route);
        write(store, &key, &route, &status);
    }
}

fn all(store: &Store, resource: &super::resource::Resource) -> Vec<(Key, Value)> {
    store.all(resource, None).map(|(key, object)| (key.clone(), object.clone())).collect()
}

fn is_parent(set_key: &Key, set: &Value, gateway: &Key) -> bool {
    let parent = &set["spec"]["parentRef"];
    let namespace = parent["namespace"].as_str().unwrap_or(&set_key.1);
    parent["name"] == gateway.2.as_str() && namespace == gateway.1
}

fn claims(object: &Value, owner: &Key) -> Vec<Claim> {
    let listeners = object["spec"]["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let claim = |listener: &Value| Claim {
        owner: owner.clone(),
        name: text(&listener["name"]),
        port: listener["port"].as_i64().unwrap_or_default(),
        protocol: text(&listener["protocol"]),
    };
    listeners.iter().map(claim).collect()
}

/// Protocols of one class can't share a port with others.
fn class(protocol: &str) -> &str {
    match protocol {
        "HTTP" => "HTTP",
        "HTTPS" | "TLS" => "TLS",
        other => other,
    }
}

fn say_listeners(object: &Value, listeners: &[(Claim, bool)], programs: bool, refused: Option<&str>) -> Value {
    let generation = &object["metadata"]["generation"];
    let says = |kind: &str, holds: bool, reason: &str, message: &str| {
        json!({
            "type": kind, "status": if holds { "True" } else { "False" }, "reason": reason, "message": message,
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let listener = |(claim, is_lost): &(Claim, bool)| {
        let why = if *is_lost { "PortUnavailable" } else { "Accepted" };
        let programmed = programs && !is_lost;
        let reason = if programmed { "Programmed" } else { "Pending" };
        json!({
            "name": claim.name, "attachedRoutes": 0, "supportedKinds": [],
            "conditions": [
                says("Accepted", !is_lost, why, ""),
                says("Conflicted", *is_lost, if *is_lost { "PortConflict" } else { "NoConflicts" }, ""),
                says("Programmed", programmed, reason, "the data plane was not told yet"),
                says("ResolvedRefs", true, "ResolvedRefs", ""),
            ],
        })
    };
    let is_whole = refused.is_none() && listeners.iter().all(|(_, is_lost)| !is_lost);
    let (reason, message) = match refused {
        Some(message) => ("NotAllowed", message),
        None if is_whole => ("Accepted", ""),
        None => ("ListenersNotValid", "a listener is not valid"),
    };
    let programmed = programs && is_whole;
    let waits = if programmed { "Programmed" } else { "Pending" };
    json!({
        "conditions": [
            says("Accepted", is_whole, reason, message),
            says("Programmed", programmed, waits, "the data plane was not told yet"),
        ],
        "listeners": listeners.iter().map(listener).collect::<Vec<_>>(),
    })
}

fn say_route(store: &Store, key: &Key, route: &Value) -> Value {
    let generation = &route["metadata"]["generation"];
    let parents = route["spec"]["parentRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_known = |backend: &Value| {
        let place = (SERVICES.plural, key.1.clone(), text(&backend["name"]));
        store.get(&place).is_some()
    };
    let rules = route["spec"]["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut backends = rules.iter().filter_map(|rule| rule["backendRefs"].as_array()).flatten();
    let resolved = backends.all(is_known);
    let says = |kind: &str, holds: bool, reason: &str| {
        json!({
            "type": kind, "status": if holds { "True" } else { "False" }, "reason": reason, "message": "",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let parent = |parent: &Value| {
        let plural = if parent["kind"] == "ListenerSet" { SETS.plural } else { GATEWAYS.plural };
        let place = (plural, parent["namespace"].as_str().unwrap_or(&key.1).to_owned(), text(&parent["name"]));
        let listeners = store.get(&place).and_then(|object| object["spec"]["listeners"].as_array().cloned());
        let is_meant = |listener: &Value| parent["sectionName"].is_null() || parent["sectionName"] == listener["name"];
        let accepted = listeners.is_some_and(|listeners| listeners.iter().any(is_meant));
        json!({
            "parentRef": parent, "controllerName": "example.test/controller",
            "conditions": [
                says("Accepted", accepted, if accepted { "Accepted" } else { "NoMatchingParent" }),
                says("ResolvedRefs", resolved, if resolved { "ResolvedRefs" } else { "BackendNotFound" }),
            ],
        })
    };
    json!({"parents": parents.iter().map(parent).collect::<Vec<_>>()})
}

fn write(store: &mut Store, key: &Key, before: &Value, status: &Value) {
    let mut object = before.clone();
    object["status"] = status.clone();
    store.put(key, object);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
