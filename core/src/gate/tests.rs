use core::net::SocketAddr;

use crate::config::GateConfig;
use crate::identity::{Identity, WireIdentity};
use crate::key::{KeyId, Secret};
use crate::service::tests::example;
use crate::service::{AccessLevel, Endpoint, PackedRow, Protocol, Service};
use crate::session::Claims;
use crate::token::TokenId;
use crate::verdict::Refusal;

use super::*;

mod connection;
mod own;
mod property;

const NOW: UnixTime = UnixTime::from_millis(1_893_456_000_000);
const BASE: &str = "tasks.example.test";

/// Every service here has addresses of its own, so that an address tells whose it is.
fn service(id: &'static str, net: u8) -> Service<'static> {
    let endpoint = |host: u8| Endpoint { address: SocketAddr::from(([10, 0, net, host], 8080)), weight: 1 };
    Service { id, labels: vec![], alias: None, endpoints: vec![endpoint(1), endpoint(2)], ..example() }
}

fn services() -> Vec<Service<'static>> {
    vec![
        service("ae5cf6f5", 1),
        service("2ef4261c", 2),
        Service { access: AccessLevel::Public, ..service("aaaa1111", 3) },
        Service { forward_credential: true, ..service("bbbb2222", 4) },
        Service { access: AccessLevel::Nobody, ..service("cccc3333", 5) },
        Service { protocol: Protocol::Tcp, ..service("dddd4444", 6) },
        Service { endpoints: vec![], ..service("eeee5555", 7) },
    ]
}

fn packed(services: &[Service<'_>]) -> Vec<PackedRow> {
    services.iter().map(|service| service.pack().expect("a valid row")).collect()
}

fn control(verdict_epoch: u64) -> Control {
    Control {
        number: verdict_epoch,
        cache_key: [1; 32],
        keys: vec![(KeyId::parse("k1").expect("an id"), [2; 32])],
        verdict_epoch,
        revocations: vec![],
        gate: GateConfig::for_domain(BASE),
    }
}

fn page(from: u64, rows: &[PackedRow]) -> FeedPage<'_> {
    FeedPage {
        epoch: 1,
        from,
        to: from.saturating_add(1),
        last: from.saturating_add(1),
        reset: from == 0,
        complete: true,
        upserts: rows.iter().map(PackedRow::as_bytes).collect(),
        removals: vec![],
        control: None,
    }
}

fn gate() -> Gate {
    let mut gate = Gate::new(7, true);
    let rows = packed(&services());
    gate.apply(FeedPage { control: Some(control(1)), ..page(0, &rows) }, NOW).expect("applies");
    gate
}

fn ring() -> KeyRing {
    KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([2; 32]))])
}

fn claims(service: &str, expires_at: UnixTime) -> Claims {
    let identity = WireIdentity { actor: "alice".into(), ..WireIdentity::default() };
    Claims::new(TokenId::new(7), service, 1, identity, NOW, expires_at)
}

fn token(service: &str, expires_at: UnixTime) -> String {
    claims(service, expires_at).seal(&ring()).expect("seals")
}

fn after(millis: u64) -> UnixTime {
    NOW.after(Duration::from_millis(millis))
}

fn allow(lifetime_secs: u64) -> VerdictAnswer {
    let wire = WireIdentity { actor: "alice".into(), ..WireIdentity::default() };
    let identity = Identity::try_from(wire).expect("valid");
    VerdictAnswer::Decided(Verdict::Allow { identity, ends_at: None }, Duration::from_secs(lifetime_secs))
}

fn deny() -> VerdictAnswer {
    VerdictAnswer::Decided(Verdict::Deny { refusal: Refusal::AccessDenied, actor: None }, Duration::from_secs(5))
}

/// The step for a request to `host` with `authorization`.
fn step(gate: &mut Gate, label: &str, authorization: &str, now: impl Into<Moment>) -> Step {
    let host = format!("{label}.{BASE}");
    let headers = [(&b":authority"[..], host.as_bytes()), (b"authorization", authorization.as_bytes())];
    gate.on_request(&Request::read(headers), now)
}

fn asked(step: Step) -> Option<Question> {
    match step {
        Step::Ask(question) => Some(*question),
        Step::Done(_) => None,
    }
}

/// What became of a request: who went through, or why not. None: the sidecar has to be asked.
fn settled(step: Step) -> Option<Result<Option<String>, Denial>> {
    match step {
        Step::Ask(_) => None,
        Step::Done(decision) => Some(outcome(decision)),
    }
}

fn outcome(decision: Decision) -> Result<Option<String>, Denial> {
    match decision {
        Decision::Permit(edits) => Ok(edits.identity().map(|identity| identity.actor().to_owned())),
        Decision::Redirect(reply) => panic!("is sent elsewhere: {reply:?}"),
        Decision::Refuse(denial, _) => Err(denial),
    }
}

fn alice() -> Result<Option<String>, Denial> {
    Ok(Some("alice".into()))
}

#[test]
fn one_answer_serves_everybody_who_waits_for_it() {
    let mut gate = gate();
    let first = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    let second = asked(step(&mut gate, "ae5cf6f5", "bearer  tok", NOW)).expect("asks");
    assert_eq!((first.key, &first.query), (second.key, &second.query));
    let learned = gate.learn(first.key, allow(30), after(5));
    assert_eq!(outcome(gate.on_verdict(first.pending, &learned)), alice());
    assert_eq!(outcome(gate.on_verdict(second.pending, &learned)), alice());
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", after(6))), Some(alice()));
}

#[test]
fn different_questions_have_different_keys() {
    let mut gate = gate();
    let questions = [
        ("ae5cf6f5", "Bearer tok"),
        ("2ef4261c", "Bearer tok"),
        ("ae5cf6f5", "Bearer tok2"),
        ("ae5cf6f5", "OAuth tok"),
    ];
    let keys =
        questions.map(|(label, authorization)| asked(step(&mut gate, label, authorization, NOW)).expect("asks").key);
    for (nth, key) in keys.iter().enumerate() {
        assert!(!keys[..nth].contains(key), "{:?}", questions[nth]);
    }
}

#[test]
fn no_answer_is_learned_for_one_question_by_another() {
    let mut gate = gate();
    let one = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    gate.learn(one.key, allow(30), NOW);
    assert_eq!(settled(step(&mut gate, "2ef4261c", "Bearer tok", NOW)), None);
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "OAuth tok", NOW)), None);
}

#[test]
fn those_who_wait_are_refused_without_an_answer() {
    let mut gate = gate();
    let one = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    let other = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    let learned = gate.learn(one.key, VerdictAnswer::Unavailable, NOW);
    assert_eq!(outcome(gate.on_verdict(one.pending, &learned)), Err(Denial::VerdictUnavailable));
    assert_eq!(outcome(gate.on_verdict(other.pending, &learned)), Err(Denial::VerdictUnavailable));
    assert_eq!(gate.verdict_count(), 0, "no answer is never kept");
}

#[test]
fn a_stale_verdict_counts_until_its_grace_ends() {
    for (millis, expected) in [(30_000, alice()), (329_999, alice()), (330_000, Err(Denial::VerdictUnavailable))] {
        let mut gate = gate();
        let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
        gate.learn(question.key, allow(30), NOW);
        let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", after(millis))).expect("asks again");
        let learned = gate.learn(question.key, VerdictAnswer::Unavailable, after(millis));
        assert_eq!(outcome(gate.on_verdict(question.pending, &learned)), expected, "after {millis} ms");
    }
}

#[test]
fn a_new_denial_beats_a_stale_permission() {
    let mut gate = gate();
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    gate.learn(question.key, allow(30), NOW);
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", after(31_000))).expect("asks again");
    let learned = gate.learn(question.key, deny(), after(31_000));
    assert_eq!(outcome(gate.on_verdict(question.pending, &learned)), Err(Denial::AccessDenied));
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", after(31_001))), Some(Err(Denial::AccessDenied)));
}

#[test]
fn with_no_room_to_wait_only_a_stale_verdict_helps() {
    let mut gate = gate();
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    assert_eq!(outcome(gate.on_overload(question.pending)), Err(Denial::Overloaded));
    gate.learn(question.key, allow(30), NOW);
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", after(31_000))).expect("asks again");
    assert_eq!(outcome(gate.on_overload(question.pending)), alice());
    gate.learn(question.key, deny(), after(31_000));
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", after(37_000))).expect("asks again");
    assert_eq!(outcome(gate.on_overload(question.pending)), Err(Denial::AccessDenied));
}

#[test]
fn a_verdict_from_before_a_revocation_is_not_kept_after_it() {
    let mut gate = gate();
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    // The sidecar had decided, and then access was taken away; the news overtakes the answer.
    gate.set_control(control(2)).expect("usable");
    gate.learn(question.key, allow(3600), after(1));
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", after(2))), None, "asks again");
}

#[test]
fn a_stale_verdict_from_before_a_revocation_helps_nobody_who_waits() {
    let mut gate = gate();
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    gate.learn(question.key, allow(30), NOW);
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", after(31_000))).expect("asks again");
    gate.set_control(control(2)).expect("usable");
    let learned = gate.learn(question.key, VerdictAnswer::Unavailable, after(31_000));
    assert_eq!(outcome(gate.on_verdict(question.pending, &learned)), Err(Denial::VerdictUnavailable));
}

#[test]
fn a_verdict_under_another_epoch_of_the_service_is_not_used() {
    let mut gate = gate();
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    let rows = packed(&[Service { epoch: 2, ..service("ae5cf6f5", 1) }]);
    gate.apply(page(1, &rows), NOW).expect("applies");
    gate.learn(question.key, allow(3600), after(1));
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", after(2))), None, "asks again");
}

#[test]
fn sessions_end_by_the_wall_clock_and_verdicts_by_the_steady_one() {
    let mut gate = gate();
    let session = format!("Bearer {}", token("ae5cf6f5", after(10_000)));
    let question = asked(step(&mut gate, "ae5cf6f5", "Bearer tok", NOW)).expect("asks");
    gate.learn(question.key, allow(30), NOW);

    let ahead = Moment { wall: after(9_000_000), steady: after(1) };
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", &session, ahead)), Some(Err(Denial::SessionEnded)));
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", ahead)), Some(alice()));

    let behind = Moment { wall: UnixTime::default(), steady: after(30_000) };
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", &session, behind)), Some(alice()));
    assert_eq!(settled(step(&mut gate, "ae5cf6f5", "Bearer tok", behind)), None, "asks again");
}

#[test]
fn requests_take_turns_among_the_jobs() {
    let mut gate = gate();
    let mut first = Vec::new();
    for _ in 0..4 {
        if let Step::Done(Decision::Permit(edits)) = step(&mut gate, "aaaa1111", "", NOW) {
            first.push(edits.upstream.candidates[0].ip().to_string());
        }
    }
    first.sort();
    assert_eq!(first, ["10.0.3.1", "10.0.3.1", "10.0.3.2", "10.0.3.2"]);
}

#[test]
fn an_ingress_that_cannot_change_paths_refuses_what_it_could_not_hide() {
    let mut gate = Gate::new(7, false);
    let rows = packed(&services());
    gate.apply(FeedPage { control: Some(control(1)), ..page(0, &rows) }, NOW).expect("applies");
    let mut outcome_of = |path: &[u8]| {
        let host = format!("aaaa1111.{BASE}");
        let headers = [(&b":authority"[..], host.as_bytes()), (b":path", path)];
        settled(gate.on_request(&Request::read(headers), NOW))
    };
    assert_eq!(outcome_of(b"/?api_token=t"), Some(Err(Denial::UnsupportedCredential)));
    assert_eq!(outcome_of(b"/?other=t"), Some(Ok(None)));
}

#[test]
fn debug_shows_no_credential_of_a_waiting_request() {
    let mut gate = gate();
    let headers: [(&[u8], &[u8]); 3] = [
        (b":authority", b"ae5cf6f5.tasks.example.test"),
        (b"authorization", b"Bearer s3cret1"),
        (b"cookie", b"app=s3cret2; YTCypressCookie=s3cret3"),
    ];
    let question = asked(gate.on_request(&Request::read(headers), NOW)).expect("asks");
    assert!(!format!("{question:?}").contains("s3cret"), "{question:?}");
    let learned = gate.learn(question.key, allow(30), NOW);
    let decision = gate.on_verdict(question.pending, &learned);
    assert!(!format!("{decision:?}").contains("s3cret"), "{decision:?}");
    assert!(!format!("{gate:?}").contains("s3cret"), "what is kept");
}
