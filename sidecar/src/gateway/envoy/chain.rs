//! What a connection goes through: TLS where it is wanted, the filter, and on to a job.
//!
//! This is the only place where a filter chain is made, and none is made without the filter. The filter is told by Envoy
//! whom a connection is for, by the name of the chain, and when the handshake of TLS is over, by `PEER`; without
//! either it lets nobody in.

use std::time::Duration;

use envoy_types::pb::envoy::config::accesslog::v3::{AccessLog, access_log};
use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, BackoffStrategy, SubstitutionFormatString, TransportSocket, transport_socket,
};
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain};
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{StdoutAccessLog, stdout_access_log};
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::filter_state_value::{self, Key};
use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{FailurePolicy, PluginConfig, ReloadConfig, VmConfig};
use envoy_types::pb::google::protobuf::{Any, BoolValue, StringValue, Struct, UInt32Value, UInt64Value, Value, value};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::config::defaults::GATEWAY_ENVOY_VERDICT_TIMEOUT_MS;
use crate::gateway::envoy::message::{any, file, number, span, text_source};
use crate::gateway::envoy::secret::context;
use crate::gateway::settings::EnvoyGatewaySettings;
use crate::secret::SecretText;

/// How many jobs a connection is tried at. The rests in between are for Envoy's own threads to hear which failed.
const ATTEMPTS: u32 = 10;
const LEAST_REST: Duration = Duration::from_millis(50);
const MOST_REST: Duration = Duration::from_millis(250);
/// How long the handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a filter that broke waits before it is loaded again, at least and at most.
const RELOAD: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// The machine that the filters of all ports share, and no filter of HTTP: a machine has one configuration, and what is
/// written here must not replace what an operator wrote there.
const VM: &str = "taskgate-tcp";
/// What has an end to the connections of one service: before the filter, which is then not asked at all.
const LIMIT: &str = "envoy.filters.network.connection_limit";
/// What is there when the handshake is over, or nothing is to be waited for; the filter reads it.
const PEER: &str = "taskgate.peer";
/// What it says: the digest of the client's certificate, and its end. A format of the filter's.
const PEER_FORMAT: &str = "v1 %DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_CERT_V_END(%s)%";
/// What a client may say before a job took its connection, in bytes. Without this Envoy does not read before it is
/// connected, and a handshake that the filter waits for never ends.
const EARLY: u32 = 65_536;
/// The field `max_early_data_bytes` of `TcpProxy`, which the library does not know yet.
const EARLY_FIELD: u32 = 22;
/// What is written of each connection when it ends: the keys of the audit, and how Envoy calls the values.
const AUDIT: [(&str, &str); 15] = [
    ("time", "%START_TIME%"),
    ("tcp.service", "%FILTER_CHAIN_NAME%"),
    ("service.id", "%FILTER_STATE(wasm.tg_service:PLAIN)%"),
    ("actor.id", "%FILTER_STATE(wasm.tg_actor:PLAIN)%"),
    ("access.level", "%FILTER_STATE(wasm.tg_level:PLAIN)%"),
    ("access.rule", "%FILTER_STATE(wasm.tg_rule:PLAIN)%"),
    ("denial.code", "%FILTER_STATE(wasm.tg_denial:PLAIN)%"),
    ("client.addr", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("listener.addr", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("upstream.addr", "%UPSTREAM_HOST%"),
    ("bytes.received", "%BYTES_RECEIVED%"),
    ("bytes.sent", "%BYTES_SENT%"),
    ("duration_ms", "%DURATION%"),
    ("envoy.flags", "%RESPONSE_FLAGS%"),
    ("envoy.details", "%CONNECTION_TERMINATION_DETAILS%"),
];

/// What a connection goes through.
#[derive(Debug)]
pub struct Chain {
    limit: Any,
    filter: Any,
    transport_socket: Option<TransportSocket>,
}

impl Chain {
    /// Without TLS: for services that are public. `secret`: what the sidecar wants to see of the filter.
    #[must_use]
    pub fn plain(settings: &EnvoyGatewaySettings, secret: Option<&SecretText>) -> Self {
        let limit = ConnectionLimit {
            stat_prefix: "taskgate-tcp".to_owned(),
            max_connections: Some(UInt64Value { value: settings.max_connections.into() }),
            ..ConnectionLimit::default()
        };
        Self { limit: any(&limit), filter: any(&filter(settings, secret)), transport_socket: None }
    }

    /// For who shows a certificate of the authorities that the secrets name. Until Envoy has these, it ends every
    /// connection.
    #[must_use]
    pub fn with_certificates(settings: &EnvoyGatewaySettings, secret: Option<&SecretText>) -> Self {
        let context = DownstreamTlsContext {
            common_tls_context: Some(context()),
            require_client_certificate: Some(BoolValue { value: true }),
            ..DownstreamTlsContext::default()
        };
        let socket = TransportSocket {
            name: "envoy.transport_sockets.tls".to_owned(),
            config_type: Some(transport_socket::ConfigType::TypedConfig(any(&context))),
        };
        Self { transport_socket: Some(socket), ..Self::plain(settings, secret) }
    }

    /// Whether it has TLS, and so refers to the secrets.
    #[must_use]
    pub const fn is_secured(&self) -> bool {
        self.transport_socket.is_some()
    }

    /// The filter chain of that name, to the jobs of that cluster.
    pub(super) fn filters(&self, name: &str, cluster: &str) -> FilterChain {
        let filter =
            |name: &str, config| Filter { name: name.to_owned(), config_type: Some(ConfigType::TypedConfig(config)) };
        FilterChain {
            name: name.to_owned(),
            // In this order. Do not change.
            filters: vec![
                filter(LIMIT, self.limit.clone()),
                filter(PEER, any(&handshake())),
                filter("taskgate", self.filter.clone()),
                filter("envoy.filters.network.tcp_proxy", proxy(cluster)),
            ],
            transport_socket: self.transport_socket.clone(),
            transport_socket_connect_timeout: self.is_secured().then(|| span(HANDSHAKE)),
            ..FilterChain::default()
        }
    }
}

/// The filter, the same for all ports: they share one machine on each worker, with one table.
fn filter(settings: &EnvoyGatewaySettings, secret: Option<&SecretText>) -> Wasm {
    let (least, most) = RELOAD;
    let backoff = BackoffStrategy { base_interval: Some(span(least)), max_interval: Some(span(most)) };
    let machine = VmConfig {
        vm_id: VM.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource { specifier: Some(Specifier::Local(file(&settings.filter_file))) }),
        ..VmConfig::default()
    };
    Wasm {
        config: Some(PluginConfig {
            name: "taskgate".to_owned(),
            configuration: Some(any(&StringValue { value: lines(settings, secret) })),
            // Never open: what the filter can't decide is refused.
            failure_policy: FailurePolicy::FailReload.into(),
            reload_config: Some(ReloadConfig { backoff: Some(backoff) }),
            vm: Some(Vm::VmConfig(machine)),
            ..PluginConfig::default()
        }),
    }
}

/// What the filter is told. `envoy-config/tcp.yaml` has the same for who comes first; what is as by default is left out.
fn lines(settings: &EnvoyGatewaySettings, secret: Option<&SecretText>) -> String {
    let mut lines = format!("cluster = {}", settings.sidecar_cluster);
    if let Some(secret) = secret {
        lines.extend(["\nsecret = ", secret.expose()]);
    }
    if settings.verdict_timeout_ms != GATEWAY_ENVOY_VERDICT_TIMEOUT_MS {
        lines.push_str(&format!("\nverdict_timeout_ms = {}", settings.verdict_timeout_ms));
    }
    lines
}

/// Notes who the client is when the handshake is over.
fn handshake() -> SetFilterState {
    let format = SubstitutionFormatString {
        format: Some(Format::TextFormatSource(text_source(PEER_FORMAT))),
        ..SubstitutionFormatString::default()
    };
    let peer = FilterStateValue {
        factory_key: "envoy.string".to_owned(),
        key: Some(Key::ObjectKey(PEER.to_owned())),
        value: Some(filter_state_value::Value::FormatString(format)),
        ..FilterStateValue::default()
    };
    SetFilterState { on_downstream_tls_handshake: vec![peer], ..SetFilterState::default() }
}

/// What is written of each connection.
fn audit() -> Any {
    let log = |(key, value): &(&str, &str)| {
        let value = Value { kind: Some(value::Kind::StringValue((*value).to_owned())) };
        let fields = [((*key).to_owned(), value)].into();
        let format = SubstitutionFormatString {
            format: Some(Format::JsonFormat(Struct { fields })),
            ..SubstitutionFormatString::default()
        };
        StdoutAccessLog { access_log_format: Some(stdout_access_log::AccessLogFormat::LogFormat(format)) }
    };
    // A map has no order, and the bytes must be the same each time: one message for each field, one behind the other,
    // is the same as one with all.
    let mut message = any(&StdoutAccessLog::default());
    message.value = AUDIT.iter().flat_map(|field| log(field).encode_to_vec()).collect();
    message
}

fn proxy(cluster: &str) -> Any {
    let proxy = TcpProxy {
        stat_prefix: "taskgate-tcp".to_owned(),
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.to_owned())),
        // A shell may be quiet for a day; who vanished is found out by keepalive.
        idle_timeout: Some(span(Duration::ZERO)),
        max_connect_attempts: number(ATTEMPTS),
        backoff_options: Some(BackoffStrategy {
            base_interval: Some(span(LEAST_REST)),
            max_interval: Some(span(MOST_REST)),
        }),
        access_log: vec![AccessLog {
            name: "envoy.access_loggers.stdout".to_owned(),
            config_type: Some(access_log::ConfigType::TypedConfig(audit())),
            ..AccessLog::default()
        }],
        ..TcpProxy::default()
    };
    let mut message = any(&proxy);
    let early = UInt32Value { value: EARLY }.encode_to_vec();
    encode_key(EARLY_FIELD, WireType::LengthDelimited, &mut message.value);
    encode_varint(u64::try_from(early.len()).unwrap_or(u64::MAX), &mut message.value);
    message.value.extend(early);
    message
}
