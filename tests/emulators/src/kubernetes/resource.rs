//! The resources that there are.

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    /// Whether it comes from a definition, so that its updates must say what they are of.
    pub(super) is_custom: bool,
    pub(super) is_namespaced: bool,
}

pub(super) const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

pub(super) const GATEWAYS: Resource = custom("gateways", "Gateway");
pub(super) const SETS: Resource = custom("listenersets", "ListenerSet");
pub(super) const ROUTES: Resource = custom("tcproutes", "TCPRoute");
pub(super) const SERVICES: Resource = builtin("", "services", "Service");
pub(super) const SLICES: Resource = builtin("discovery.k8s.io", "endpointslices", "EndpointSlice");
pub(super) const LEASES: Resource = builtin("coordination.k8s.io", "leases", "Lease");
pub(super) const DEFINITIONS: Resource = Resource {
    is_namespaced: false,
    ..builtin("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition")
};

const ALL: [Resource; 7] = [GATEWAYS, SETS, ROUTES, SERVICES, SLICES, LEASES, DEFINITIONS];

const fn custom(plural: &'static str, kind: &'static str) -> Resource {
    Resource { group: GATEWAY_GROUP, plural, kind, is_custom: true, is_namespaced: true }
}

const fn builtin(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, plural, kind, is_custom: false, is_namespaced: true }
}

impl Resource {
    /// The resource of a path, whatever the version.
    pub(super) fn find(group: &str, plural: &str) -> Option<Self> {
        ALL.into_iter().find(|resource| resource.group == group && resource.plural == plural)
    }

    /// As refusals call it.
    pub(super) fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// As refusals of what is invalid call it.
    pub(super) fn full_kind(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Whether a status is written apart from the rest.
    pub(super) fn has_status(&self) -> bool {
        self.is_custom
    }
}
