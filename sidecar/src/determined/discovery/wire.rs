//! What of the master's answers is read. There is no field for what is secret in them, so it is gone when they are read.

use serde::{Deserialize, Deserializer};

/// A task that runs or waits to, from `GET /api/v1/tasks`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// Which task.
    pub task_id: String,
    /// Its ports that the master leads to.
    #[serde(default, deserialize_with = "or_default")]
    pub proxy_ports: Vec<ProxyPort>,
    /// What it runs on; nothing: it waits.
    #[serde(default, deserialize_with = "or_default")]
    pub resources: Vec<Resource>,
}

impl Allocation {
    /// Whether the master gave it anything to run on.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        !self.resources.is_empty()
    }
}

/// A port that the master leads to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyPort {
    /// What the master calls it: the task, or the task and the port.
    pub service_id: String,
    /// The port.
    pub port: u32,
    /// Whether it is TCP, which the master wraps into a WebSocket.
    #[serde(default)]
    pub proxy_tcp: bool,
    /// Whether the master asks nobody who they are.
    #[serde(default)]
    pub unauthenticated: bool,
}

/// What a task runs on.
#[derive(Clone, Debug, Deserialize)]
pub struct Resource {
    /// What started there.
    #[serde(default)]
    pub started: Option<Started>,
}

/// What started.
#[derive(Clone, Debug, Deserialize)]
pub struct Started {
    /// Where; the master says that seldom.
    #[serde(default, deserialize_with = "or_default")]
    pub addresses: Vec<Address>,
}

/// Where a port of a container is. The lists of kinds and the list of tasks write its keys differently.
#[derive(Clone, Debug, Deserialize)]
pub struct Address {
    /// The port inside.
    #[serde(alias = "containerPort")]
    pub container_port: u32,
    /// The address outside.
    #[serde(alias = "hostIp")]
    pub host_ip: String,
    /// The port outside.
    #[serde(alias = "hostPort")]
    pub host_port: u32,
}

/// A notebook, shell, TensorBoard or command, from the list of its kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Item {
    /// The task.
    pub id: String,
    /// How it is: `STATE_RUNNING` and others.
    #[serde(default)]
    pub state: String,
    /// Whose it is.
    #[serde(default)]
    pub username: String,
    /// Where its ports are, of shells.
    #[serde(default, deserialize_with = "or_default")]
    pub addresses: Vec<Address>,
}

/// The master writes `null` for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}
