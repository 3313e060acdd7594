//! The rules of the Gateway API's definitions that are about several values (CEL there).

use std::collections::BTreeSet;

use serde_json::Value;

use super::refusal::Flaw;
use super::resource::{GATEWAYS, Resource, SETS};

/// What breaks a rule of a `spec` that has the right structure.
pub(super) fn check(resource: &Resource, spec: &Value, max_listeners: usize) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if *resource != GATEWAYS && *resource != SETS {
        return flaws;
    }
    let listeners = spec["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let most = if *resource == GATEWAYS { max_listeners } else { usize::MAX };
    if listeners.len() > most {
        let message = format!("Too many: {}: must have at most {most} items", listeners.len());
        flaws.push(Flaw::new("spec.listeners", "FieldValueTooMany", message));
    }
    let speaks = |listener: &Value, protocols: &[&str]| protocols.iter().any(|one| listener["protocol"] == *one);
    if listeners.iter().any(|listener| !listener["tls"].is_null() && speaks(listener, &["HTTP", "TCP", "UDP"])) {
        let message = "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']";
        flaws.push(Flaw::rule("spec.listeners", "array", message));
    }
    let is_named = |listener: &Value| listener["hostname"].as_str().is_some_and(|name| !name.is_empty());
    if listeners.iter().any(|listener| is_named(listener) && speaks(listener, &["TCP", "UDP"])) {
        let message = "hostname must not be specified for protocols ['TCP', 'UDP']";
        flaws.push(Flaw::rule("spec.listeners", "array", message));
    }
    let terminates = |listener: &Value| listener["tls"]["mode"] == "Terminate" || listener["tls"].is_null();
    if listeners.iter().any(|listener| speaks(listener, &["HTTPS"]) && !terminates(listener)) {
        flaws.push(Flaw::rule("spec.listeners", "array", "tls mode must be Terminate for protocol HTTPS"));
    }
    let names: BTreeSet<&str> = listeners.iter().filter_map(|listener| listener["name"].as_str()).collect();
    if names.len() < listeners.len() {
        let message = "Listener name must be unique within the Gateway";
        flaws.push(Flaw::rule("spec.listeners", "array", message));
    }
    let places: BTreeSet<(i64, String, String)> = listeners.iter().map(place).collect();
    if places.len() < listeners.len() {
        let message = "Combination of port, protocol and hostname must be unique for each listener";
        flaws.push(Flaw::rule("spec.listeners", "array", message));
    }
    flaws
}

fn place(listener: &Value) -> (i64, String, String) {
    let text = |key: &str| listener[key].as_str().unwrap_or_default().to_owned();
    (listener["port"].as_i64().unwrap_or_default(), text("protocol"), text("hostname"))
}
