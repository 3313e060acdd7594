//! Services, as the file provider reads them.

use std::net::SocketAddr;

use serde_json::{Value, json};
use taskgate_core::naming::ServiceDigest;

/// The domain under which they are named.
pub(crate) const BASE_DOMAIN: &str = "tasks.example.test";
/// Owns all services.
pub(crate) const ALICE: &str = "alice-token";
/// May read all services.
pub(crate) const BOB: &str = "bob-token";
/// Is known, and may nothing.
pub(crate) const MALLORY: &str = "mallory-token";

pub(crate) const OPERATION: &str = "a6e04b98-bf982394-5103e8-55754a49";
pub(crate) const NAME: &str = "ui";

/// One service; its task name tells it from the others.
#[derive(Clone, Debug)]
pub(crate) struct Service(Value);

impl Service {
    pub(crate) fn http(task: &str) -> Self {
        Self::new(task, "http")
    }

    pub(crate) fn grpc(task: &str) -> Self {
        Self::new(task, "grpc")
    }

    pub(crate) fn websocket(task: &str) -> Self {
        Self::new(task, "websocket")
    }

    pub(crate) fn tcp(task: &str) -> Self {
        Self::new(task, "tcp")
    }

    fn new(task: &str, protocol: &str) -> Self {
        Self(json!({
            "operation": OPERATION, "task": task, "service": NAME, "protocol": protocol, "endpoints": [],
            "access": "can_read", "owner": "alice", "grants": [{"to": "bob", "level": "can_read"}],
        }))
    }

    /// A job of it.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        self.endpoint(address, 1)
    }

    /// Jobs at the addresses of a name.
    pub(crate) fn named(mut self, name: &str, port: u16) -> Self {
        self.0["endpoints"] = json!([format!("{name}:{port}")]);
        self
    }

    /// A job that is only tried when others fail.
    pub(crate) fn reserve(self, address: SocketAddr) -> Self {
        self.endpoint(address, 0)
    }

    /// What a visitor needs; `can_read` where nothing is said.
    pub(crate) fn access(mut self, access: &str) -> Self {
        self.0["access"] = json!(access);
        self
    }

    /// With an alias of its workload, by which it has one more name: `<alias>-<task>-ui`.
    pub(crate) fn alias(mut self, alias: &str) -> Self {
        self.0["alias"] = json!(alias);
        self
    }

    /// With a friendly name.
    pub(crate) fn name(mut self, name: &str) -> Self {
        self.0["names"] = json!([name]);
        self
    }

    /// The owner's alone.
    pub(crate) fn without_grants(mut self) -> Self {
        self.0["grants"] = json!([]);
        self
    }

    fn endpoint(mut self, address: SocketAddr, weight: u8) -> Self {
        if let Some(endpoints) = self.0["endpoints"].as_array_mut() {
            endpoints.push(json!({"address": address.to_string(), "weight": weight}));
        }
        self
    }
}

/// The services file.
pub(crate) fn file(services: &[Service]) -> String {
    json!({ "services": services.iter().map(|service| &service.0).collect::<Vec<_>>() }).to_string()
}

/// The id of the service of that task.
pub(crate) fn id(task: &str) -> String {
    let id = ServiceDigest::of(OPERATION, task, NAME).suffix(8);
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// The host name with that id.
pub(crate) fn host_of(id: &str) -> String {
    format!("{id}.{BASE_DOMAIN}")
}

/// The host name of the service of that task.
pub(crate) fn host(task: &str) -> String {
    format!("{}.{BASE_DOMAIN}", id(task))
}
