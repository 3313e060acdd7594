//! Connections without headers.

use proptest::prelude::*;

use super::*;
use crate::peer::{Peer, PeerCertificate};
use crate::revocation::{Revocation, Revoked};
use crate::standing::{DOUBT, Standing};
use crate::verdict::{Scheme, VerdictQuery};

const TCP: &str = "dddd4444";
const OPEN: &str = "ffff6666";

fn peer(name: &str) -> Peer {
    let certificate = PeerCertificate::new([7; 32], after(3_600_000));
    Peer::Certificate(certificate.named(Some(name.as_bytes().to_vec()), None, None))
}

fn address(host: u8) -> Peer {
    Peer::Address([10, 0, 0, host].into())
}

fn rows(change: impl Fn(&mut Service<'static>)) -> Vec<PackedRow> {
    let open = Service { protocol: Protocol::Tcp, access: AccessLevel::Public, ..service(OPEN, 8) };
    let closed = Service {
        protocol: Protocol::Tcp,
        access: AccessLevel::Nobody,
        labels: vec!["shut"],
        ..service("abcd7777", 9)
    };
    let mut services: Vec<Service<'static>> = services().into_iter().chain([open, closed]).collect();
    services.iter_mut().filter(|service| service.id == TCP).for_each(change);
    packed(&services)
}

fn tcp_gate() -> Gate {
    let mut gate = Gate::new(7, true);
    let rows = rows(|_| ());
    gate.apply(FeedPage { control: Some(control(1)), ..page(0, &rows) }, NOW).expect("applies");
    gate
}

/// The next page brings the same services, one of them changed.
fn change(gate: &mut Gate, control: Option<Control>, change: impl Fn(&mut Service<'static>)) {
    let rows = rows(change);
    gate.apply(FeedPage { control, ..page(1, &rows) }, NOW).expect("applies");
}

fn connect(
    gate: &mut Gate,
    id: &str,
    peer: &Peer,
    now: UnixTime,
) -> Result<ConnectionDecision, Box<ConnectionQuestion>> {
    match gate.on_connection(id, peer, now) {
        ConnectionStep::Done(decision) => Ok(decision),
        ConnectionStep::Ask(question) => Err(question),
    }
}

fn denial(decided: Result<ConnectionDecision, Box<ConnectionQuestion>>) -> Option<Denial> {
    match decided {
        Ok(ConnectionDecision::Refuse(denial, audit)) => {
            assert_eq!(audit.denial, Some(denial), "the log says the same");
            assert_eq!(audit.rule, None);
            Some(denial)
        }
        Ok(ConnectionDecision::Permit(..)) | Err(_) => None,
    }
}

/// Connects, and has the sidecar answer.
fn answered(gate: &mut Gate, id: &str, peer: &Peer, answer: VerdictAnswer, now: UnixTime) -> ConnectionDecision {
    let question = connect(gate, id, peer, now).expect_err("asks");
    let learned = gate.learn(question.key, answer, now);
    gate.on_connection_verdict(question.pending, &learned)
}

fn standing(decision: ConnectionDecision) -> Standing {
    match decision {
        ConnectionDecision::Permit(standing, audit) => {
            assert_eq!((audit.actor.as_deref(), audit.denial), (Some("alice"), None));
            *standing
        }
        ConnectionDecision::Refuse(denial, _) => panic!("refused: {denial:?}"),
    }
}

fn permitted(gate: &mut Gate) -> Standing {
    standing(answered(gate, TCP, &peer("spiffe://x/alice"), allow(30), NOW))
}

/// What becomes of a connection that is open, looked at each second: when it ended, and why. The sidecar answers
/// with that, or not at all.
fn followed(
    gate: &mut Gate,
    standing: &mut Standing,
    answer: Option<fn() -> VerdictAnswer>,
    secs: u64,
) -> Option<(u64, Denial)> {
    for second in 1..=secs {
        let now = after(second.saturating_mul(1_000));
        match gate.stand(standing, now.into(), true) {
            Stand::Ends(denial) => return Some((second, denial)),
            Stand::Ask(key, VerdictQuery { credential, .. }) => {
                assert_eq!(Some(credential), Some(peer("spiffe://x/alice").credential()), "by what came with it");
                if let Some(answer) = answer {
                    gate.learn(key, answer(), now);
                }
            }
            Stand::Holds => {}
        }
    }
    None
}

#[test]
fn a_certificate_is_asked_about_once() {
    let mut gate = tcp_gate();
    let alice = peer("spiffe://x/alice");
    let question = connect(&mut gate, TCP, &alice, NOW).expect_err("asks");
    assert_eq!((question.query.service.as_str(), question.query.credential.scheme), (TCP, Scheme::Peer));
    assert_eq!(Peer::of(&question.query.credential), Some(alice.clone()));
    let learned = gate.learn(question.key, allow(30), NOW);
    standing(gate.on_connection_verdict(question.pending, &learned));
    standing(connect(&mut gate, TCP, &alice, after(29_000)).expect("the verdict is known"));
    connect(&mut gate, TCP, &peer("spiffe://x/bob"), NOW).expect_err("another one is asked about");
    let refused = answered(&mut gate, TCP, &peer("spiffe://x/eve"), deny(), NOW);
    assert_eq!(denial(Ok(refused)), Some(Denial::AccessDenied));
}

#[test]
fn whatever_the_port_does_not_lead_to_is_refused_without_asking() {
    let mut gate = tcp_gate();
    let mut refused = |id: &str, peer: &Peer| denial(connect(&mut gate, id, peer, NOW));
    let alice = peer("spiffe://x/alice");
    assert_eq!(refused("ae5cf6f5", &alice), Some(Denial::ProtocolMismatch), "speaks HTTP");
    assert_eq!(refused("abcd7777", &alice), Some(Denial::AccessDenied), "is nobody's");
    assert_eq!(refused("shut", &alice), Some(Denial::UnknownService), "is no id");
    assert_eq!(refused("00000000", &alice), Some(Denial::UnknownService));
    assert_eq!(refused("", &alice), Some(Denial::UnknownService));
    assert_eq!(refused(TCP, &address(1)), Some(Denial::CredentialMissing), "an address is nobody");
    let mut empty = Gate::new(7, true);
    assert_eq!(denial(connect(&mut empty, TCP, &alice, NOW)), Some(Denial::TableLoading));
    let old = after(3_601_000);
    assert_eq!(denial(connect(&mut gate, TCP, &alice, old)), Some(Denial::TableExpired));
}

#[test]
fn what_is_public_is_asked_about_too() {
    let mut gate = tcp_gate();
    let question = connect(&mut gate, OPEN, &address(1), NOW).expect_err("asks");
    assert_eq!(Peer::of(&question.query.credential), Some(address(1)));
    let learned = gate.learn(question.key, deny(), NOW);
    assert_eq!(denial(Ok(gate.on_connection_verdict(question.pending, &learned))), Some(Denial::AccessDenied));
    standing(answered(&mut gate, OPEN, &address(2), allow(30), NOW));
}

#[test]
fn while_the_sidecar_is_away_those_who_are_known_come_in() {
    let mut gate = tcp_gate();
    permitted(&mut gate);
    let known = answered(&mut gate, TCP, &peer("spiffe://x/alice"), VerdictAnswer::Unavailable, after(31_000));
    standing(known);
    standing(connect(&mut gate, TCP, &peer("spiffe://x/alice"), after(31_500)).expect("nobody is asked again at once"));
    let unknown = answered(&mut gate, TCP, &peer("spiffe://x/bob"), VerdictAnswer::Unavailable, NOW);
    assert_eq!(denial(Ok(unknown)), Some(Denial::VerdictUnavailable));
    let question = connect(&mut gate, TCP, &peer("spiffe://x/carol"), NOW).expect_err("asks");
    assert_eq!(denial(Ok(gate.on_connection_overload(question.pending))), Some(Denial::Overloaded));
}

#[test]
fn a_verdict_of_other_sources_is_no_fall_back() {
    let mut gate = tcp_gate();
    permitted(&mut gate);
    let late = connect(&mut gate, TCP, &peer("spiffe://x/alice"), after(31_000)).expect_err("asks");
    gate.set_control(control(2)).expect("holds");
    let learned = gate.learn(late.key, VerdictAnswer::Unavailable, after(31_000));
    assert_eq!(denial(Ok(gate.on_connection_verdict(late.pending, &learned))), Some(Denial::VerdictUnavailable));
}

#[test]
fn a_certificate_that_is_over_opens_nothing_and_ends_what_it_opened() {
    let mut gate = tcp_gate();
    let short = Peer::Certificate(PeerCertificate::new([7; 32], after(10_000)));
    let mut open = standing(answered(&mut gate, TCP, &short, allow(3_600), NOW));
    assert_eq!(denial(connect(&mut gate, TCP, &short, after(10_000))), Some(Denial::CredentialRejected));
    assert!(matches!(gate.stand(&mut open, after(9_999).into(), true), Stand::Holds));
    assert!(matches!(gate.stand(&mut open, after(10_000).into(), true), Stand::Ends(Denial::SessionEnded)));
}

#[test]
fn an_open_connection_is_asked_about_by_its_certificate() {
    let mut gate = tcp_gate();
    let mut open = permitted(&mut gate);
    assert_eq!(followed(&mut gate, &mut open, Some(|| allow(30)), 300), None, "nothing changed");
    let mut open = permitted(&mut tcp_gate());
    let ended = followed(&mut gate, &mut open, Some(deny), 300);
    assert!(matches!(ended, Some((60..=62, Denial::AccessDenied))), "{ended:?}");
    let mut gate = tcp_gate();
    let mut open = permitted(&mut gate);
    assert_eq!(followed(&mut gate, &mut open, None, 900), None, "a sidecar that is away ends nothing");
}

#[test]
fn other_sources_or_another_right_are_asked_about_at_once() {
    let changes: [fn(&mut Gate); 2] =
        [|gate| gate.set_control(control(2)).expect("holds"), |gate| change(gate, None, |service| service.epoch = 2)];
    for change in changes {
        let mut gate = tcp_gate();
        let mut open = permitted(&mut gate);
        change(&mut gate);
        let again = open.clone();
        assert!(matches!(followed(&mut gate, &mut open, Some(deny), 9), Some((1..=3, Denial::AccessDenied))));
        let mut gate = tcp_gate();
        change(&mut gate);
        let (mut kept, mut doubtful) = (again.clone(), again.clone());
        assert_eq!(followed(&mut gate, &mut kept, Some(|| allow(30)), 40), None);
        let mut silent = tcp_gate();
        change(&mut silent);
        let ended = followed(&mut silent, &mut doubtful, None, 40);
        assert_eq!(ended, Some((DOUBT.as_secs() + 1, Denial::VerdictUnavailable)), "in doubt it ends");
    }
}

#[test]
fn a_change_right_after_a_question_is_asked_about_at_once() {
    let mut gate = tcp_gate();
    let mut open = permitted(&mut gate);
    assert_eq!(followed(&mut gate, &mut open, Some(|| allow(30)), 62), None, "has just been confirmed");
    gate.set_control(control(2)).expect("holds");
    assert!(matches!(gate.stand(&mut open, after(63_000).into(), true), Stand::Ask(..)));
}

#[test]
fn what_is_open_ends_with_the_service_its_openness_and_its_protocol() {
    let ended = |apply: fn(&mut Gate), id: &str, peer: Peer| {
        let mut gate = tcp_gate();
        let mut open = standing(answered(&mut gate, id, &peer, allow(3_600), NOW));
        apply(&mut gate);
        (1..30).find_map(|second| match gate.stand(&mut open, after(second * 1_000).into(), false) {
            Stand::Ends(denial) => Some((second, denial)),
            Stand::Ask(..) | Stand::Holds => None,
        })
    };
    let gone = |gate: &mut Gate| {
        gate.apply(FeedPage { removals: vec![TCP], ..page(1, &[]) }, NOW).expect("applies");
    };
    assert_eq!(ended(gone, TCP, peer("a")), Some((6, Denial::UnknownService)), "after the time that it has");
    let at_once = |gate: &mut Gate| {
        gate.apply(FeedPage { removals: vec![TCP], ..page(1, &[]) }, NOW).expect("applies");
        let mut control = control(2);
        control.gate.tcp_close_after_secs = 0;
        gate.set_control(control).expect("holds");
    };
    assert_eq!(ended(at_once, TCP, peer("a")), Some((1, Denial::UnknownService)));
    let shut = |gate: &mut Gate| change(gate, None, |service| service.access = AccessLevel::Nobody);
    assert_eq!(ended(shut, TCP, peer("a")), Some((1, Denial::AccessDenied)));
    let speaks_http = |gate: &mut Gate| change(gate, None, |service| service.protocol = Protocol::Http);
    assert_eq!(ended(speaks_http, TCP, peer("a")), Some((1, Denial::ProtocolMismatch)));
    let closed = |gate: &mut Gate| {
        let closed = Service { protocol: Protocol::Tcp, ..service(OPEN, 8) };
        gate.apply(page(1, &packed(&[closed])), NOW).expect("applies");
    };
    assert_eq!(ended(closed, OPEN, address(1)), Some((1, Denial::CredentialMissing)));
}

#[test]
fn whoever_is_signed_out_everywhere_loses_connections_too() {
    let mut gate = tcp_gate();
    let mut open = permitted(&mut gate);
    let mut control = control(1);
    control.revocations = vec![Revocation { revoked: Revoked::Actor("alice".into()), at: after(1) }];
    gate.set_control(control).expect("holds");
    assert!(matches!(gate.stand(&mut open, after(1_000).into(), true), Stand::Ends(Denial::SessionEnded)));
}

#[test]
fn debug_shows_nothing_of_a_waiting_connection() {
    let mut gate = tcp_gate();
    let question = connect(&mut gate, TCP, &peer("spiffe://x/s3cret"), NOW).expect_err("asks");
    assert!(!format!("{question:?}").contains("s3cret"), "{question:?}");
}

proptest! {
    /// No request, whatever is in it, asks as the other end of a connection does.
    #[test]
    fn no_request_makes_a_peer(
        host in "(ae5cf6f5|dddd4444|ffff6666)", authorization in ".{0,60}", cookie in ".{0,60}", path in "/[ -~]{0,40}",
    ) {
        let mut gate = tcp_gate();
        let host = format!("{host}.{BASE}");
        let own = peer("spiffe://x/alice").credential().value;
        let headers: [(&[u8], &[u8]); 6] = [
            (b":authority", host.as_bytes()),
            (b":path", path.as_bytes()),
            (b"authorization", authorization.as_bytes()),
            (b"cookie", cookie.as_bytes()),
            (b"x-taskgate-authorization", own.as_bytes()),
            (b"x-forwarded-client-cert", b"Subject=\"CN=alice\";URI=spiffe://x/alice"),
        ];
        if let Step::Ask(question) = gate.on_request(&Request::read(headers), NOW) {
            prop_assert_ne!(question.query.credential.scheme, Scheme::Peer);
        }
    }

    /// Whatever a port is called and whoever connects: nobody comes in whom no verdict let in.
    #[test]
    fn nobody_comes_in_without_a_verdict(id in "([0-9a-f]{8}|dddd4444|ffff6666|ae5cf6f5)", name in ".{0,30}", host: u8, has_certificate: bool) {
        let mut gate = tcp_gate();
        let peer = if has_certificate { peer(&name) } else { address(host) };
        prop_assert!(!matches!(gate.on_connection(&id, &peer, NOW), ConnectionStep::Done(ConnectionDecision::Permit(..))));
    }
}
