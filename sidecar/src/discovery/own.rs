//! The services that the sidecar has itself: its API of data, and where people sign in. They are behind the gate like
//! any other service.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::label::Label;
use taskgate_core::naming::{ID_LENGTHS, ServiceDigest};
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_core::verdict::Credential;
use taskgate_core::visitor::TUNNEL_NAMES;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory, ServiceKey};
use crate::discovery::policy::{Authorisation, Grantee, Level, Policy};
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::discovery::written::{Named, Written};
use crate::dns::name::Place;
use crate::dns::names::Names;
use crate::dns::settings::DnsSettings;

/// Where something of the sidecar's own is behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnService {
    /// What it is called.
    pub key: ServiceKey,
    /// Its label: `data` for `data.tasks.example.test`. No other service gets it.
    pub label: Label,
    /// Where proxies reach the sidecar's public listener.
    pub place: Place,
}

/// Publishes the sidecar's own services. Whoever is known may use them: what they may do there is decided request by
/// request.
#[derive(Debug, Default)]
pub struct OwnProvider {
    services: Written,
    /// How names are looked up; none where there are none.
    dns: Option<Arc<DnsSettings>>,
}

impl OwnProvider {
    /// The provider of these services.
    #[must_use]
    pub fn new(services: &[OwnService], dns: &Arc<DnsSettings>) -> Self {
        let mut written = Written::default();
        for own in services {
            match own.place {
                Place::Address(address) => written.inventory.services.push(Arc::new(of(own, &[address]))),
                Place::Name(..) => written.named.push(Named {
                    subject: format!("the sidecar's own service `{}`", own.label),
                    entry: Arc::new(of(own, &[])),
                    places: vec![(own.place.clone(), 1)],
                    told: None,
                }),
            }
        }
        let dns = (!written.is_plain()).then(|| Arc::clone(dns));
        Self { services: written, dns }
    }

    /// What is asked about names, with first answers; none where there is nothing to ask.
    async fn names(&self) -> Option<Names> {
        let mut names = Names::new(Arc::clone(self.dns.as_ref()?));
        names.follow(self.services.names());
        names.settle().await;
        Some(names)
    }
}

#[async_trait]
impl Provider for OwnProvider {
    async fn run(&self, publisher: Publisher, stop: CancellationToken) {
        let Some(mut names) = self.names().await else {
            publisher.publish(self.services.inventory.clone());
            return stop.cancelled().await;
        };
        let mut services = self.services.clone();
        loop {
            publisher.publish(services.inventory(&names));
            tokio::select! {
                () = names.renew() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self) -> Result<Inventory, String> {
        Ok(match self.names().await {
            Some(names) => self.services.clone().inventory(&names),
            None => self.services.inventory.clone(),
        })
    }

    async fn authorise(&self, _service: &Entry, _actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        Authorisation::Allow
    }

    async fn may_share(&self, _service: &Entry, _actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        Authorisation::AccessDenied
    }
}

/// The names of the API of data.
#[must_use]
pub fn data_key() -> ServiceKey {
    ServiceKey { operation: "taskgate".into(), task: "data".into(), service: "api".into() }
}

/// The names of where people sign in.
#[must_use]
pub fn access_key() -> ServiceKey {
    ServiceKey { operation: "taskgate".into(), task: "access".into(), service: "api".into() }
}

/// The names of where tunnels end.
#[must_use]
pub fn tunnel_key() -> ServiceKey {
    let [operation, task, service] = TUNNEL_NAMES.map(Into::into);
    ServiceKey { operation, task, service }
}

/// The id of one of these services, which is the first to be named and so has the shortest.
#[must_use]
pub fn own_id(key: &ServiceKey) -> String {
    let digest = ServiceDigest::of(&key.operation, &key.task, &key.service);
    digest.suffix(ID_LENGTHS[0]).map(|id| id.to_string()).unwrap_or_default()
}

/// The API of data as a service, at these addresses.
#[must_use]
pub fn data_entry(addresses: &[SocketAddr]) -> Entry {
    entry(data_key(), addresses)
}

/// One of them as a service. Where tunnels end is nobody's to ask for: the gate alone sends there.
fn of(own: &OwnService, addresses: &[SocketAddr]) -> Entry {
    let mut entry = entry(own.key.clone(), addresses);
    if own.key == tunnel_key() {
        entry.policy.access = AccessLevel::Nobody;
        // That is where WebSockets begin, and among these addresses Envoy looks for it where it is told of addresses.
        entry.protocol = Protocol::Http;
    }
    entry
}

/// Something of the sidecar's own as a service. It speaks HTTP/2, which carries gRPC too.
fn entry(key: ServiceKey, addresses: &[SocketAddr]) -> Entry {
    Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Grpc,
        endpoints: addresses.iter().map(|address| Endpoint { address: *address, weight: 1 }).collect(),
        policy: Policy {
            access: AccessLevel::CanRead,
            owner: None,
            grants: vec![(Grantee::Everybody, Level::CanRead)],
            revision: 0,
        },
        forward_credential: false,
        names: Vec::new(),
        vouched: true,
        path: None,
    }
}
