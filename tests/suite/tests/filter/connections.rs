//! Connections without headers: what is held, what goes on, and what ends.

use std::time::Duration;

use taskgate_core::peer::Peer;
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::verdict::{Refusal, Scheme, WireVerdict};
use taskgate_test_host::{Connection, HostFunction, Outcome, StreamId};

use super::stage::{ENVOY, OPEN, Row, Sidecar, Stage, TICK, allow, deny, packed};

const TCP: Row = Row { id: "tcp", access: AccessLevel::CanRead, protocol: Protocol::Tcp, jobs: &["10.0.5.1:5432"] };
const WIDE: Row = Row { id: "wide", access: AccessLevel::Public, ..TCP };
const PEER: [&str; 2] = ["filter_state", "taskgate.peer"];

fn stage() -> Stage {
    let mut sidecar = Sidecar::standard(7);
    for row in [TCP, WIDE] {
        sidecar.put(row.id, row.packed());
    }
    Stage::following(ENVOY, sidecar)
}

/// A connection to that service in a handshake.
fn connection(service: &str) -> Connection {
    Connection::new().property(&["xds", "filter_chain_name"], service).property(&["source", "address"], "10.1.2.3:4711")
}

/// What the proxy says when the handshake is over.
fn shown(digest: char) -> String {
    format!("v1 {} 4000000000", String::from(digest).repeat(64))
}

/// A connection whose client has shown the certificate with that digest.
fn certified(service: &str, digest: char) -> Connection {
    connection(service)
        .property(&PEER, shown(digest))
        .property(&["connection", "uri_san_peer_certificate"], "spiffe://x/alice")
        .property(&["connection", "dns_san_peer_certificate"], "alice.test")
        .property(&["connection", "subject_peer_certificate"], "CN=alice")
}

fn connect(stage: &mut Stage, connection: Connection) -> StreamId {
    stage.vm.connect(stage.root, connection)
}

/// What the access log would say: the service, the visitor, and why not.
fn told(stage: &Stage, stream: StreamId) -> [Option<String>; 3] {
    ["tg_service", "tg_actor", "tg_denial"]
        .map(|name| stage.vm.property(stream, &[name]).map(|text| String::from_utf8_lossy(&text).into_owned()))
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[track_caller]
fn assert_refused(stage: &Stage, stream: StreamId, code: &str) {
    assert_eq!(stage.vm.outcome(stream), Outcome::Closed);
    assert_eq!(told(stage, stream)[2], text(code));
    assert_eq!(stage.vm.upstream(stream), None, "something reached the job");
}

#[test]
fn nothing_passes_before_the_verdict_and_everything_after_it() {
    let mut stage = stage();
    let stream = connect(&mut stage, certified("tcp", 'a'));
    assert!(!stage.vm.client_sends(stream, 10, false) && !stage.vm.client_sends(stream, 20, true));
    assert!(stage.vm.outcome(stream).is_paused());
    let (_, query) = stage.question();
    assert_eq!((query.service.as_str(), query.credential.scheme), ("tcp", Scheme::Peer));
    let Some(Peer::Certificate(certificate)) = Peer::of(&query.credential) else { panic!("{query:?}") };
    let names = [certificate.uri(), certificate.dns(), certificate.subject()];
    assert_eq!(names, [Some("spiffe://x/alice"), Some("alice.test"), Some("CN=alice")]);
    assert_eq!((certificate.sha256(), certificate.ends_at().as_millis()), (&[0xaa; 32], 4_000_000_000_000));
    stage.decide(&allow("alice"));
    assert!(stage.vm.outcome(stream).continued().is_some());
    assert!(stage.vm.client_sends(stream, 30, false));
    assert_eq!(told(&stage, stream), [text("tcp"), text("alice"), None]);
    assert_eq!(stage.host.metric("taskgate.connections.permitted"), Some(1));
}

#[test]
fn a_client_that_waits_for_a_greeting_is_asked_about_when_its_handshake_is_over() {
    let mut stage = stage();
    let stream = connect(&mut stage, connection("tcp"));
    stage.vm.run(Duration::from_millis(55));
    assert!(stage.questions().is_empty() && stage.vm.outcome(stream).is_paused());
    stage.vm.set_property(stream, &PEER, shown('b'));
    stage.vm.run(Duration::from_millis(10));
    stage.decide(&allow("alice"));
    assert!(stage.vm.outcome(stream).continued().is_some());
    stage.vm.run(TICK);
    assert_eq!(stage.vm.tick_period(stage.root), Some(TICK), "the clock runs as before");
}

#[test]
fn nothing_of_a_certificate_is_asked_for_before_the_handshake_is_over() {
    let mut stage = stage();
    connect(&mut stage, connection("tcp"));
    stage.host.reset_calls();
    stage.vm.run(Duration::from_millis(10));
    // What it looks at is whether the handshake is over, and that alone: the proxy would keep an empty answer.
    assert_eq!(stage.host.calls(HostFunction::GetProperty), 1);
}

#[test]
fn a_handshake_that_does_not_end_is_ended_and_costs_little() {
    let mut stage = stage();
    let streams: Vec<StreamId> = (0..50).map(|_| connect(&mut stage, connection("tcp"))).collect();
    stage.vm.run(Duration::from_secs(2));
    assert_eq!(stage.vm.tick_period(stage.root), Some(TICK), "old ones are looked at seldom");
    stage.vm.run(Duration::from_secs(9));
    for stream in streams {
        assert_refused(&stage, stream, "credential-missing");
    }
    stage.assert_alive();
}

#[test]
fn bytes_with_no_word_about_the_handshake_let_nobody_in() {
    let mut stage = stage();
    for said in [None, Some("alice"), Some("v1 - -x")] {
        let connection = connection("tcp");
        let connection = said.into_iter().fold(connection, |connection, said| connection.property(&PEER, said));
        let stream = connect(&mut stage, connection);
        assert!(!stage.vm.client_sends(stream, 10, false));
        assert_refused(&stage, stream, "proxy-failure");
    }
    assert!(stage.questions().is_empty());
}

#[test]
fn what_is_refused_is_closed_and_the_log_says_why() {
    let mut stage = stage();
    let plain = |service: &str| connection(service).property(&PEER, "v1 - -");
    let cases = [
        (certified("nowhere", 'a'), "unknown-service"),
        (certified(OPEN.id, 'a'), "protocol-mismatch"),
        (plain("tcp"), "credential-missing"),
        (Connection::new().property(&PEER, shown('a')), "proxy-failure"),
    ];
    for (connection, code) in cases {
        let stream = connect(&mut stage, connection);
        assert_refused(&stage, stream, code);
    }
    let stream = connect(&mut stage, certified("tcp", 'a'));
    let code = Refusal::CredentialRejected;
    stage.decide(&WireVerdict::Deny { code, actor: Some("eve".into()), lifetime_ms: 60_000 });
    assert_refused(&stage, stream, "credential-rejected");
    assert_eq!(told(&stage, stream)[1], text("eve"));
    let known = connect(&mut stage, certified("tcp", 'a'));
    assert_refused(&stage, known, "credential-rejected");
    assert_eq!(stage.host.metric("taskgate.connections.refused"), Some(6));
    let mut empty = Stage::empty();
    let early = connect(&mut empty, certified("tcp", 'a'));
    assert_refused(&empty, early, "table-loading");
}

#[test]
fn many_connections_with_one_certificate_ask_once_and_who_leaves_hurts_nobody() {
    let mut stage = stage();
    let streams: Vec<StreamId> = (0..20).map(|_| connect(&mut stage, certified("tcp", 'a'))).collect();
    stage.vm.disconnect(streams[0]);
    stage.decide(&allow("alice"));
    assert!(streams[1..].iter().all(|stream| stage.vm.outcome(*stream).continued().is_some()));
    assert_eq!(stage.host.metric("taskgate.verdicts.asked"), Some(1));
    stage.assert_alive();
}

#[test]
fn what_is_open_is_asked_about_by_its_address() {
    let mut stage = stage();
    let stream = connect(&mut stage, connection("wide").property(&PEER, "v1 - -"));
    let (_, query) = stage.question();
    assert_eq!(Peer::of(&query.credential), Some(Peer::Address([10, 1, 2, 3].into())));
    stage.decide(&allow("source:10.0.0.0/8"));
    assert!(stage.vm.outcome(stream).continued().is_some());
}

#[test]
fn a_sidecar_that_says_nothing_lets_nobody_in_and_too_many_do_not_wait() {
    let mut stage = Stage::following(&format!("{ENVOY}; max_waiting = 2"), {
        let mut sidecar = Sidecar::standard(7);
        sidecar.put(TCP.id, TCP.packed());
        sidecar
    });
    let waiting = [connect(&mut stage, certified("tcp", 'a')), connect(&mut stage, certified("tcp", 'b'))];
    let third = connect(&mut stage, certified("tcp", 'c'));
    assert_refused(&stage, third, "overloaded");
    stage.vm.run(Duration::from_secs(2));
    for stream in waiting {
        assert_refused(&stage, stream, "verdict-unavailable");
    }
    let early = [connect(&mut stage, connection("tcp")), connect(&mut stage, connection("tcp"))];
    // Whoever begins handshakes and ends none locks nobody out: the oldest makes room.
    let late = connect(&mut stage, connection("tcp"));
    assert_refused(&stage, early[0], "overloaded");
    assert!([early[1], late].iter().all(|stream| stage.vm.outcome(*stream).is_paused()));
}

#[test]
fn what_is_open_ends_when_its_right_does() {
    let mut stage = stage();
    let stream = connect(&mut stage, certified("tcp", 'a'));
    stage.decide(&allow("alice"));
    stage.pass(TICK * 20);
    assert!(stage.vm.client_sends(stream, 10, false));
    stage.sidecar.control.number += 1;
    stage.sidecar.control.verdict_epoch += 1;
    stage.confirm();
    stage.follow();
    stage.pass(TICK * 20);
    let (_, query) = stage.question();
    assert!(matches!(Peer::of(&query.credential), Some(Peer::Certificate(_))), "by what came with it");
    stage.decide(&deny());
    stage.pass(TICK * 20);
    assert_eq!(stage.vm.outcome(stream), Outcome::Closed);
    assert_eq!(told(&stage, stream), [text("tcp"), text("alice"), text("access-denied")]);
    assert_eq!(stage.host.metric("taskgate.streams.ended"), Some(1));
}

#[test]
fn connections_outlive_another_configuration_and_those_that_wait_do_not() {
    let mut stage = stage();
    let open = connect(&mut stage, certified("tcp", 'a'));
    stage.decide(&allow("alice"));
    let waits = connect(&mut stage, certified("tcp", 'b'));
    let shakes = connect(&mut stage, connection("tcp"));
    stage.vm.add_plugin(format!("{ENVOY}; max_waiting = 9")).expect("starts");
    assert_refused(&stage, waits, "verdict-unavailable");
    assert_refused(&stage, shakes, "proxy-failure");
    assert!(stage.vm.client_sends(open, 10, false), "what was permitted goes on");
    stage.assert_alive();
}

#[test]
fn a_service_that_changes_hands_is_asked_about_anew() {
    let mut stage = stage();
    let stream = connect(&mut stage, certified("tcp", 'a'));
    stage.decide(&allow("alice"));
    stage.sidecar.put("tcp", packed("tcp", &Row { access: AccessLevel::Nobody, ..TCP }));
    stage.confirm();
    stage.follow();
    stage.pass(TICK * 20);
    assert_eq!(stage.vm.outcome(stream), Outcome::Closed);
    assert_eq!(told(&stage, stream)[2], text("access-denied"));
}
