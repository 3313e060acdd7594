//! `internal_task_gateway.kubernetes`: how the Gateway of Kubernetes is used.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the Gateway of Kubernetes is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesGatewayConfig {
    /// How listeners are added to it.
    pub mode: KubernetesGatewayMode,
    /// Whether services with the access level `public` are put at ports of the Gateway. Nothing of Taskgate stands in
    /// between there: whoever reaches the Gateway reaches the service. Services of other levels never get such a port.
    pub open: bool,
}

/// How listeners are added to the Gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KubernetesGatewayMode {
    /// As `listener_sets` where the cluster serves them, else as `gateway`.
    #[default]
    Auto,
    /// A `ListenerSet` for each port, named by it.
    ListenerSets,
    /// Listeners of the Gateway itself, of which there are 64 at most.
    Gateway,
}
