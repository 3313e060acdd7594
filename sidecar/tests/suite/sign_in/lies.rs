//! Providers that lie, break, or are not there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::START;
use crate::sign_in::provider::{CLIENT, Provider, SECRET};
use crate::sign_in::stage::{ACCESS_HOST, GREETER_HOST, SESSION, Stage, begin};

#[tokio::test]
async fn what_does_not_hold_signs_nobody_in() {
    let mut stage = Stage::start().await;
    let lies: [fn(&mut Value); 12] = [
        |claims| claims["nonce"] = json!("another"),
        |claims| drop(claims.as_object_mut().expect("claims").remove("nonce")),
        |claims| claims["iss"] = json!("https://evil.test"),
        |claims| claims["aud"] = json!("another-client"),
        |claims| claims["aud"] = json!(["taskgate", "another-client"]),
        |claims| claims["exp"] = json!(START.as_millis() / 1_000 - 31),
        |claims| drop(claims.as_object_mut().expect("claims").remove("exp")),
        |claims| drop(claims.as_object_mut().expect("claims").remove("sub")),
        |claims| drop(claims.as_object_mut().expect("claims").remove("preferred_username")),
        |claims| claims["preferred_username"] = json!("a\r\nb"),
        |claims| claims["forged"] = json!("hs256"),
        |claims| claims["forged"] = json!("none"),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        stage.provider.lie(lie);
        let answer = stage.sign_in(GREETER_HOST, "/").await;
        assert_eq!((answer.status, answer.code.as_str()), (403, "sign-in-rejected"), "lie {number}: {}", answer.text);
        assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None, "lie {number}");
    }
    stage.provider.lie(|_| ());
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    assert!(stage.browser.cookie(GREETER_HOST, SESSION).is_some());
}

#[tokio::test]
async fn new_keys_are_found_and_keys_that_do_not_exist_are_not_looked_for_again_and_again() {
    let mut stage = Stage::start().await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    assert_eq!(stage.provider.looks(), 1);
    stage.provider.rotate("k2", true);
    stage.sidecar.clock.advance(Duration::from_secs(61));
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    assert_eq!(stage.provider.looks(), 2);
    stage.provider.rotate("k3", false);
    for _ in 0..5 {
        assert_eq!(stage.sign_in(GREETER_HOST, "/").await.code, "sign-in-rejected");
    }
    assert!(stage.provider.looks() <= 3, "{}", stage.provider.looks());
}

#[tokio::test]
async fn a_provider_that_is_down_is_no_reason_not_to_start() {
    let mut stage = Stage::start().await;
    stage.provider.go_down(true);
    let answer = stage.browser.get(&begin(GREETER_HOST, "/a")).await;
    assert_eq!((answer.status, answer.code.as_str()), (503, "sign-in-unavailable"));
    assert_eq!(answer.headers["retry-after"], "10");
    assert!(answer.text.contains("href=\"/.taskgate/sign-in?to=/a\""), "{}", answer.text);
    assert!(stage.browser.cookies.is_empty());
    stage.provider.go_down(false);
    stage.sidecar.clock.advance(Duration::from_secs(2));
    let asked = stage.browser.get(&begin(GREETER_HOST, "/a")).await.sent_to();
    // It goes down while somebody is there.
    let back = stage.provider.sign_in(&asked);
    stage.provider.go_down(true);
    let answer = stage.finish(back.as_str()).await;
    assert_eq!((answer.status, answer.code.as_str()), (503, "sign-in-unavailable"));
}

#[tokio::test]
async fn what_the_provider_refuses_is_said_in_our_own_words() {
    let mut stage = Stage::start().await;
    for (error, status, code) in [
        ("access_denied", 403, "sign-in-refused"),
        ("login_required", 403, "sign-in-refused"),
        ("<script>alert(1)</script>", 403, "sign-in-refused"),
        ("temporarily_unavailable", 503, "sign-in-unavailable"),
    ] {
        let asked = stage.browser.get(&begin(GREETER_HOST, "/")).await.sent_to();
        let state = asked.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        let mut back = stage.provider.sign_in(&asked);
        back.query_pairs_mut().clear().append_pair("error", error).append_pair("state", &state);
        back.query_pairs_mut().append_pair("error_description", "<b>words</b>");
        let answer = stage.finish(back.as_str()).await;
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{error}");
        assert!(!answer.text.contains("alert(1)") && !answer.text.contains("words"), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_address_names_somebody_only_where_the_provider_verified_it() {
    let provider = Provider::start().await;
    let access = format!(
        "public: {{listen: \"127.0.0.1:0\"}}\n\
         access: {{sign_in: {{issuer: \"{}\", client_id: {CLIENT}, client_secret: {SECRET}, actor_claim: email}}}}\n",
        provider.url
    );
    let mut stage = Stage::with(&access, provider).await;
    let address = "alice@example.test";
    for person in [
        json!({"sub": "1", "email": address}),
        json!({"sub": "1", "email": address, "email_verified": false}),
        json!({"sub": "1", "email": address, "email_verified": "no"}),
    ] {
        // What is verified elsewhere is another address.
        stage.provider.userinfo(json!({"sub": "1", "email": "mallory@example.test", "email_verified": true}));
        stage.provider.person(person);
        let answer = stage.sign_in(ACCESS_HOST, "/").await;
        assert_eq!((answer.status, answer.code.as_str()), (403, "sign-in-rejected"), "{}", answer.text);
        assert_eq!(stage.browser.cookie(ACCESS_HOST, SESSION), None);
    }
    stage.provider.person(json!({"sub": "1", "email": address, "email_verified": true}));
    stage.sign_in(ACCESS_HOST, "/").await.sent_to();
    assert_eq!(stage.whoami(ACCESS_HOST).await["actor"], address);
}

#[tokio::test]
async fn nobody_signs_in_as_a_visitor_by_a_link() {
    let mut stage = Stage::start().await;
    stage.provider.person(json!({"sub": "1", "preferred_username": "share:000000000000000a"}));
    let answer = stage.sign_in(ACCESS_HOST, "/").await;
    assert_eq!((answer.status, answer.code.as_str()), (403, "sign-in-rejected"));
}
