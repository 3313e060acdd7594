//! The services that the sidecar has itself: its API of data, behind the gate like any other service.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use taskgate_core::label::Label;
use taskgate_core::naming::ID_LENGTHS;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory, ServiceKey};
use crate::discovery::policy::{Authorisation, Grantee, Level, Policy};
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;

/// Where the API of data is behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnService {
    /// Its label: `data` for `data.tasks.example.test`. No other service gets it.
    pub label: Label,
    /// Where proxies reach the sidecar's public listener.
    pub address: SocketAddr,
}

/// Publishes the sidecar's own services. Whoever is known may use them: what they may do there is decided request by
/// request.
#[derive(Debug, Default)]
pub struct OwnProvider {
    inventory: Inventory,
}

impl OwnProvider {
    /// The provider of this service.
    #[must_use]
    pub fn new(service: &OwnService) -> Self {
        let services = vec![Arc::new(data_entry(&[service.address]))];
        Self { inventory: Inventory { services, ..Inventory::default() } }
    }
}

#[async_trait]
impl Provider for OwnProvider {
    async fn run(&self, publisher: Publisher, stop: CancellationToken) {
        publisher.publish(self.inventory.clone());
        stop.cancelled().await;
    }

    async fn look(&self) -> Result<Inventory, String> {
        Ok(self.inventory.clone())
    }

    async fn authorise(&self, _service: &Entry, _actor: &Actor) -> Authorisation {
        Authorisation::Allow
    }
}

/// The names of the API of data.
#[must_use]
pub fn data_key() -> ServiceKey {
    ServiceKey { operation: "taskgate".into(), task: "data".into(), service: "api".into() }
}

/// The API of data as a service, at these addresses. It speaks HTTP/2, which carries gRPC too.
#[must_use]
pub fn data_entry(addresses: &[SocketAddr]) -> Entry {
    Entry {
        key: Arc::new(data_key()),
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
    }
}

/// Whether a label could be the id of some service, which would then want it.
#[must_use]
pub fn is_like_an_id(label: &Label) -> bool {
    let text = label.as_str();
    ID_LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
