//! `GET /v1/services`: what one may use.
//!
//! The list is made of what is known here: owners and grants. Where a platform decides who may use a service, it is not
//! asked about each: of those services, the list has one's own and the public ones, and `/v1/services/{label}` asks
//! about one.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use taskgate_core::config::GateConfig;
use taskgate_core::service::AccessLevel;
use taskgate_core::time::UnixTime;
use taskgate_core::visitor::OWN_PROVIDER;

use crate::access::rights;
use crate::access::shares::{ShareRefusal, origin_of};
use crate::api::access::v1::{AccessApi, refusal};
use crate::api::problem::Problem;
use crate::discovery::policy::Authorisation;
use crate::gateway::board;
use crate::gateway::standing::TcpPlace;
use crate::registry::protocol_name;
use crate::registry::published::Published;

/// The most services of an answer.
const MAX_SERVICES: usize = 1_000;

/// Where the list goes on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The id of the last service of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A service, as somebody sees it who may use it.
#[derive(Debug, Serialize)]
pub(super) struct UsableService {
    id: String,
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    operation: String,
    task: String,
    service: String,
    protocol: &'static str,
    access: AccessLevel,
    /// Whether it is the asker's own.
    own: bool,
    /// Whether any job of it runs.
    running: bool,
    /// When somebody was last let in, as far as this sidecar knows since it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<UnixTime>,
    /// How many tunnels to it are open here.
    open_streams: usize,
    /// Where it is reached that speaks raw TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpPlace>,
}

#[derive(Debug, Serialize)]
pub(super) struct UsableServices {
    services: Vec<UsableService>,
    /// Where the next page begins; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

pub(super) async fn list(
    State(api): State<AccessApi>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<UsableServices>, Problem> {
    let actor = api.actor(&headers).await?;
    let Query(query) = query.map_err(|_| Problem::malformed("`after` is the only parameter"))?;
    let after = query.after.unwrap_or_default();
    let may = |service: &Published| {
        *service.provider != *OWN_PROVIDER && service.entry.policy.authorise(&actor) == Authorisation::Allow
    };
    let mut services = api.app.registry.services();
    services.retain(|service| *service.id.as_str() > *after && may(service));
    services.sort_by(|left, right| left.id.cmp(&right.id));
    let is_more = services.len() > MAX_SERVICES;
    services.truncate(MAX_SERVICES);
    let after = services.last().filter(|_| is_more).map(|service| service.id.to_string());
    let services = services.iter().map(|service| view(&api, service, actor.name())).collect();
    Ok(Json(UsableServices { services, after }))
}

pub(super) async fn one(
    State(api): State<AccessApi>,
    headers: HeaderMap,
    Path(label): Path<String>,
) -> Result<Json<UsableService>, Problem> {
    let actor = api.actor(&headers).await?;
    let service = api.app.registry.service(&label).ok_or(ShareRefusal::UnknownService)?;
    match refusal::of_authorisation(rights::may_use(&api.app, &service, &actor).await) {
        None => Ok(Json(view(&api, &service, actor.name()))),
        Some(problem) => Err(problem),
    }
}

/// Where people open a service. What a path names is at home on a host for that.
fn url_of(gate: &GateConfig, service: &Published) -> Option<String> {
    let scheme = if gate.plain_http { "http" } else { "https" };
    match (&service.entry.path, gate.path_hosts.first()) {
        (Some(path), Some(host)) => Some(format!("{scheme}://{host}{path}")),
        (Some(path), None) => origin_of(gate, service.id.as_str()).map(|origin| format!("{origin}{path}")),
        (None, _) => origin_of(gate, service.id.as_str()),
    }
}

fn view(api: &AccessApi, service: &Published, asker: &str) -> UsableService {
    let entry = &service.entry;
    let activity = api.app.activity.of(service.id.as_str());
    UsableService {
        id: service.id.to_string(),
        labels: service.labels.iter().map(ToString::to_string).collect(),
        url: url_of(&api.app.access.control().gate, service),
        operation: entry.key.operation.clone(),
        task: entry.key.task.clone(),
        service: entry.key.service.clone(),
        protocol: protocol_name(entry.protocol),
        access: entry.policy.access,
        own: entry.policy.owner.as_deref() == Some(asker),
        running: !entry.endpoints.is_empty(),
        last_used_at: activity.map(|found| found.last_used_at),
        open_streams: activity.map_or(0, |found| found.open_streams),
        tcp: board::place(api.app.gateway.as_deref(), service),
    }
}
