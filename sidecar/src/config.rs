//! The configuration file: one YAML document, a section a capability.
//!
//! This is the wire form and what can be said about it without touching anything else: sections are
//! read, checked, and their secrets and paths resolved. What runs is built from it elsewhere.

pub mod access;
pub mod arvados;
pub mod data;
pub mod defaults;
pub mod determined;
pub mod dns;
pub mod duration;
pub mod file;
pub mod filter;
pub mod forward_auth;
pub mod gate;
pub mod internal;
pub mod internal_task_gateway;
pub mod keys;
pub mod load;
pub mod logs;
pub mod names;
pub mod operations;
pub mod providers;
pub mod public;
pub mod reference;
pub mod resolve;
pub mod sessions;
pub mod sources;
pub mod state;
pub mod task_operations;
pub mod tasks;
pub mod telemetry;
pub mod tunnels;
pub mod verdicts;
pub mod xds;
pub mod ytsaurus;

use schemars::JsonSchema;
use serde::Deserialize;

/// The whole configuration of `taskgate`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Taskgate configuration")]
pub struct Config {
    /// What the filter decides by.
    pub gate: gate::GateSection,
    /// The listener that the filter talks to.
    pub internal: internal::InternalConfig,
    /// The listener that ingresses without the filter ask; none by default.
    pub forward_auth: Option<forward_auth::ForwardAuthConfig>,
    /// The listener that Envoy reads the addresses of jobs from; none by default.
    pub xds: Option<xds::XdsConfig>,
    /// TCP services at ports of their own; none by default.
    pub internal_task_gateway: Option<internal_task_gateway::InternalTaskGatewayConfig>,
    /// The listener for health checks and metrics.
    pub operations: operations::OperationsConfig,
    /// The listener that clients of tasks and of data talk to.
    pub public: Option<public::PublicConfig>,
    /// Where services come from, first preferred: where two publish the same service, the first
    /// one's counts.
    pub providers: Vec<providers::ProviderConfig>,
    /// Friendly names of services.
    pub names: names::NamesConfig,
    /// How discovery as a whole behaves.
    pub discovery: providers::DiscoveryConfig,
    /// How names of services' endpoints become addresses.
    pub dns: dns::DnsConfig,
    /// Who is whom, and for how long a decision holds.
    pub verdicts: verdicts::VerdictsConfig,
    /// What seals sessions, and credentials of tasks, current key first. With none, keys are made up at
    /// the start and sessions end with the process; with `tasks` there must be one. Keep a key for as long
    /// as tasks last that were asked for under it.
    pub keys: Vec<keys::KeyConfig>,
    /// Where people sign in and see what they may use; none by default.
    pub access: Option<access::AccessConfig>,
    /// Uploads and downloads with signed URLs, for Flyte's SDK and for curl; none by default.
    pub data: Option<data::DataConfig>,
    /// Durable long work that clients ask for; none by default.
    pub tasks: Option<tasks::TasksConfig>,
    /// TCP services through the HTTP ingress; none by default.
    pub tunnels: Option<tunnels::TunnelsConfig>,
    /// Browser sessions.
    pub sessions: sessions::SessionsConfig,
    /// The compiled filter that proxies can fetch from `/filter.wasm` of the internal listener.
    pub filter: filter::FilterConfig,
    /// What outlives the process.
    pub state: state::StateConfig,
    /// What is logged, and how.
    pub logs: logs::LogsConfig,
    /// Where traces go.
    pub telemetry: telemetry::TelemetryConfig,
    /// How processes end.
    pub shutdown: operations::ShutdownConfig,
}
