//! What a proxy that is known gets, and when.

use std::collections::HashMap;

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::envoy::service::endpoint::v3::endpoint_discovery_service_client::EndpointDiscoveryServiceClient;
use tokio::sync::mpsc;
use tonic::Code;

use super::client::{Client, HTTP1, HTTP2, addresses, channel, hello, nack, only, section, stream};
use crate::kit::{Sidecar, config};

/// A services file: each is a task's name, what it speaks and its address.
fn services(rows: &[(&str, &str, &str)]) -> String {
    let row = |(task, protocol, address): &(&str, &str, &str)| {
        format!(
            "- {{operation: op, task: {task}, service: ui, protocol: {protocol}, endpoints: [\"{address}\"], access: public}}\n"
        )
    };
    format!("services:\n{}", rows.iter().map(row).collect::<String>())
}

const FIRST: [(&str, &str, &str); 4] = [
    ("web", "http", "10.0.0.1:80"),
    ("ws", "websocket", "10.0.0.1:81"),
    ("echo", "grpc", "[2001:db8::1]:90"),
    ("raw", "tcp", "10.0.0.1:99"),
];

async fn start() -> Sidecar {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), services(&FIRST)).expect("writes");
    Sidecar::start_in(directory, &config(&section(""))).await
}

#[tokio::test]
async fn jobs_are_told_by_what_they_speak_and_changes_as_they_come() {
    let sidecar = start().await;
    let mut client = Client::begin(&sidecar, hello()).await.expect("a stream");
    client.take_until(HTTP1, &["10.0.0.1:80", "10.0.0.1:81"]).await;
    client.take_until(HTTP2, &["2001:db8::1:90"]).await;
    assert_eq!(sidecar.metric("taskgate_xds_streams").await, Some(1));
    assert_eq!(sidecar.metric("taskgate_xds_endpoints{resource=\"taskgate-h1\"}").await, Some(2));

    let moved = [("web", "http", "10.0.0.2:80"), ("ws", "websocket", "10.0.0.1:81"), FIRST[2]];
    sidecar.write("services.yaml", &services(&moved));
    let resource = client.take(HTTP1).await;
    assert_eq!(addresses(&resource), ["10.0.0.1:81", "10.0.0.2:80"].map(str::to_owned).into());
    // A change of who may use a service is none of where it is.
    let guarded = services(&moved).replace("access: public", "access: can_read, owner: alice");
    sidecar.write("services.yaml", &guarded);
    let same =
        async || sidecar.running.app.registry.services().iter().all(|service| service.entry.policy.owner.is_some());
    taskgate_test_kit::wait_until(std::time::Duration::from_secs(20), "the change", same).await.expect("in time");
    assert!(client.is_quiet().await);
}

#[tokio::test]
async fn who_comes_back_after_a_restart_gets_only_what_changed() {
    let sidecar = start().await;
    let mut client = Client::begin(&sidecar, hello()).await.expect("a stream");
    let mut versions = HashMap::new();
    for (name, expected) in [(HTTP1, &["10.0.0.1:80", "10.0.0.1:81"][..]), (HTTP2, &["2001:db8::1:90"])] {
        versions.insert(name.to_owned(), client.take_until(name, expected).await.version);
    }
    let directory = sidecar.end().await;
    // The stream ends with the sidecar: the proxy tries another one.
    assert_eq!(client.hear().await.expect_err("ended").code(), Code::Unavailable);

    let rows = [FIRST[0], FIRST[1], ("echo", "grpc", "10.0.0.3:90")];
    std::fs::write(directory.path().join("services.yaml"), services(&rows)).expect("writes");
    let sidecar = Sidecar::start_in(directory, &config(&section(""))).await;
    let hello = DeltaDiscoveryRequest { initial_resource_versions: versions, ..hello() };
    let mut client = Client::begin(&sidecar, hello).await.expect("a stream");
    assert_eq!(addresses(&client.take(HTTP2).await), ["10.0.0.3:90".to_owned()].into());
    assert!(client.is_quiet().await, "the other resource is as it was");
}

#[tokio::test]
async fn a_list_that_may_lack_something_is_not_sent_to_who_has_one() {
    let directory = tempfile::tempdir().expect("a directory");
    // The provider has nothing to say: its file is not there.
    let sidecar = Sidecar::start_in(directory, &config(&section(""))).await;
    let versions = [(HTTP1.to_owned(), "1".to_owned()), (HTTP2.to_owned(), "2".to_owned())].into();
    let known = DeltaDiscoveryRequest { initial_resource_versions: versions, ..hello() };
    let mut clients = [
        Client::begin(&sidecar, known).await.expect("a stream"),
        Client::begin(&sidecar, hello()).await.expect("a stream"),
    ];
    for client in &mut clients {
        assert!(client.is_quiet().await);
    }
    sidecar.write("services.yaml", &services(&FIRST));
    for client in &mut clients {
        client.take_until(HTTP1, &["10.0.0.1:80", "10.0.0.1:81"]).await;
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_counted_and_not_sent_again() {
    let sidecar = start().await;
    let mut client = Client::begin(&sidecar, hello()).await.expect("a stream");
    client.take_until(HTTP1, &["10.0.0.1:80", "10.0.0.1:81"]).await;
    client.take_until(HTTP2, &["2001:db8::1:90"]).await;
    sidecar.write("services.yaml", &services(&[("web", "http", "10.0.0.7:80"), FIRST[2]]));
    let response = client.hear().await.expect("a response");
    client.say(nack(&response, "I do not like it"));
    assert!(client.is_quiet().await);
    assert_eq!(sidecar.metric("taskgate_xds_refused_total").await, Some(1));
    assert_eq!(only(response, HTTP1).name, HTTP1);
    // What comes next is another matter.
    sidecar.write("services.yaml", &services(&[("web", "http", "10.0.0.8:80"), FIRST[2]]));
    assert_eq!(addresses(&client.take(HTTP1).await), ["10.0.0.8:80".to_owned()].into());
}

#[tokio::test]
async fn the_service_of_endpoints_alone_says_the_same() {
    let sidecar = start().await;
    let (requests, receiver) = mpsc::unbounded_channel();
    // There the type goes without saying.
    let wanted = vec![HTTP2.to_owned()];
    let hello = DeltaDiscoveryRequest { type_url: String::new(), resource_names_subscribe: wanted, ..hello() };
    requests.send(hello).expect("is heard");
    let mut client = EndpointDiscoveryServiceClient::new(channel(&sidecar).await);
    let mut responses = client.delta_endpoints(stream(receiver)).await.expect("a stream").into_inner();
    let response = responses.message().await.expect("no error").expect("a response");
    assert_eq!(addresses(&only(response, HTTP2)), ["2001:db8::1:90".to_owned()].into());
}
