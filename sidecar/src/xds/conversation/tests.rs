use std::collections::BTreeSet;
use std::net::SocketAddr;

use envoy_types::pb::google::rpc::Status as Reason;

use super::*;
use crate::xds::addresses::Addresses;
use crate::xds::assignment::{HTTP1, HTTP2};

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

fn addresses(ports: &[u16]) -> BTreeSet<SocketAddr> {
    ports.iter().map(|port| ([10, 0, 0, 1], *port).into()).collect()
}

/// HTTP/1.1 jobs at these ports, and an HTTP/2 job at port 1.
fn snapshot(ports: &[u16]) -> Snapshot {
    Snapshot::new(&Addresses { http1: addresses(ports), http2: addresses(&[1]) }, true)
}

fn unsettled(ports: &[u16]) -> Snapshot {
    Snapshot { is_settled: false, ..snapshot(ports) }
}

fn version(snapshot: &Snapshot, name: &str) -> String {
    snapshot.get(name).expect("a resource").version().to_owned()
}

fn subscribe(names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: TYPE_URL.into(),
        resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

fn bring(names: &[&str], snapshot: &Snapshot) -> DeltaDiscoveryRequest {
    let versions = names.iter().map(|name| ((*name).to_owned(), version(snapshot, name)));
    DeltaDiscoveryRequest { initial_resource_versions: versions.collect(), ..subscribe(names) }
}

fn ack(response: &DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        ..DeltaDiscoveryRequest::default()
    }
}

fn nack(response: &DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
    let reason = Reason { code: 3, message: "no such thing".into(), ..Reason::default() };
    DeltaDiscoveryRequest { error_detail: Some(reason), ..ack(response) }
}

/// Hears a request that is fine.
fn hear(conversation: &mut Conversation, request: DeltaDiscoveryRequest) {
    assert_eq!(conversation.hear(request).expect("no error"), Heard::Fine);
}

/// Takes the next response, which is of that resource.
fn take(conversation: &mut Conversation, snapshot: &Snapshot, name: &str) -> DeltaDiscoveryResponse {
    let response = conversation.next(snapshot).expect("a response");
    assert_eq!(response.resources.len(), 1);
    assert_eq!(response.resources[0], snapshot.get(name).expect("a resource").resource());
    assert_eq!((response.type_url.as_str(), response.removed_resources.len()), (TYPE_URL, 0));
    response
}

/// A conversation with a proxy that has what is in the snapshot.
fn up_to_date(snapshot: &Snapshot) -> Conversation {
    let mut conversation = Conversation::default();
    hear(&mut conversation, subscribe(&[HTTP1, HTTP2]));
    for name in [HTTP1, HTTP2] {
        let response = take(&mut conversation, snapshot, name);
        hear(&mut conversation, ack(&response));
    }
    assert_eq!(conversation.next(snapshot), None);
    conversation
}

#[test]
fn only_what_changed_is_sent() {
    let mut conversation = up_to_date(&snapshot(&[1]));
    let now = snapshot(&[1, 2]);
    let response = take(&mut conversation, &now, HTTP1);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&now), None);
}

#[test]
fn what_changes_while_something_is_under_way_comes_together_afterwards() {
    let mut conversation = up_to_date(&snapshot(&[1]));
    let response = take(&mut conversation, &snapshot(&[2]), HTTP1);
    for ports in [[3], [4], [5]] {
        assert_eq!(conversation.next(&snapshot(&ports)), None, "nothing was acknowledged yet");
    }
    hear(&mut conversation, ack(&response));
    let response = take(&mut conversation, &snapshot(&[5]), HTTP1);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&snapshot(&[5])), None);
}

#[test]
fn what_a_proxy_refused_is_not_sent_again_until_it_changed() {
    let mut conversation = up_to_date(&snapshot(&[1]));
    let spoiled = snapshot(&[2]);
    let response = take(&mut conversation, &spoiled, HTTP1);
    let heard = conversation.hear(nack(&response)).expect("no error");
    assert_eq!(heard, Heard::Refused { resource: HTTP1.into(), reason: "no such thing".into() });
    for _ in 0..3 {
        assert_eq!(conversation.next(&spoiled), None);
    }
    // What it had before is what it still has.
    assert_eq!(conversation.next(&snapshot(&[1])), None);
    take(&mut conversation, &snapshot(&[3]), HTTP1);
}

#[test]
fn an_answer_to_something_else_counts_for_nothing() {
    let mut conversation = up_to_date(&snapshot(&[1]));
    let response = take(&mut conversation, &snapshot(&[2]), HTTP1);
    let stale = DeltaDiscoveryResponse { nonce: "0".into(), ..response.clone() };
    hear(&mut conversation, ack(&stale));
    hear(&mut conversation, nack(&stale));
    assert_eq!(conversation.next(&snapshot(&[3])), None, "the response is still under way");
    hear(&mut conversation, ack(&response));
    take(&mut conversation, &snapshot(&[3]), HTTP1);
}

#[test]
fn who_comes_back_gets_only_what_it_lacks() {
    let now = snapshot(&[1, 2]);
    let mut conversation = Conversation::default();
    hear(&mut conversation, bring(&[HTTP1, HTTP2], &snapshot(&[1])));
    let response = take(&mut conversation, &now, HTTP1);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&now), None, "it had the other");

    let mut conversation = Conversation::default();
    hear(&mut conversation, bring(&[HTTP1, HTTP2], &now));
    assert_eq!(conversation.next(&now), None);
}

#[test]
fn who_has_a_list_never_gets_one_that_may_lack_something() {
    let mut conversation = Conversation::default();
    hear(&mut conversation, bring(&[HTTP1, HTTP2], &snapshot(&[1, 2])));
    assert_eq!(conversation.next(&Snapshot::default()), None);
    assert_eq!(conversation.next(&unsettled(&[])), None);
    assert_eq!(conversation.next(&unsettled(&[1])), None);
    take(&mut conversation, &snapshot(&[1]), HTTP1);
}

#[test]
fn who_has_nothing_takes_what_there_is_but_not_an_empty_list() {
    let mut conversation = Conversation::default();
    hear(&mut conversation, subscribe(&[HTTP1]));
    assert_eq!(conversation.next(&Snapshot::default()), None);
    assert_eq!(conversation.next(&unsettled(&[])), None);
    let response = take(&mut conversation, &unsettled(&[1]), HTTP1);
    hear(&mut conversation, ack(&response));
    let response = take(&mut conversation, &unsettled(&[1, 2]), HTTP1);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&snapshot(&[1, 2])), None, "that this is all is no news");
    take(&mut conversation, &snapshot(&[]), HTTP1);
}

#[test]
fn names_come_and_go() {
    let now = snapshot(&[1]);
    let mut conversation = Conversation::default();
    hear(&mut conversation, subscribe(&[HTTP2]));
    let response = take(&mut conversation, &now, HTTP2);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&now), None, "it did not ask for the other");
    hear(&mut conversation, subscribe(&[HTTP1]));
    let response = take(&mut conversation, &now, HTTP1);

    // It loses interest before it says what it thinks.
    let gone = DeltaDiscoveryRequest { resource_names_unsubscribe: vec![HTTP1.into()], ..subscribe(&[]) };
    hear(&mut conversation, gone);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&snapshot(&[2])), None);
    // Whoever asks again gets it again, whatever it had.
    for _ in 0..2 {
        hear(&mut conversation, subscribe(&[HTTP1]));
        let response = take(&mut conversation, &now, HTTP1);
        hear(&mut conversation, ack(&response));
    }
}

#[test]
fn what_there_is_not_is_told_once() {
    let now = snapshot(&[1]);
    let mut conversation = Conversation::default();
    hear(&mut conversation, subscribe(&[HTTP1, "other"]));
    let response = take(&mut conversation, &now, HTTP1);
    hear(&mut conversation, ack(&response));
    let response = conversation.next(&now).expect("a response");
    assert_eq!((response.resources.len(), response.removed_resources.clone()), (0, vec!["other".to_owned()]));
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&now), None);
}

#[test]
fn a_wildcard_is_for_everything() {
    let now = snapshot(&[1]);
    for names in [&[][..], &["*"]] {
        let mut conversation = Conversation::default();
        let brought = [("gone".to_owned(), "1".to_owned())].into();
        hear(&mut conversation, DeltaDiscoveryRequest { initial_resource_versions: brought, ..subscribe(names) });
        for name in [HTTP1, HTTP2] {
            let response = take(&mut conversation, &now, name);
            hear(&mut conversation, ack(&response));
        }
        let response = conversation.next(&now).expect("a response");
        assert_eq!(response.removed_resources, ["gone"]);
        hear(&mut conversation, ack(&response));
        assert_eq!(conversation.next(&now), None);
    }
}

#[test]
fn of_other_types_there_is_nothing_and_it_is_said() {
    let mut conversation = up_to_date(&snapshot(&[1]));
    hear(&mut conversation, DeltaDiscoveryRequest { type_url: CLUSTERS.into(), ..subscribe(&[]) });
    let response = conversation.next(&snapshot(&[1])).expect("a response");
    assert_eq!((response.type_url.as_str(), response.resources.len()), (CLUSTERS, 0));
    // The types don't wait for each other.
    take(&mut conversation, &snapshot(&[2]), HTTP1);
    hear(&mut conversation, ack(&response));
    assert_eq!(conversation.next(&snapshot(&[2])), None);
}

#[test]
fn a_stream_has_bounds() {
    let mut conversation = Conversation::default();
    assert!(conversation.hear(DeltaDiscoveryRequest::default()).is_err(), "no type");
    let names: Vec<String> = (0..=MAX_NAMES).map(|number| number.to_string()).collect();
    let many = DeltaDiscoveryRequest { resource_names_subscribe: names.clone(), ..subscribe(&[]) };
    assert!(Conversation::default().hear(many).is_err());
    let versions = names.into_iter().map(|name| (name, String::new())).collect();
    let many = DeltaDiscoveryRequest { initial_resource_versions: versions, ..subscribe(&[HTTP1]) };
    assert!(Conversation::default().hear(many).is_err());
    let of_type = |number: usize| DeltaDiscoveryRequest { type_url: format!("type {number}"), ..subscribe(&[HTTP1]) };
    for number in 0..MAX_TYPES {
        hear(&mut conversation, of_type(number));
    }
    assert!(conversation.hear(of_type(MAX_TYPES)).is_err());
}
