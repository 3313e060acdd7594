//! Services of the sidecar's own: who asks is vouched for, and signed URLs take a credential's place.

use super::*;
use crate::signed_url::{Claims, SignedMethod, sign};
use crate::visitor::{OWN_PROVIDER, is_vouched};

const OBJECT: &str = "/v1/data/objects/main/uploads/p/d/r/a%20b.txt";

/// A gate that knows the service of data under `data`, and a job's that calls itself the same but for its provider.
fn gate_with_data() -> Gate {
    let mut gate = Gate::new(7, true);
    let data = Service { provider: OWN_PROVIDER, vouched: true, labels: vec!["data"], ..service("11111111", 1) };
    let job = Service { provider: "file", labels: vec!["job"], ..service("22222222", 2) };
    let rows = packed(&[data, job]);
    gate.apply(FeedPage { control: Some(control(1)), ..page(0, &rows) }, NOW).expect("applies");
    gate
}

fn asks(gate: &mut Gate, host: &str, method: &str, path: &str, token: Option<&str>) -> Step {
    let host = format!("{host}.{BASE}");
    let authorization = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let mut headers = vec![
        (&b":authority"[..], host.as_bytes()),
        (b":method", method.as_bytes()),
        (b":path", path.as_bytes()),
        (b"x-taskgate-visitor", b"9999999999.k1.AAAA"),
    ];
    headers.extend(token.map(|_| (&b"authorization"[..], authorization.as_bytes())));
    gate.on_request(&Request::read(headers), NOW)
}

fn signed(method: SignedMethod, expires: UnixTime, audience: &str) -> String {
    let claims = Claims { audience, method, path: OBJECT, expires, ..Claims::default() };
    format!("{OBJECT}?{}", sign(&ring(), &claims).expect("signs"))
}

fn edits(step: Step) -> RequestEdits {
    match step {
        Step::Done(Decision::Permit(edits)) => *edits,
        other => panic!("not permitted: {other:?}"),
    }
}

#[test]
fn who_asks_is_vouched_for_to_the_sidecar_alone() {
    let mut gate = gate_with_data();
    let session = |service| token(service, after(60_000));
    let edits_of_data = edits(asks(&mut gate, "data", "POST", "/v1/data/uploads", Some(&session("11111111"))));
    let visitor = edits_of_data.identity().expect("a session says who it is");
    let vouch = edits_of_data.vouch.as_ref().expect("the sidecar is told");
    assert!(is_vouched(&ring(), vouch, "11111111", visitor, NOW));
    assert_eq!(edits_of_data.remove, [b"x-taskgate-visitor"], "what a client says of itself goes");
    let edits_of_job = edits(asks(&mut gate, "job", "GET", "/", Some(&session("22222222"))));
    assert_eq!(edits_of_job.vouch, None, "a job has no use for it");
}

#[test]
fn a_verdict_vouches_as_a_session_does() {
    let mut gate = gate_with_data();
    let question = asked(asks(&mut gate, "data", "POST", "/v1/data/uploads", Some("t"))).expect("asks");
    let learned = gate.learn(question.key, allow(30), NOW);
    let decision = gate.on_verdict(question.pending, &learned);
    let first = edits(Step::Done(decision));
    let again = edits(asks(&mut gate, "data", "POST", "/v1/data/uploads", Some("t")));
    for edits in [first, again] {
        let vouch = edits.vouch.as_ref().expect("vouched");
        assert!(is_vouched(&ring(), vouch, "11111111", edits.identity().expect("known"), NOW));
    }
}

#[test]
fn a_signed_url_takes_the_place_of_a_credential() {
    let mut gate = gate_with_data();
    let url = signed(SignedMethod::Get, after(60_000), "taskgate");
    for method in ["GET", "HEAD"] {
        let edits = edits(asks(&mut gate, "data", method, &url, None));
        assert_eq!((edits.identity(), edits.vouch.as_ref()), (None, None), "whoever has it may use it");
    }
    let mut refused = |host, method, url: &str, token| settled(asks(&mut gate, host, method, url, token));
    assert_eq!(refused("data", "PUT", &url, None), Some(Err(Denial::UrlRefused)));
    assert_eq!(refused("data", "GET", &url.replace("a%20b", "a%20c"), None), Some(Err(Denial::UrlRefused)));
    assert_eq!(
        refused("data", "GET", OBJECT, Some("t")),
        Some(Err(Denial::UrlRefused)),
        "a credential is no signature"
    );
    let elsewhere = signed(SignedMethod::Get, after(60_000), "another");
    assert_eq!(refused("data", "GET", &elsewhere, None), Some(Err(Denial::UrlRefused)));
    let late = signed(SignedMethod::Get, NOW, "taskgate");
    assert_eq!(refused("data", "GET", &late, None), Some(Err(Denial::UrlExpired)));
    assert_eq!(refused("job", "GET", &url, None), Some(Err(Denial::CredentialMissing)), "a job's paths are its own");
    assert_eq!(refused("data", "GET", "/v1/data/objectsX", None), Some(Err(Denial::CredentialMissing)));
}

#[test]
fn browsers_may_ask_the_sidecar_beforehand_and_a_job_not() {
    let mut gate = gate_with_data();
    for path in ["/v1/data/uploads", OBJECT] {
        let edits = edits(asks(&mut gate, "data", "OPTIONS", path, None));
        assert_eq!((edits.identity(), edits.vouch.as_ref()), (None, None));
    }
    assert_eq!(settled(asks(&mut gate, "job", "OPTIONS", "/", None)), Some(Err(Denial::CredentialMissing)));
}
