//! As much of the Gateway API as is used here, in types of our own: a library's would be of one version of it, and would
//! drop what others write into the same objects.

use serde::{Deserialize, Serialize};

use crate::gateway::kubernetes::site::GROUP;

/// How the one listener of a `ListenerSet` of ours is called.
pub(super) const LISTENER: &str = "tcp";

/// A listener, in a Gateway or in a set. Those of others may have anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listener {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) port: u32,
    #[serde(default)]
    pub(super) protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) allowed_routes: Option<AllowedRoutes>,
}

/// Which routes a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AllowedRoutes {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<RouteKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespaces: Option<Namespaces>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct RouteKind {
    group: Option<String>,
    kind: String,
}

/// From which namespaces something may come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Namespaces {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
}

/// What an object hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ParentRef {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) section_name: Option<String>,
}

/// What a `ListenerSet` is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SetSpec {
    pub(super) parent_ref: ParentRef,
    pub(super) listeners: Vec<Listener>,
}

/// What a `TCPRoute` is to be; the same in `v1` and `v1alpha2`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouteSpec {
    pub(super) parent_refs: [ParentRef; 1],
    pub(super) rules: [RouteRule; 1],
}

/// Where connections go.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouteRule {
    pub(super) backend_refs: [BackendRef; 1],
}

/// A Service of the same namespace.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BackendRef {
    pub(super) name: String,
    pub(super) port: u16,
}

/// What a controller says of a Gateway or a set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListenersStatus {
    pub(super) conditions: Vec<Condition>,
    pub(super) listeners: Vec<ListenerStatus>,
}

/// What it says of one listener.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListenerStatus {
    pub(super) name: String,
    pub(super) conditions: Vec<Condition>,
}

/// What controllers say of a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteStatus {
    pub(super) parents: Vec<RouteParentStatus>,
}

/// What one of them says of a route at one of its parents.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RouteParentStatus {
    pub(super) parent_ref: ParentRef,
    pub(super) conditions: Vec<Condition>,
}

/// One thing that is so, or is not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) observed_generation: Option<i64>,
}

impl Listener {
    /// One that takes TCP, and routes of its own namespace alone.
    pub(super) fn tcp(name: String, port: u16) -> Self {
        let kind = RouteKind { group: Some(GROUP.to_owned()), kind: "TCPRoute".to_owned() };
        let namespaces = Namespaces { from: Some("Same".to_owned()) };
        let allowed_routes = AllowedRoutes { kinds: vec![kind], namespaces: Some(namespaces) };
        Self { name, port: port.into(), protocol: "TCP".to_owned(), allowed_routes: Some(allowed_routes) }
    }
}

impl ParentRef {
    pub(super) fn new(kind: &str, name: &str, section: Option<&str>) -> Self {
        Self {
            group: Some(GROUP.to_owned()),
            kind: Some(kind.to_owned()),
            namespace: None,
            name: name.to_owned(),
            section_name: section.map(str::to_owned),
        }
    }

    /// Whether it means a Gateway of that name and namespace. `own` is the namespace of the object that says so.
    pub(super) fn is_gateway(&self, name: &str, namespace: &str, own: Option<&str>) -> bool {
        self.name == name
            && self.kind.as_deref().is_none_or(|kind| kind == "Gateway")
            && self.namespace.as_deref().or(own).is_none_or(|found| found == namespace)
    }
}
