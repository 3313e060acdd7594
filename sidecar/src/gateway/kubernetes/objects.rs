//! What stands behind a port: a Service without a selector, slices with the addresses of jobs, and the route.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint as SliceEndpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::DynamicObject;
use serde_json::{Value, json};
use taskgate_core::service::Endpoint;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::site::GROUP;
use crate::gateway::kubernetes::versions::RouteVersion;
use crate::gateway::kubernetes::wire::{BackendRef, ParentRef, RouteRule, RouteSpec};
use crate::gateway::port::Lease;

/// What everything behind a port hangs on.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    /// The Gateway's name.
    pub(super) gateway: String,
    /// The listener that the route is for.
    pub(super) parent: ParentRef,
    /// Whose end is the end of everything else; none where the Gateway itself is changed, which outlives it.
    pub(super) owner: Option<OwnerReference>,
    /// The generation of the Gateway with the listener in it.
    pub(super) since: Option<i64>,
}

/// An object as it should be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) body: Value,
}

/// The Service. It has no selector, for jobs need not be pods, nor in this namespace.
pub(super) fn service(anchor: &Anchor, lease: &Lease) -> Result<Wanted, ApiError> {
    let port = ServicePort {
        name: Some("tcp".to_owned()),
        port: lease.port.into(),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        ports: Some(vec![port]),
        // Jobs may have addresses of either family, or both.
        ip_family_policy: Some("PreferDualStack".to_owned()),
        ..ServiceSpec::default()
    };
    let name = marks::name(lease.port);
    let metadata = metadata(anchor, lease, name.clone());
    wanted(name, &Service { metadata, spec: Some(spec), status: None })
}

/// Slices with the addresses of jobs: one for each family and port, for a slice has one of both.
pub(super) fn slices(anchor: &Anchor, lease: &Lease, endpoints: &[Endpoint]) -> Result<Vec<Wanted>, ApiError> {
    // A slice knows no weights; who is only for when others fail would get its share.
    let has_weight = endpoints.iter().any(|endpoint| endpoint.weight > 0);
    let used = endpoints.iter().filter(|endpoint| endpoint.weight > 0 || !has_weight);
    let mut groups: BTreeMap<(bool, u16), BTreeSet<String>> = BTreeMap::new();
    for Endpoint { address, .. } in used {
        let (is_v6, ip) = match address {
            SocketAddr::V4(address) => (false, address.ip().to_string()),
            SocketAddr::V6(address) => (true, address.ip().to_string()),
        };
        groups.entry((is_v6, address.port())).or_default().insert(ip);
    }
    let slice = |((is_v6, port), addresses): ((bool, u16), BTreeSet<String>)| {
        let name = format!("{}-{}-{port}", marks::name(lease.port), if is_v6 { "v6" } else { "v4" });
        let mut metadata = metadata(anchor, lease, name.clone());
        let labels = metadata.labels.get_or_insert_default();
        labels.insert("kubernetes.io/service-name".to_owned(), marks::name(lease.port));
        labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), "taskgate".to_owned());
        let ready = EndpointConditions { ready: Some(true), ..EndpointConditions::default() };
        let endpoint = |address: String| SliceEndpoint {
            addresses: vec![address],
            conditions: Some(ready.clone()),
            ..SliceEndpoint::default()
        };
        let slice = EndpointSlice {
            address_type: if is_v6 { "IPv6" } else { "IPv4" }.to_owned(),
            endpoints: addresses.into_iter().map(endpoint).collect(),
            metadata,
            ports: Some(vec![EndpointPort {
                name: Some("tcp".to_owned()),
                port: Some(port.into()),
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
        };
        wanted(name, &slice)
    };
    groups.into_iter().map(slice).collect()
}

/// The route from the listener to the Service.
pub(super) fn route(anchor: &Anchor, lease: &Lease, version: RouteVersion) -> Result<Wanted, ApiError> {
    let name = marks::name(lease.port);
    let backend = BackendRef { name: name.clone(), port: lease.port };
    let spec = RouteSpec { parent_refs: [anchor.parent.clone()], rules: [RouteRule { backend_refs: [backend] }] };
    let metadata = metadata(anchor, lease, name.clone());
    let api = format!("{GROUP}/{version}");
    wanted(name, &json!({"apiVersion": api, "kind": "TCPRoute", "metadata": metadata, "spec": spec}))
}

/// Whether all of that is in an object: a server adds what was left out, and others may write beside it.
pub(super) fn covers(found: &DynamicObject, wanted: &Wanted) -> bool {
    serde_json::to_value(found).is_ok_and(|found| has(&found, &wanted.body))
}

fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            // Lists don't say what their items are.
            let is_type = key == "apiVersion" || key == "kind";
            found.get(key).map_or(is_type, |found| has(found, wanted))
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| has(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}

fn metadata(anchor: &Anchor, lease: &Lease, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        labels: Some(marks::labels(lease)),
        annotations: Some(marks::annotations(lease, &anchor.gateway)),
        owner_references: anchor.owner.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn wanted(name: String, object: &impl serde::Serialize) -> Result<Wanted, ApiError> {
    let body = serde_json::to_value(object);
    let body = body.map_err(|_| ApiError::Unavailable("an object could not be written".to_owned()))?;
    Ok(Wanted { name, body })
}

#[cfg(test)]
mod tests {
    use taskgate_core::label::Label;

    use super::*;
    use crate::gateway::port::Holder;

    fn lease() -> Lease {
        let holder = Holder::parse(&"0".repeat(32)).expect("a holder");
        Lease { port: 20_000, holder, service: Label::parse(b"ae5cf6f5").expect("a label"), generation: 7 }
    }

    fn anchor() -> Anchor {
        let parent = ParentRef::new("ListenerSet", "taskgate-p20000", Some("tcp"));
        Anchor { gateway: "edge".to_owned(), parent, owner: None, since: None }
    }

    fn endpoint(address: &str, weight: u8) -> Endpoint {
        Endpoint { address: address.parse().expect("an address"), weight }
    }

    #[test]
    fn jobs_are_in_slices_by_family_and_port() {
        let jobs =
            [("10.0.0.2:80", 1), ("10.0.0.1:80", 1), ("10.0.0.1:81", 2), ("[fd00::1]:80", 1), ("10.0.0.9:80", 0)];
        let jobs = jobs.map(|(address, weight)| endpoint(address, weight));
        let slices = slices(&anchor(), &lease(), &jobs).expect("slices");
        let said = |slice: &Wanted| {
            let endpoints = slice.body["endpoints"].as_array().expect("endpoints");
            let addresses = endpoints.iter().map(|endpoint| endpoint["addresses"][0].as_str().expect("one").to_owned());
            (slice.name.clone(), addresses.collect::<Vec<_>>().join(" "))
        };
        let expected = [
            ("taskgate-p20000-v4-80", "10.0.0.1 10.0.0.2"),
            ("taskgate-p20000-v4-81", "10.0.0.1"),
            ("taskgate-p20000-v6-80", "fd00::1"),
        ];
        let expected = expected.map(|(name, addresses)| (name.to_owned(), addresses.to_owned()));
        assert_eq!(slices.iter().map(said).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn jobs_that_are_only_for_when_others_fail_serve_where_there_are_no_others() {
        let slices = slices(&anchor(), &lease(), &[endpoint("10.0.0.9:80", 0)]).expect("slices");
        assert_eq!(slices.len(), 1);
        assert!(super::slices(&anchor(), &lease(), &[]).is_ok_and(|none| none.is_empty()));
    }

    #[test]
    fn what_a_server_adds_is_no_difference() {
        let service = service(&anchor(), &lease()).expect("a service");
        let mut stored = service.body.clone();
        stored["spec"]["clusterIP"] = json!("10.96.0.1");
        stored["spec"]["ports"][0]["targetPort"] = json!(20_000);
        stored["metadata"]["uid"] = json!("u");
        stored.as_object_mut().expect("an object").remove("kind");
        let object = |value: &Value| serde_json::from_value::<DynamicObject>(value.clone()).expect("an object");
        assert!(covers(&object(&stored), &service));
        stored["spec"]["ports"][0]["port"] = json!(1);
        assert!(!covers(&object(&stored), &service));
        stored["spec"]["ports"] = json!([]);
        assert!(!covers(&object(&stored), &service));
    }
}
