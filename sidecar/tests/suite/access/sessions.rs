//! Sessions that workers ask about, and sessions that are ended.

use std::time::Duration;

use serde_json::{Value, json};
use taskgate_core::identity::WireIdentity;
use taskgate_core::session::{Claims, SharedAccess};
use taskgate_core::share::PathScope;
use taskgate_core::token::TokenId;
use taskgate_core::verdict::{Credential, Scheme, VerdictAnswer};

use super::support::{SERVICES, Seen, Worker, ask, id, operator, start, until};
use crate::kit::{START, Sidecar, credential, outcome};

const HOUR: Duration = Duration::from_secs(3600);

/// A session of somebody, as it was sealed at the start.
fn claims(sidecar: &Sidecar, number: u64, actor: &str, groups: &[&str]) -> Claims {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let identity = WireIdentity { actor: actor.into(), groups, ..WireIdentity::default() };
    let service = sidecar.running.app.registry.service(&id(sidecar, "op1")).expect("a service");
    Claims::new(TokenId::new(number), service.id.as_str(), service.epoch, identity, START, START.after(HOUR))
}

fn sealed(sidecar: &Sidecar, claims: &Claims) -> String {
    claims.seal(&sidecar.running.app.control.ring()).expect("seals")
}

fn session(sidecar: &Sidecar, claims: &Claims) -> Credential {
    credential(Scheme::Session, None, &sealed(sidecar, claims))
}

/// What the sidecar says of it: the person, or the refusal.
async fn said(sidecar: &Sidecar, claims: &Claims) -> String {
    outcome(&sidecar.verdict(&id(sidecar, "op1"), session(sidecar, claims)).await)
}

#[tokio::test]
async fn a_session_is_looked_at_by_name() {
    let sidecar = start("").await;
    let shared = |number| Some(SharedAccess { id: TokenId::new(number), scope: PathScope::everything() });
    for (claims, expected) in [
        (claims(&sidecar, 1, "alice", &[]), "alice"),
        (claims(&sidecar, 1, "bob", &["ml"]), "bob"),
        (claims(&sidecar, 1, "bob", &[]), "UnknownService"),
        (claims(&sidecar, 1, "mallory", &[]), "UnknownService"),
        (Claims { expires_at: START, ..claims(&sidecar, 1, "alice", &[]) }, "CredentialRejected"),
        (Claims { service: id(&sidecar, "op2"), ..claims(&sidecar, 1, "alice", &[]) }, "CredentialRejected"),
        (Claims { share: shared(5), ..claims(&sidecar, 1, "alice", &[]) }, "CredentialRejected"),
    ] {
        assert_eq!(said(&sidecar, &claims).await, expected, "{claims:?}");
    }
    for text in ["token-of-alice", "tg1.s.k1.AAAA", "x"] {
        let answer = sidecar.verdict(&id(&sidecar, "op1"), credential(Scheme::Session, None, text)).await;
        assert_eq!(outcome(&answer), "CredentialRejected", "{text}");
    }
    // No source hears of a session, and nobody believes one for long.
    assert_eq!(sidecar.metric("taskgate_verdicts_total{outcome=\"allow\",source=\"session\"}").await, Some(2));
    assert_eq!(sidecar.metric("taskgate_verdicts_total{outcome=\"deny\",source=\"tokens\"}").await, None);
    let answer = sidecar.verdict(&id(&sidecar, "op1"), session(&sidecar, &claims(&sidecar, 2, "alice", &[]))).await;
    assert!(matches!(answer, VerdictAnswer::Decided(_, lifetime) if lifetime <= Duration::from_secs(5)), "{answer:?}");
}

#[tokio::test]
async fn what_is_ended_is_ended_in_every_worker_and_in_open_streams() {
    let sidecar = start("").await;
    let mut worker = Worker::new(&sidecar).await;
    let url = format!("https://{}.tasks.example.test/", id(&sidecar, "op1"));
    let of = |number, actor| {
        let claims = Claims {
            epoch: claims(&sidecar, number, actor, &["ml"]).epoch,
            ..claims(&sidecar, number, actor, &["ml"])
        };
        format!("__Host-taskgate={}", sealed(&sidecar, &claims))
    };
    let cookies = [of(1, "alice"), of(2, "alice"), of(3, "bob"), of(4, "carol")];
    let mut streams = Vec::new();
    for cookie in &cookies {
        let Seen::In(_, stream) = worker.visit(&url, &[("cookie", cookie)]).await else { panic!("is refused") };
        streams.push(stream);
    }
    let mut seen = async |sidecar: &Sidecar| {
        worker.refresh().await;
        let mut all = String::new();
        for (cookie, stream) in cookies.iter().zip(&mut streams) {
            let (now, stands) = (worker.seen(&url, &[("cookie", cookie)]).await, worker.ends(stream));
            assert_eq!(now == "session-ended", stands == Some("session-ended"), "{now} {stands:?}");
            all.push(if stands.is_some() { '-' } else { '+' });
        }
        let _ = sidecar;
        all
    };
    assert_eq!(seen(&sidecar).await, "++++");
    let end = async |body: Value| operator(&sidecar, "POST", "/internal/sessions/end", body).await.0;
    assert_eq!(end(json!({"id": "0000000000000002"})).await, 200);
    assert_eq!(seen(&sidecar).await, "+-++", "one sign-in");
    assert_eq!(ask(&sidecar, "bob", "POST", "/v1/sessions/end", Value::Null).await.0, 200);
    assert_eq!(seen(&sidecar).await, "+--+", "one's own");
    assert_eq!(end(json!({"actor": "carol"})).await, 200);
    assert_eq!(seen(&sidecar).await, "+---");
    assert_eq!(end(json!({"everybody": true})).await, 200);
    assert_eq!(seen(&sidecar).await, "----");
    for body in [json!({}), json!({"actor": "a", "id": "0000000000000002"}), json!({"id": "x"}), json!({"actor": ""})] {
        assert_eq!(end(body.clone()).await, 400, "{body}");
    }
    // Nobody is kept out who signs in afterwards.
    sidecar.clock.advance(Duration::from_secs(6));
    let later = claims(&sidecar, 9, "bob", &["ml"]);
    let now = START.after(Duration::from_secs(6));
    assert_eq!(said(&sidecar, &Claims { issued_at: now, ..later }).await, "bob");
}

#[tokio::test]
async fn a_stranger_ends_nobody_s_session() {
    let sidecar = start("").await;
    assert_eq!(ask(&sidecar, "", "POST", "/v1/sessions/end", Value::Null).await.0, 401);
    assert_eq!(ask(&sidecar, "mallory", "POST", "/v1/sessions/end", json!({"actor": "alice"})).await.0, 400);
    assert_eq!(ask(&sidecar, "mallory", "POST", "/v1/sessions/end", json!({})).await.0, 200);
    assert_eq!(said(&sidecar, &claims(&sidecar, 1, "alice", &[])).await, "alice");
    assert_eq!(said(&sidecar, &claims(&sidecar, 1, "mallory", &[])).await, "CredentialRejected");
    // A page of another origin does it in nobody's browser.
    let request = sidecar.client.post(super::support::public(&sidecar, "/v1/sessions/end"));
    let request = request.bearer_auth("token-of-alice").header("origin", "https://evil.tasks.example.test");
    assert_eq!(request.send().await.expect("an answer").status(), 403);
    assert_eq!(said(&sidecar, &claims(&sidecar, 2, "alice", &[])).await, "alice");
}

#[tokio::test]
async fn who_loses_the_right_is_out_when_the_policy_changes() {
    let sidecar = start("").await;
    let mut worker = Worker::new(&sidecar).await;
    let url = format!("https://{}.tasks.example.test/", id(&sidecar, "op1"));
    let cookie = format!("__Host-taskgate={}", sealed(&sidecar, &claims(&sidecar, 1, "bob", &["ml"])));
    assert_eq!(worker.seen(&url, &[("cookie", &cookie)]).await, "bob");
    let before = sidecar.running.app.registry.service(&id(&sidecar, "op1")).expect("a service").epoch;
    sidecar.write("services.yaml", &SERVICES.replace("group:ml", "group:ops"));
    let epoch = || sidecar.running.app.registry.service(&id(&sidecar, "op1")).expect("a service").epoch;
    until(async || epoch() != before).await;
    worker.refresh().await;
    assert_eq!(worker.seen(&url, &[("cookie", &cookie)]).await, "unknown-service");
}
