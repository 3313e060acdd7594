//! `GET /internal/services` and `/internal/problems`: what an operator looks at.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskgate_core::service::{AccessLevel, Endpoint};

use crate::app::App;
use crate::gateway::board;
use crate::gateway::standing::TcpPlace;
use crate::registry::protocol_name;
use crate::registry::provider::ProviderStatus;
use crate::registry::published::Published;

/// A service as it is listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedService {
    /// The canonical id.
    pub id: String,
    /// Other labels.
    pub labels: Vec<String>,
    /// Those of them that are friendly names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Who published it.
    pub provider: String,
    /// The workload.
    pub operation: String,
    /// Task name.
    pub task: String,
    /// Service names.
    pub services: Vec<String>,
    /// What its jobs speak.
    pub protocol: String,
    /// Where its jobs listen.
    pub endpoints: Vec<Endpoint>,
    /// Who may use it.
    pub access: AccessLevel,
    /// Whose it is.
    pub owner: Option<String>,
    /// What verdicts and sessions are tied to: another one voids them.
    pub epoch: u32,
    /// Where it is reached that speaks raw TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpPlace>,
}

/// The list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceList {
    /// The services, in the order of their names.
    pub services: Vec<ListedService>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ProblemList {
    providers: Vec<ProviderStatus>,
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<ServiceList> {
    let board = app.gateway.as_deref();
    let listed = |service: &Arc<Published>| ListedService {
        tcp: board::place(board, service),
        ..ListedService::from(&**service)
    };
    let services = app.registry.services().iter().map(listed).collect();
    Json(ServiceList { services })
}

pub(super) async fn problems(State(app): State<Arc<App>>) -> Json<ProblemList> {
    Json(ProblemList { providers: app.registry.providers() })
}

impl From<&Published> for ListedService {
    fn from(service: &Published) -> Self {
        let entry = &service.entry;
        Self {
            id: service.id.to_string(),
            labels: service.labels.iter().map(ToString::to_string).collect(),
            names: entry
                .names
                .iter()
                .filter(|name| service.all_labels().any(|label| label == *name))
                .cloned()
                .collect(),
            provider: service.provider.to_string(),
            operation: entry.key.operation.clone(),
            task: entry.key.task.clone(),
            services: std::iter::once(&entry.key.service).chain(&entry.alternatives).cloned().collect(),
            protocol: protocol_name(entry.protocol).to_owned(),
            endpoints: entry.endpoints.clone(),
            access: entry.policy.access,
            owner: entry.policy.owner.clone(),
            epoch: service.epoch,
            tcp: None,
        }
    }
}
