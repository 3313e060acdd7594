//! Who gets nothing.

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use tokio::sync::mpsc;
use tonic::{Code, Request};

use super::client::{Client, HTTP1, channel, hello, node, section, stream};
use crate::kit::Sidecar;

/// How a stream with that request ends.
async fn ends(sidecar: &Sidecar, hello: DeltaDiscoveryRequest) -> Code {
    match Client::begin(sidecar, hello).await {
        Ok(mut client) => client.hear().await.expect_err("refused").code(),
        Err(status) => status.code(),
    }
}

#[tokio::test]
async fn a_node_that_is_not_listed_gets_nothing() {
    let sidecar = Sidecar::start(&section(", node_ids: [\"edge-*\"]")).await;
    for node in [node("test", "taskgate"), node("edge-1", "other"), node("", ""), None] {
        let hello = DeltaDiscoveryRequest { node, ..hello() };
        assert_eq!(ends(&sidecar, hello).await, Code::PermissionDenied);
    }
    assert_eq!(sidecar.metric("taskgate_xds_denied_total").await, Some(4));
    let hello = DeltaDiscoveryRequest { node: node("edge-1", "taskgate"), ..hello() };
    let mut client = Client::begin(&sidecar, hello).await.expect("a stream");
    assert!(!client.hear().await.expect("a response").resources.is_empty());
}

#[tokio::test]
async fn with_a_secret_it_must_be_shown() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), crate::kit::SERVICES).expect("writes");
    let config = crate::kit::config(&section("")).replace(
        "internal: {listen: \"127.0.0.1:0\"}",
        &format!("internal: {{listen: \"127.0.0.1:0\", secret: {SECRET}}}"),
    );
    let sidecar = Sidecar::start_in(directory, &config).await;
    for (shown, expected) in [
        (&[][..], Some(Code::Unauthenticated)),
        (&["0123456789abcdef0123456789abcdee"], Some(Code::Unauthenticated)),
        (&[SECRET, SECRET], Some(Code::Unauthenticated)),
        (&[SECRET], None),
    ] {
        let (requests, receiver) = mpsc::unbounded_channel();
        requests.send(hello()).expect("is heard");
        let mut request = Request::new(stream(receiver));
        for secret in shown {
            request.metadata_mut().append("x-taskgate-internal", secret.parse().expect("text"));
        }
        let mut client = AggregatedDiscoveryServiceClient::new(channel(&sidecar).await);
        let answer = client.delta_aggregated_resources(request).await;
        match (answer, expected) {
            (Err(status), Some(code)) => assert_eq!(status.code(), code, "{shown:?}"),
            (Ok(answer), None) => assert!(answer.into_inner().message().await.expect("no error").is_some()),
            (answer, _) => panic!("{shown:?}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn the_state_of_the_world_is_not_spoken() {
    let sidecar = Sidecar::start(&section("")).await;
    let mut client = AggregatedDiscoveryServiceClient::new(channel(&sidecar).await);
    let requests = futures_util::stream::iter([DiscoveryRequest {
        node: node("test", "taskgate"),
        ..DiscoveryRequest::default()
    }]);
    let status = client.stream_aggregated_resources(requests).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("DELTA_GRPC"), "{}", status.message());
}

#[tokio::test]
async fn requests_that_make_no_sense_end_the_stream() {
    let sidecar = Sidecar::start(&section("")).await;
    let untyped = DeltaDiscoveryRequest { type_url: String::new(), ..hello() };
    assert_eq!(ends(&sidecar, untyped).await, Code::InvalidArgument);
    let names = (0..2_000).map(|number| format!("{HTTP1}-{number}")).collect();
    let many = DeltaDiscoveryRequest { resource_names_subscribe: names, ..hello() };
    assert_eq!(ends(&sidecar, many).await, Code::ResourceExhausted);
}
