//! Small parts of Envoy's messages.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, DataSource, SocketAddress, TcpKeepalive, address,
};
use envoy_types::pb::google::protobuf;
use prost::{Message, Name};

/// How long Envoy's start waits for what is referred to by name.
const FETCH: Duration = Duration::from_secs(5);

/// A message of any type.
pub(super) fn any<M: Message + Name>(message: &M) -> protobuf::Any {
    protobuf::Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: message.encode_to_vec() }
}

/// A span of time.
pub(super) fn span(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// From where Envoy has what is referred to by name: over the stream that it has already.
pub(super) fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        initial_fetch_timeout: Some(span(FETCH)),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource::default())),
        ..ConfigSource::default()
    }
}

/// A number that may be left out.
pub(super) const fn number(value: u32) -> Option<protobuf::UInt32Value> {
    Some(protobuf::UInt32Value { value })
}

/// How a peer that vanished is found out under a connection on which nothing is said.
pub(super) const fn keepalive() -> TcpKeepalive {
    TcpKeepalive { keepalive_time: number(60), keepalive_interval: number(15), keepalive_probes: number(4) }
}

/// An address.
pub(super) fn address(address: SocketAddr) -> Address {
    at(address.ip(), address.port())
}

/// A port at an address.
pub(super) fn at(address: IpAddr, port: u16) -> Address {
    let socket = SocketAddress {
        address: address.to_string(),
        port_specifier: Some(PortSpecifier::PortValue(port.into())),
        ..SocketAddress::default()
    };
    Address { address: Some(address::Address::SocketAddress(socket)) }
}

/// A file, as Envoy sees it.
pub(super) fn file(path: &Path) -> DataSource {
    let specifier = Specifier::Filename(path.to_string_lossy().into_owned());
    DataSource { specifier: Some(specifier), ..DataSource::default() }
}

/// A text in the message itself.
pub(super) fn text_source(text: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineString(text.to_owned())), ..DataSource::default() }
}
