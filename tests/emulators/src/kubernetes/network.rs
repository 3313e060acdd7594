//! Where a connection to a port of a Gateway would end: what the data plane does with all that is written.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::resource::{GATEWAYS, ROUTES, Resource, SERVICES, SETS, SLICES};
use super::store::{Key, Store};

/// The addresses that a connection to a port may end at. None where nothing listens; nobody where it leads nowhere.
pub(super) fn behind(store: &Store, namespace: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let (listener, parent, kind) = listening(store, namespace, port)?;
    let is_ours = |route: &&Value| {
        let parents = route["spec"]["parentRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
        parents.iter().any(|found| {
            found["name"] == parent.as_str()
                && found["kind"] == kind
                && (found["sectionName"].is_null() || found["sectionName"] == listener.as_str())
        })
    };
    let mut routes: Vec<&Value> = store.all(&ROUTES, Some(namespace)).map(|(_, route)| route).filter(is_ours).collect();
    // Where there are several, the oldest counts.
    routes.sort_by_key(|route| route["metadata"]["creationTimestamp"].as_str());
    let Some(route) = routes.first() else { return Some(Vec::new()) };
    let backends = route.pointer("/spec/rules/0/backendRefs").and_then(Value::as_array);
    let mut addresses: Vec<SocketAddr> =
        backends.into_iter().flatten().flat_map(|backend| of_service(store, namespace, backend)).collect();
    addresses.sort();
    Some(addresses)
}

/// The listener of a port that takes connections, whose it is, and of which kind that is.
fn listening(store: &Store, namespace: &str, port: u16) -> Option<(String, String, &'static str)> {
    let find = |resource: &Resource, kind: &'static str| {
        store.all(resource, Some(namespace)).find_map(|(key, object)| of_object(key, object, port, kind))
    };
    find(&GATEWAYS, "Gateway").or_else(|| find(&SETS, "ListenerSet"))
}

fn of_object(key: &Key, object: &Value, port: u16, kind: &'static str) -> Option<(String, String, &'static str)> {
    let listeners = object["spec"]["listeners"].as_array()?;
    let listener = listeners.iter().find(|listener| listener["port"] == port)?;
    let said = object["status"]["listeners"].as_array()?;
    let said = said.iter().find(|status| status["name"] == listener["name"])?;
    let is_programmed = said["conditions"]
        .as_array()?
        .iter()
        .any(|condition| condition["type"] == "Programmed" && condition["status"] == "True");
    is_programmed.then(|| (listener["name"].as_str().unwrap_or_default().to_owned(), key.2.clone(), kind))
}

fn of_service(store: &Store, namespace: &str, backend: &Value) -> Vec<SocketAddr> {
    let Some(name) = backend["name"].as_str() else { return Vec::new() };
    let Some(service) = store.get(&(SERVICES.plural, namespace.to_owned(), name.to_owned())) else { return Vec::new() };
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(port) = ports.iter().find(|port| port["port"] == backend["port"]) else { return Vec::new() };
    let of_slice = |slice: &Value| -> Vec<SocketAddr> {
        let ports = slice["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(number) =
            ports.iter().find(|found| found["name"] == port["name"]).and_then(|found| found["port"].as_u64())
        else {
            return Vec::new();
        };
        let Ok(number) = u16::try_from(number) else { return Vec::new() };
        let endpoints = slice["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ready = endpoints.iter().filter(|endpoint| endpoint["conditions"]["ready"] != false);
        let addresses = ready.filter_map(|endpoint| endpoint["addresses"].as_array()).flatten();
        let parsed = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
        parsed.map(|address| SocketAddr::new(address, number)).collect()
    };
    let slices = store.all(&SLICES, Some(namespace)).map(|(_, slice)| slice);
    let label = "kubernetes.io/service-name";
    slices.filter(|slice| slice["metadata"]["labels"][label] == name).flat_map(of_slice).collect()
}
