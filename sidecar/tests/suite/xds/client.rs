//! A client of delta xDS that says what a test wants.

use std::collections::BTreeSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use envoy_types::pb::google::rpc::Status as Reason;
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::kit::Sidecar;

/// The type of the resources.
pub(super) const TYPE: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
pub(super) const HTTP1: &str = "taskgate-h1";
pub(super) const HTTP2: &str = "taskgate-h2";

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream.
pub(super) struct Client {
    requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

/// The section that most tests have.
pub(super) fn section(rest: &str) -> String {
    format!("xds: {{listen: \"127.0.0.1:0\", push_interval_ms: 5, health_checks: {{enabled: false}}{rest}}}")
}

pub(super) async fn channel(sidecar: &Sidecar) -> Channel {
    let address = sidecar.running.addresses.xds.clone().expect("it listens");
    Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("connects")
}

pub(super) fn node(id: &str, cluster: &str) -> Option<Node> {
    Some(Node { id: id.into(), cluster: cluster.into(), ..Node::default() })
}

/// The first request, for both resources.
pub(super) fn hello() -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: node("test", "taskgate"),
        type_url: TYPE.into(),
        resource_names_subscribe: vec![HTTP1.into(), HTTP2.into()],
        ..DeltaDiscoveryRequest::default()
    }
}

/// Requests as a stream that ends with its sender.
pub(super) fn stream(
    receiver: mpsc::UnboundedReceiver<DeltaDiscoveryRequest>,
) -> impl futures_util::Stream<Item = DeltaDiscoveryRequest> {
    futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|request| (request, receiver))
    })
}

impl Client {
    /// Begins a stream with that request.
    pub(super) async fn begin(sidecar: &Sidecar, hello: DeltaDiscoveryRequest) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::unbounded_channel();
        requests.send(hello).expect("is heard");
        let mut client = AggregatedDiscoveryServiceClient::new(channel(sidecar).await);
        let responses = client.delta_aggregated_resources(Request::new(stream(receiver))).await?;
        Ok(Self { requests, responses: responses.into_inner() })
    }

    pub(super) fn say(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).expect("is heard");
    }

    /// The next response.
    pub(super) async fn hear(&mut self) -> Result<DeltaDiscoveryResponse, Status> {
        let response = tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("a response");
        response.map(|response| response.expect("the stream goes on"))
    }

    /// Whether nothing comes in a moment that is longer than anything takes.
    pub(super) async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.responses.message()).await.is_err()
    }

    /// The next response, which has that resource; it is taken.
    pub(super) async fn take(&mut self, name: &str) -> Resource {
        let response = self.hear().await.expect("a response");
        self.say(ack(&response));
        only(response, name)
    }

    /// Takes resources until one of that name has these addresses.
    pub(super) async fn take_until(&mut self, name: &str, addresses: &[&str]) -> Resource {
        let expected: BTreeSet<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        loop {
            let response = self.hear().await.expect("a response");
            self.say(ack(&response));
            let found = response.resources.into_iter().find(|resource| resource.name == name);
            if let Some(resource) = found.filter(|resource| self::addresses(resource) == expected) {
                return resource;
            }
        }
    }
}

/// The one resource of a response.
pub(super) fn only(response: DeltaDiscoveryResponse, name: &str) -> Resource {
    let [resource] = <[Resource; 1]>::try_from(response.resources).expect("one resource");
    assert_eq!(resource.name, name);
    resource
}

pub(super) fn ack(response: &DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        ..DeltaDiscoveryRequest::default()
    }
}

pub(super) fn nack(response: &DeltaDiscoveryResponse, message: &str) -> DeltaDiscoveryRequest {
    let reason = Reason { code: 3, message: message.into(), ..Reason::default() };
    DeltaDiscoveryRequest { error_detail: Some(reason), ..ack(response) }
}

/// The addresses in a resource, as Envoy would read them.
pub(super) fn addresses(resource: &Resource) -> BTreeSet<String> {
    let body = resource.resource.as_ref().expect("a body");
    assert_eq!(body.type_url, TYPE);
    let read = ClusterLoadAssignment::decode(body.value.as_slice()).expect("a message");
    assert_eq!(read.cluster_name, resource.name);
    let endpoints = read.endpoints.into_iter().flat_map(|locality| locality.lb_endpoints);
    let address = |identifier| {
        let Some(HostIdentifier::Endpoint(endpoint)) = identifier else { panic!("no endpoint") };
        let Some(Address::SocketAddress(socket)) = endpoint.address.and_then(|address| address.address) else {
            panic!("no address")
        };
        let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else { panic!("no port") };
        format!("{}:{port}", socket.address)
    };
    endpoints.map(|endpoint| address(endpoint.host_identifier)).collect()
}
