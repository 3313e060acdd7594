//! Where everything is: the cluster, its Gateway, and the namespace that it is in.

use std::time::Duration;

use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;
use crate::gateway::kubernetes::cluster::Cluster;
use crate::gateway::kubernetes::versions::RouteVersion;
use crate::gateway::rest_clock::RestClock;

/// The group of the Gateway API.
pub(super) const GROUP: &str = "gateway.networking.k8s.io";

/// Where everything is.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) cluster: Cluster,
    /// The Gateway's name.
    pub(super) gateway: String,
    /// The Gateway's namespace, which all of ours is in.
    pub(super) namespace: String,
    /// How long a port rests that a service held beside another.
    pub(super) rest: Duration,
    /// What sidecars say when by.
    pub(super) clock: SharedClock,
    /// When rests are over.
    pub(super) rest_clock: RestClock,
}

impl Site {
    pub(super) fn gateways(&self) -> String {
        format!("/apis/{GROUP}/v1/namespaces/{}/gateways", self.namespace)
    }

    pub(super) fn sets(&self) -> String {
        format!("/apis/{GROUP}/v1/namespaces/{}/listenersets", self.namespace)
    }

    pub(super) fn routes(&self, version: RouteVersion) -> String {
        format!("/apis/{GROUP}/{version}/namespaces/{}/tcproutes", self.namespace)
    }

    pub(super) fn services(&self) -> String {
        format!("/api/v1/namespaces/{}/services", self.namespace)
    }

    pub(super) fn slices(&self) -> String {
        format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", self.namespace)
    }

    pub(super) fn leases(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }
}
