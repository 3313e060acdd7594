//! What cases refer to by name: services, tables, keys, configurations, answers (`fixtures.json`).

use core::net::SocketAddr;
use std::collections::BTreeMap;

use serde::Deserialize;
use taskgate_core::config::GateConfig;
use taskgate_core::feed::Control;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::revocation::Revocation;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol, Service};
use taskgate_core::time::UnixTime;

use crate::case::VerdictText;

/// Everything cases refer to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixtures {
    /// What time it is when a case starts.
    pub start_ms: UnixTime,
    /// Rows by name.
    pub services: BTreeMap<String, Row>,
    /// Tables by name.
    pub tables: BTreeMap<String, TableFixture>,
    /// Keys and epochs by name.
    pub controls: BTreeMap<String, ControlFixture>,
    /// Secrets by name: the byte that is repeated.
    pub secrets: BTreeMap<String, u8>,
    /// Configurations by name.
    pub gates: BTreeMap<String, GateFixture>,
    /// Answers of the sidecar by name.
    pub answers: BTreeMap<String, AnswerFixture>,
}

/// One row of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// A service.
    Service(Box<ServiceRow>),
    /// Bytes that are no row.
    Junk {
        /// The bytes, as latin-1.
        junk: String,
    },
}

/// A service as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRow {
    id: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default = "file_provider")]
    provider: String,
    operation: String,
    alias: Option<String>,
    task: String,
    services: Vec<String>,
    protocol: Protocol,
    /// Addresses of weight 1, or addresses with their weight.
    endpoints: Vec<EndpointRow>,
    access: AccessLevel,
    #[serde(default)]
    forward_credential: bool,
    #[serde(default)]
    vouched: bool,
    #[serde(default)]
    path: Option<String>,
    #[serde(default = "first_epoch")]
    origin: u32,
    #[serde(default = "first_epoch")]
    epoch: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum EndpointRow {
    Plain(SocketAddr),
    Weighted(SocketAddr, u8),
}

fn file_provider() -> String {
    "file".into()
}

const fn first_epoch() -> u32 {
    1
}

impl ServiceRow {
    /// The domain form.
    #[must_use]
    pub fn service(&self) -> Service<'_> {
        Service {
            id: &self.id,
            labels: self.labels.iter().map(String::as_str).collect(),
            provider: &self.provider,
            operation: &self.operation,
            alias: self.alias.as_deref(),
            task: &self.task,
            services: self.services.iter().map(String::as_str).collect(),
            protocol: self.protocol,
            endpoints: self.endpoints.iter().map(EndpointRow::endpoint).collect(),
            access: self.access,
            owner: Some("owner"),
            forward_credential: self.forward_credential,
            vouched: self.vouched,
            path: self.path.as_deref(),
            origin: self.origin,
            epoch: self.epoch,
        }
    }
}

impl EndpointRow {
    const fn endpoint(&self) -> Endpoint {
        match *self {
            Self::Plain(address) => Endpoint { address, weight: 1 },
            Self::Weighted(address, weight) => Endpoint { address, weight },
        }
    }
}

/// The table a case starts with: one page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFixture {
    /// Names of its rows.
    pub rows: Vec<String>,
    /// Whether more is to come.
    #[serde(default)]
    pub more: bool,
    /// Keys and epochs.
    pub control: Option<String>,
}

/// Keys and epochs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlFixture {
    number: u64,
    verdict_epoch: u64,
    /// A secret's name.
    cache_key: String,
    /// Key ids, current first; a key's secret has the same name.
    keys: Vec<String>,
    /// What was ended before its time.
    #[serde(default)]
    revocations: Vec<Revocation>,
}

/// A configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateFixture {
    /// As the sidecar hands it over.
    pub config: GateConfig,
    /// Whether the ingress can change a request's path.
    #[serde(default = "yes")]
    pub rewrites_path: bool,
}

const fn yes() -> bool {
    true
}

/// What the sidecar answers, or what comes in its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerFixture {
    /// No answer arrives at all.
    #[serde(default)]
    pub lost: bool,
    /// The HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// The value of the header that marks an answer as the sidecar's own; null: the header is absent.
    #[serde(default = "verdict_marker")]
    pub marker: Option<String>,
    /// The body: a verdict in its wire form.
    pub verdict: Option<VerdictText>,
    /// The body, as latin-1.
    pub text: Option<String>,
    /// How many bytes are missing at the end of the body.
    #[serde(default)]
    pub cut: usize,
    /// What follows the body, as latin-1.
    #[serde(default)]
    pub more: String,
    /// Another version of the wire form.
    pub format: Option<u8>,
}

const fn ok() -> u16 {
    200
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
fn verdict_marker() -> Option<String> {
    Some(taskgate_core::verdict::VERDICT_ANSWER.into())
}

impl Fixtures {
    /// A secret by name.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<[u8; 32]> {
        self.secrets.get(name).map(|byte| [*byte; 32])
    }

    /// Every key that a case can name, as a ring.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        let key = |(id, byte): (&String, &u8)| Some((KeyId::parse(id).ok()?, Secret::new([*byte; 32])));
        KeyRing::new(self.secrets.iter().filter_map(key))
    }

    /// Keys, epochs and configuration by name.
    #[must_use]
    pub fn control(&self, name: &str, gate: &str) -> Option<Control> {
        let fixture = self.controls.get(name)?;
        let key = |id: &String| Some((KeyId::parse(id).ok()?, self.secret(id)?));
        Some(Control {
            number: fixture.number,
            cache_key: self.secret(&fixture.cache_key)?,
            keys: fixture.keys.iter().map(key).collect::<Option<_>>()?,
            verdict_epoch: fixture.verdict_epoch,
            revocations: fixture.revocations.clone(),
            gate: self.gates.get(gate)?.config.clone(),
        })
    }
}
