//! The resources: lists of addresses as Envoy reads them.
//!
//! They are made piece by piece: as messages in memory, a hundred thousand addresses would take many
//! times what their bytes do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress, address};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints};
use envoy_types::pb::envoy::service::discovery::v3::Resource;
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::digest::Digest;
use crate::xds::addresses::Addresses;

/// The type of the resources.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// The resource with the jobs that speak HTTP/1.1.
pub const HTTP1: &str = "taskgate-h1";
/// The resource with the jobs that speak HTTP/2.
pub const HTTP2: &str = "taskgate-h2";

/// The number of the field `endpoints` of a `ClusterLoadAssignment`.
const ENDPOINTS_FIELD: u32 = 2;
/// How many addresses are made into messages at a time.
const PIECE: usize = 64;

/// One resource.
///
/// Invariant: the version is of the content, so that two sidecars that know the same say the same, and one
/// that starts again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    name: &'static str,
    version: String,
    addresses: usize,
    body: Vec<u8>,
}

/// What proxies should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The resources.
    pub assignments: Vec<Arc<Assignment>>,
    /// Whether every provider has been heard: only then does it count what is not there.
    pub is_settled: bool,
}

impl Assignment {
    /// The resource of that name with these addresses.
    #[must_use]
    pub fn new(name: &'static str, addresses: &BTreeSet<SocketAddr>) -> Self {
        let mut listed = Vec::new();
        let mut addresses_left = addresses.iter().peekable();
        while addresses_left.peek().is_some() {
            let lb_endpoints = addresses_left.by_ref().take(PIECE).map(|address| endpoint(*address)).collect();
            // Messages of one kind, one behind the other, are one message with the lists of all.
            listed.extend(LocalityLbEndpoints { lb_endpoints, ..LocalityLbEndpoints::default() }.encode_to_vec());
        }
        let head = ClusterLoadAssignment { cluster_name: name.to_owned(), ..ClusterLoadAssignment::default() };
        let mut body = head.encode_to_vec();
        body.reserve(listed.len().saturating_add(16));
        encode_key(ENDPOINTS_FIELD, WireType::LengthDelimited, &mut body);
        encode_varint(u64::try_from(listed.len()).unwrap_or(u64::MAX), &mut body);
        body.append(&mut listed);
        let version = format!("{:016x}", Digest::of(&body).prefix());
        Self { name, version, addresses: addresses.len(), body }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many addresses it has.
    #[must_use]
    pub const fn addresses(&self) -> usize {
        self.addresses
    }

    /// How many bytes it takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.body.len()
    }

    /// The wire form.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.to_owned(),
            version: self.version.clone(),
            resource: Some(Any { type_url: TYPE_URL.to_owned(), value: self.body.clone() }),
            ..Resource::default()
        }
    }
}

impl Snapshot {
    /// The resources with these addresses.
    #[must_use]
    pub fn new(addresses: &Addresses, is_settled: bool) -> Self {
        let assignments = [(HTTP1, &addresses.http1), (HTTP2, &addresses.http2)];
        let assignments = assignments.map(|(name, addresses)| Arc::new(Assignment::new(name, addresses)));
        Self { assignments: assignments.into(), is_settled }
    }

    /// The resource of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Assignment>> {
        self.assignments.iter().find(|assignment| assignment.name == name)
    }
}

fn endpoint(address: SocketAddr) -> LbEndpoint {
    let socket = SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
        ..SocketAddress::default()
    };
    let address = Address { address: Some(address::Address::SocketAddress(socket)) };
    let endpoint = Endpoint { address: Some(address), ..Endpoint::default() };
    LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u16) -> BTreeSet<SocketAddr> {
        (0..count).map(|port| ([10, 0, 0, 1], port + 1).into()).collect()
    }

    #[test]
    fn every_address_is_in_the_message_once() {
        for count in [0, 1, 63, 64, 65, 1_000] {
            let expected = addresses(count);
            let assignment = Assignment::new(HTTP1, &expected);
            let read = ClusterLoadAssignment::decode(assignment.body.as_slice()).expect("a message");
            assert_eq!((read.cluster_name.as_str(), read.endpoints.len()), (HTTP1, 1));
            let listed = &read.endpoints[0].lb_endpoints;
            assert_eq!((listed.len(), assignment.addresses()), (expected.len(), expected.len()));
            assert!(listed.iter().zip(&expected).all(|(listed, expected)| *listed == endpoint(*expected)));
        }
    }

    #[test]
    fn the_version_is_of_the_content() {
        let version = |name, count| Assignment::new(name, &addresses(count)).version;
        assert_eq!(version(HTTP1, 3), version(HTTP1, 3));
        assert_ne!(version(HTTP1, 3), version(HTTP1, 4));
        assert_ne!(version(HTTP1, 3), version(HTTP2, 3));
    }
}
