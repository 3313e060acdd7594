//! Records as the cluster writes them.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::arvados::discovery::wishes;
use crate::arvados::uuid::{Kind, Uuid};

/// A request for a container, committed.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WireRequest")]
pub struct Request {
    /// Its name.
    pub uuid: Uuid,
    /// The project or user that it belongs to.
    pub owner: Uuid,
    /// Who changed it last. That is not who made it.
    pub modified_by: Option<Uuid>,
    /// What runs for it.
    pub container: Uuid,
    /// What its maker published.
    pub ports: Value,
    /// What people wrote on it.
    pub properties: Value,
}

/// A container.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WireContainer")]
pub struct Container {
    /// Its name.
    pub uuid: Uuid,
    /// Whether its program runs.
    pub is_running: bool,
    /// Whether it is over.
    pub is_over: bool,
    /// The ports that were published when it was made.
    pub ports: Value,
    /// As whom it runs; none before it starts.
    pub user: Option<Uuid>,
    /// When it was made, as the cluster writes it: an earlier time is a smaller text.
    pub created_at: String,
}

/// A name of a port.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WireLink")]
pub struct Link {
    /// The link's own name.
    pub uuid: Uuid,
    /// The name that it gives.
    pub name: String,
    /// The request.
    pub request: Uuid,
    /// The project or user that the link belongs to.
    pub owner: Uuid,
    /// Who changed it last.
    pub modified_by: Option<Uuid>,
    /// The port; none where it says none.
    pub port: Option<u16>,
}

/// A record that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a name in the record is none")]
pub struct InvalidRecord;

#[derive(Deserialize)]
struct WireRequest {
    uuid: String,
    owner_uuid: String,
    modified_by_user_uuid: Option<String>,
    container_uuid: Option<String>,
    #[serde(default)]
    published_ports: Value,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
struct WireContainer {
    uuid: String,
    state: String,
    #[serde(default)]
    published_ports: Value,
    runtime_user_uuid: Option<String>,
    #[serde(default)]
    created_at: String,
}

#[derive(Deserialize)]
struct WireLink {
    uuid: String,
    name: Option<String>,
    head_uuid: Option<String>,
    owner_uuid: String,
    modified_by_user_uuid: Option<String>,
    #[serde(default)]
    properties: Value,
}

impl Request {
    /// Whether it may have services: it publishes ports, or registers an address.
    #[must_use]
    pub fn has_services(&self) -> bool {
        let has_ports = self.ports.as_object().is_some_and(|ports| !ports.is_empty());
        has_ports || self.properties.get(wishes::ADDRESS).is_some()
    }
}

impl TryFrom<WireRequest> for Request {
    type Error = InvalidRecord;

    fn try_from(wire: WireRequest) -> Result<Self, InvalidRecord> {
        Ok(Self {
            uuid: of_kind(&wire.uuid, Kind::ContainerRequest)?,
            owner: Uuid::parse(&wire.owner_uuid).ok_or(InvalidRecord)?,
            modified_by: user(wire.modified_by_user_uuid.as_deref()),
            container: of_kind(wire.container_uuid.as_deref().unwrap_or_default(), Kind::Container)?,
            ports: wire.published_ports,
            properties: wire.properties,
        })
    }
}

impl TryFrom<WireContainer> for Container {
    type Error = InvalidRecord;

    fn try_from(wire: WireContainer) -> Result<Self, InvalidRecord> {
        Ok(Self {
            uuid: of_kind(&wire.uuid, Kind::Container)?,
            is_running: wire.state == "Running",
            is_over: !matches!(wire.state.as_str(), "Queued" | "Locked" | "Running"),
            ports: wire.published_ports,
            user: user(wire.runtime_user_uuid.as_deref()),
            created_at: wire.created_at,
        })
    }
}

impl TryFrom<WireLink> for Link {
    type Error = InvalidRecord;

    fn try_from(wire: WireLink) -> Result<Self, InvalidRecord> {
        let port = wire.properties.get("port").and_then(Value::as_u64);
        Ok(Self {
            uuid: Uuid::parse(&wire.uuid).ok_or(InvalidRecord)?,
            name: wire.name.unwrap_or_default(),
            request: of_kind(wire.head_uuid.as_deref().unwrap_or_default(), Kind::ContainerRequest)?,
            owner: Uuid::parse(&wire.owner_uuid).ok_or(InvalidRecord)?,
            modified_by: user(wire.modified_by_user_uuid.as_deref()),
            port: port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
        })
    }
}

fn of_kind(text: &str, kind: Kind) -> Result<Uuid, InvalidRecord> {
    Uuid::parse(text).filter(|uuid| uuid.kind() == kind).ok_or(InvalidRecord)
}

fn user(text: Option<&str>) -> Option<Uuid> {
    Uuid::parse(text?).filter(|uuid| uuid.kind() == Kind::User)
}
