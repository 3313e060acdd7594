//! A port's listener.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::google::protobuf::BoolValue;
use prost::Message as _;

use crate::gateway::envoy::chain::Chain;
use crate::gateway::envoy::cluster::BUFFER;
use crate::gateway::envoy::message::{at, keepalive, number};
use crate::gateway::port::Lease;

/// The listener of that name. Its one filter chain is called by the service's id, which is how the filter knows whom
/// a connection is for.
pub(super) fn listener(name: &str, lease: &Lease, address: IpAddr, chain: &Chain) -> Vec<u8> {
    Listener {
        name: name.to_owned(),
        address: Some(at(address, lease.port)),
        // With ports that may be shared, another program of the same user would get a part of the connections, and
        // none of the two would be told. Measured with Envoy 1.40: without, the second one is refused.
        enable_reuse_port: Some(BoolValue { value: false }),
        per_connection_buffer_limit_bytes: number(BUFFER),
        tcp_keepalive: Some(keepalive()),
        filter_chains: vec![chain.filters(lease.service.as_str(), name)],
        ..Listener::default()
    }
    .encode_to_vec()
}
