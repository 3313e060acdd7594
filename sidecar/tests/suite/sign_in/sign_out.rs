//! Signing out: by one's own page alone, and then everywhere at once.

use std::time::Duration;

use serde_json::json;
use taskgate_core::revocation::Revocations;
use taskgate_core::session;

use crate::kit::GREETER;
use crate::sign_in::stage::{ACCESS_HOST, GREETER_HOST, SESSION, Stage};

const SIGN_OUT: &str = "https://ae5cf6f5.tasks.example.test/.taskgate/sign-out";
const OWN: Option<&str> = Some("https://ae5cf6f5.tasks.example.test");

/// Whether workers are told that a session is over.
async fn is_over(stage: &Stage, service: &str, token: &str) -> bool {
    let control = stage.sidecar.table().await.control.expect("control");
    let ring = stage.sidecar.running.app.control.ring();
    let known = stage.sidecar.running.app.registry.service(service).expect("a service");
    let session = session::open(&ring, token.as_bytes(), known.id.as_str()).expect("a session");
    Revocations::new(&control.revocations).end_session(&session.claims)
}

#[tokio::test]
async fn only_the_hosts_own_page_signs_out() {
    let mut stage = Stage::start().await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let token = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    // A link or a picture only shows a page.
    let answer = stage.browser.get(SIGN_OUT).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("<form method=\"post\" action=\"/.taskgate/sign-out\">"), "{}", answer.text);
    for origin in [
        None,
        Some("null"),
        Some("https://evil.test"),
        Some("https://access.tasks.example.test"),
        Some("http://ae5cf6f5.tasks.example.test"),
    ] {
        let answer = stage.browser.post(SIGN_OUT, origin, "").await;
        assert_eq!((answer.status, answer.code.as_str()), (403, "origin-not-allowed"), "{origin:?}");
    }
    assert!(!is_over(&stage, GREETER, &token).await);
    assert_eq!(stage.whoami(GREETER_HOST).await["signed_in"], true);
    let answer = stage.browser.post(SIGN_OUT, OWN, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None);
    assert!(is_over(&stage, GREETER, &token).await);
    assert!(answer.text.contains("/end?client_id=taskgate\""), "{}", answer.text);
}

#[tokio::test]
async fn a_sign_out_ends_the_sessions_of_that_browser_on_every_host() {
    let mut stage = Stage::start().await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    stage.sign_in(ACCESS_HOST, "/").await.sent_to();
    let here = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    let there = stage.browser.cookie(ACCESS_HOST, SESSION).expect("a session").0.clone();
    let signed_in = stage.browser.clone();
    stage.browser = stage.another_browser();
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let elsewhere = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    stage.browser = signed_in;
    stage.browser.post(SIGN_OUT, OWN, "").await;
    assert!(is_over(&stage, GREETER, &here).await && is_over(&stage, "access", &there).await);
    assert!(!is_over(&stage, GREETER, &elsewhere).await, "another device");
    assert_eq!(stage.whoami(ACCESS_HOST).await["signed_in"], false);
    // And who comes again is let in again.
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let again = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    assert!(!is_over(&stage, GREETER, &again).await);
    assert_eq!(stage.whoami(GREETER_HOST).await["signed_in"], true);
}

#[tokio::test]
async fn a_stay_at_the_provider_is_one_whatever_the_browser() {
    let mut stage = Stage::start().await;
    stage.provider.person(json!({"sub": "1", "preferred_username": "alice", "sid": "stay-1"}));
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let here = stage.browser.clone();
    stage.browser = stage.another_browser();
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let there = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    stage.browser = here;
    stage.browser.post(SIGN_OUT, OWN, "").await;
    assert!(is_over(&stage, GREETER, &there).await);
}

#[tokio::test]
async fn each_sign_out_is_of_every_host_and_not_the_first_alone() {
    for stay in [
        json!({"sub": "1", "preferred_username": "alice"}),
        json!({"sub": "1", "preferred_username": "alice", "sid": "stay-1"}),
    ] {
        for wait_secs in [0, 3, 61] {
            let mut stage = Stage::start().await;
            stage.provider.person(stay.clone());
            stage.sign_in(GREETER_HOST, "/").await.sent_to();
            stage.sign_in(ACCESS_HOST, "/").await.sent_to();
            let there = stage.browser.cookie(ACCESS_HOST, SESSION).expect("a session").0.clone();
            assert!(!is_over(&stage, "access", &there).await, "after {wait_secs} s");
            stage.browser.post(SIGN_OUT, OWN, "").await;
            assert!(is_over(&stage, "access", &there).await, "after {wait_secs} s");
            // Who comes again at once, or later, is in, and is signed out of everything again.
            stage.sidecar.clock.advance(Duration::from_secs(wait_secs));
            stage.sign_in(GREETER_HOST, "/").await.sent_to();
            assert_eq!(stage.whoami(GREETER_HOST).await["signed_in"], true);
            stage.sidecar.clock.advance(Duration::from_secs(61));
            stage.sign_in(ACCESS_HOST, "/").await.sent_to();
            let there = stage.browser.cookie(ACCESS_HOST, SESSION).expect("a session").0.clone();
            stage.browser.post(SIGN_OUT, OWN, "").await;
            assert!(is_over(&stage, "access", &there).await, "after {wait_secs} s");
        }
    }
}

#[tokio::test]
async fn all_devices_are_signed_out_on_the_sidecars_own_host() {
    const EVERYWHERE: &str = "https://access.tasks.example.test/.taskgate/sign-out";
    const THERE: Option<&str> = Some("https://access.tasks.example.test");

    let mut stage = Stage::start().await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let elsewhere = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    stage.browser = stage.another_browser();
    // Who is not known there is told to sign in, and comes back to the page.
    let answer = stage.browser.post(EVERYWHERE, THERE, "everywhere=1").await;
    assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/.taskgate/sign-out")));
    let page = stage.browser.get(EVERYWHERE).await;
    assert!(page.text.contains("href=\"/.taskgate/sign-in?to=/.taskgate/sign-out\""), "{}", page.text);
    let answer = stage.sign_in(ACCESS_HOST, "/.taskgate/sign-out").await;
    assert_eq!(answer.location.as_deref(), Some(EVERYWHERE));
    assert!(stage.browser.get(EVERYWHERE).await.text.contains("name=\"everywhere\""));
    let answer = stage.browser.post(EVERYWHERE, THERE, "everywhere=1").await;
    assert!(answer.text.contains("on every device"), "{}", answer.text);
    assert!(is_over(&stage, GREETER, &elsewhere).await);
}

#[tokio::test]
async fn a_jobs_own_page_signs_nobody_out_elsewhere() {
    let mut stage = Stage::start().await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let elsewhere = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    stage.browser = stage.another_browser();
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let page = stage.browser.get(SIGN_OUT).await.text;
    assert!(page.contains("href=\"https://access.tasks.example.test/.taskgate/sign-out\""), "{page}");
    assert!(!page.contains("name=\"everywhere\""), "{page}");
    let answer = stage.browser.post(SIGN_OUT, OWN, "everywhere=1").await;
    assert!(!answer.text.contains("on every device"), "{}", answer.text);
    assert!(!is_over(&stage, GREETER, &elsewhere).await, "another device");
}
