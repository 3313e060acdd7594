//! Listeners of single ports, each with a cluster of its own: what proxies should have, and what they say they have.
//!
//! [`board`] is where the two meet. Whoever wants a port puts it there and waits until every proxy that takes
//! listeners said that it has it; the streams read it there, and note what they hear.

pub mod board;
pub mod proxy;
pub mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::Resource;
use envoy_types::pb::google::protobuf::Any;

use crate::digest::Digest;
use crate::xds::assignment;
use crate::xds::ports::secrets::Secrets;

/// What the names of our resources begin with. Others are never touched.
pub const PREFIX: &str = "taskgate-tcp/";

/// The kinds of resources of a port, in the order in which proxies need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// How the jobs are connected to.
    Cluster,
    /// Where they are.
    Endpoints,
    /// Where it listens.
    Listener,
}

/// One resource.
///
/// Invariant: the version is of the content, and of how often it was refused, so that a sidecar that starts again
/// changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    kind: Kind,
    version: Arc<str>,
    bytes: Vec<u8>,
}

/// A port as proxies should have it. All its resources have one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name.
    pub name: Arc<str>,
    /// Whether its listener refers to the secrets.
    pub is_secured: bool,
    bodies: [Arc<Body>; 3],
}

/// The ports that proxies should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// By name.
    pub wanted: BTreeMap<Arc<str>, Arc<Port>>,
    /// Those that there should not be, whether or not the rest is known.
    pub gone: BTreeSet<Arc<str>>,
    /// Whether that is all: what else proxies have of ours goes.
    pub is_whole: bool,
    /// What listeners refer to, where any may.
    pub secrets: Option<Arc<Secrets>>,
}

impl Kind {
    /// All of them, in that order.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Endpoints, Self::Listener];

    /// The kind of that type.
    #[must_use]
    pub fn of(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }

    /// Its type.
    #[must_use]
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => assignment::TYPE_URL,
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Cluster => 0,
            Self::Endpoints => 1,
            Self::Listener => 2,
        }
    }
}

impl Body {
    /// A resource of these bytes, which was refused so many times before.
    #[must_use]
    pub fn new(kind: Kind, bytes: Vec<u8>, refusals: u32) -> Self {
        let digest = Digest::of(&bytes).prefix();
        let version = if refusals == 0 { format!("{digest:016x}") } else { format!("{digest:016x}-{refusals}") };
        Self { kind, version: version.into(), bytes }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The wire form, under that name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Resource {
        Resource {
            name: name.to_owned(),
            version: self.version.as_ref().to_owned(),
            resource: Some(Any { type_url: self.kind.type_url().to_owned(), value: self.bytes.clone() }),
            ..Resource::default()
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {} of {} bytes", self.kind, self.version, self.bytes.len())
    }
}

impl Port {
    /// A port with these messages: a cluster, its endpoints and a listener. `refusals`: how often each of them was
    /// refused before; `is_secured`: whether the listener refers to the secrets.
    #[must_use]
    pub fn new(name: Arc<str>, messages: [Vec<u8>; 3], refusals: [u32; 3], is_secured: bool) -> Self {
        let [cluster, endpoints, listener] = messages;
        let [of_cluster, of_endpoints, of_listener] = refusals;
        let bodies = [
            Arc::new(Body::new(Kind::Cluster, cluster, of_cluster)),
            Arc::new(Body::new(Kind::Endpoints, endpoints, of_endpoints)),
            Arc::new(Body::new(Kind::Listener, listener, of_listener)),
        ];
        Self { name, is_secured, bodies }
    }

    /// The same jobs behind the listener of another one.
    #[must_use]
    pub fn behind(&self, other: &Self) -> Self {
        let [cluster, endpoints, _] = &self.bodies;
        let [_, _, listener] = &other.bodies;
        let bodies = [cluster, endpoints, listener].map(Arc::clone);
        Self { name: Arc::clone(&self.name), is_secured: other.is_secured, bodies }
    }

    /// Its resource of a kind.
    #[must_use]
    pub fn body(&self, kind: Kind) -> &Arc<Body> {
        let [cluster, endpoints, listener] = &self.bodies;
        match kind {
            Kind::Cluster => cluster,
            Kind::Endpoints => endpoints,
            Kind::Listener => listener,
        }
    }
}
