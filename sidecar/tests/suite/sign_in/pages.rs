//! The pages beside: who am I, keys of assertions, hosts that are none.

use std::time::Duration;

use taskgate_core::identity::{Identity, WireIdentity};

use crate::kit::START;
use crate::sign_in::provider::Provider;
use crate::sign_in::stage::{ACCESS_HOST, GREETER_HOST, SESSION, Stage, begin};

#[tokio::test]
async fn a_person_sees_who_they_are() {
    let mut stage = Stage::start().await;
    let url = format!("https://{GREETER_HOST}/.taskgate/");
    let answer = stage.browser.get(&url).await;
    assert!(answer.text.contains("You are not signed in") && answer.text.contains("href=\"/.taskgate/sign-in\""));
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let answer = stage.browser.get(&url).await;
    for part in
        ["<dd>alice</dd>", "<dd>alice@example.test</dd>", "<dd>ml</dd>", "2026-01-01 12:00 UTC", "/.taskgate/sign-out"]
    {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.headers["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    // A session ends when it is not used, and a session of another host is none.
    let session = stage.browser.cookies[&(GREETER_HOST.to_owned(), SESSION.to_owned())].clone();
    stage.browser.cookies.insert((ACCESS_HOST.to_owned(), SESSION.to_owned()), session);
    assert_eq!(stage.whoami(ACCESS_HOST).await["signed_in"], false);
    stage.sidecar.clock.advance(Duration::from_secs(7_200));
    assert_eq!(stage.whoami(GREETER_HOST).await["signed_in"], false);
}

#[tokio::test]
async fn hosts_that_are_none_lead_nowhere() {
    let mut stage = Stage::start().await;
    for host in
        ["evil.test", "nobody.tasks.example.test", "tasks.example.test", "a.ae5cf6f5.tasks.example.test", "127.0.0.1"]
    {
        let answer = stage.browser.get(&begin(host, "/")).await;
        assert_eq!((answer.status, answer.code.as_str(), answer.location), (404, "unknown-service", None), "{host}");
    }
    assert!(stage.browser.cookies.is_empty());
}

#[tokio::test]
async fn without_a_provider_nobody_is_sent_anywhere() {
    let provider = Provider::start().await;
    let mut stage = Stage::with("public: {listen: \"127.0.0.1:0\"}\naccess: {}\n", provider).await;
    let answer = stage.browser.get(&begin(GREETER_HOST, "/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (404, "sign-in-off"));
    let headers = [("accept", "application/json")];
    let answer = stage.browser.get_with(&begin(GREETER_HOST, "/"), &headers).await;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let control = stage.sidecar.table().await.control.expect("control");
    assert!(!control.gate.sign_in);
    assert_eq!(control.gate.issuer, "https://access.tasks.example.test");
}

#[tokio::test]
async fn the_keys_of_assertions_verify_what_workers_sign() {
    let mut stage = Stage::start().await;
    let answer = stage.browser.get(&format!("https://{ACCESS_HOST}/.taskgate/jwks.json")).await;
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&answer.text).expect("keys");
    let control = stage.sidecar.table().await.control.expect("control");
    let ring = stage.sidecar.running.app.control.ring();
    let lifetime = Duration::from_secs(control.gate.assertion_lifetime_secs);
    let mut assertions = taskgate_core::assertion::Assertions::new(&ring, &control.gate.issuer, lifetime, 1);
    let alice = WireIdentity { actor: "alice".into(), ..WireIdentity::default() };
    let text = assertions.make("ae5cf6f5", &Identity::try_from(alice).expect("valid"), START).expect("made");
    let header = jsonwebtoken::decode_header(&*text).expect("a header");
    let key = keys.find(header.kid.as_deref().expect("a key's id")).expect("a known key");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    validation.set_audience(&["ae5cf6f5"]);
    validation.set_issuer(&["https://access.tasks.example.test"]);
    validation.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
    let claims = jsonwebtoken::decode::<serde_json::Value>(&*text, &key, &validation).expect("verifies").claims;
    assert_eq!(claims["sub"], "alice");
}
