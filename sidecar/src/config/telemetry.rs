//! `telemetry`: where traces go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::secret::SecretText;

/// Where traces go.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// A collector of traces; none by default.
    pub otlp: Option<OtlpConfig>,
}

/// A collector of traces that speaks OTLP over HTTP, with protobuf.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// Where it is, as in `http://collector.example.test:4318`; without a path, `/v1/traces` is added.
    pub endpoint: String,
    /// Headers of each request to it, as in `x-tenant: research`.
    #[serde(default)]
    pub headers: Vec<SecretText>,
    /// A file with more of them, one a line: for those that are secret.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Which part of the requests is traced, from 0 to 1.
    #[serde(default = "sample_ratio")]
    pub sample_ratio: f64,
    /// Whether a request that comes with a trace is traced where that one is kept, and not where it is not. Only where
    /// your own proxies write `traceparent`: clients could choose otherwise.
    #[serde(default)]
    pub trust_incoming: bool,
    /// What this sidecar is called in traces.
    #[serde(default = "service_name")]
    pub service_name: String,
    /// How long sending a batch may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

const fn sample_ratio() -> f64 {
    defaults::TRACE_SAMPLE_RATIO
}

fn service_name() -> String {
    defaults::TRACE_SERVICE_NAME.into()
}

const fn timeout_ms() -> u64 {
    defaults::TRACE_TIMEOUT_MS
}
