//! Signing in for a link that is for one person.

use serde_json::{Value, json};

use crate::kit::GREETER;
use crate::sign_in::browser::Answer;
use crate::sign_in::stage::{GREETER_HOST, SESSION, Stage, begin};

/// A link for Mallory, who has no right of her own on the service.
async fn link(stage: &Stage) -> String {
    let body = json!({"service": GREETER, "lifetime_secs": 3600, "to": "mallory", "path": "/a"});
    let request = stage.sidecar.client.post(stage.sidecar.internal("/internal/shares")).json(&body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["link"].as_str().unwrap_or_else(|| panic!("a link in {answer}")).to_owned()
}

async fn used(stage: &Stage) -> Value {
    let request = stage.sidecar.client.get(stage.sidecar.internal("/internal/shares"));
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["shares"][0]["used"].clone()
}

/// Opens the link and signs in where that sends the browser: the page that it comes back to.
async fn come(stage: &mut Stage, link: &str) -> Answer {
    let begun = stage.browser.get(link).await;
    let path = begun.location.expect("somewhere to sign in");
    assert!(path.starts_with("/.taskgate/sign-in?"), "{path}");
    let asked = stage.browser.get(&format!("https://{GREETER_HOST}{path}")).await;
    let back = stage.provider.sign_in(&asked.sent_to());
    let next = stage.finish(back.as_str()).await.sent_to();
    assert_eq!(next.host_str(), Some(GREETER_HOST));
    stage.browser.get(next.as_str()).await
}

#[tokio::test]
async fn signing_in_leads_to_the_button_and_the_button_uses_the_link() {
    let mut stage = Stage::start().await;
    let link = link(&stage).await;
    stage.provider.person(json!({"sub": "2", "preferred_username": "mallory"}));
    let page = come(&mut stage, &link).await;
    assert!(page.status == 200 && page.text.contains("<form method=\"post\""), "{page:?}");
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None, "no session yet");
    assert_eq!(used(&stage).await, 0);
    let opened = stage.browser.post(&link, Some(&format!("https://{GREETER_HOST}")), "").await;
    assert_eq!((opened.status, opened.location.as_deref()), (303, Some("/a")));
    assert_eq!(used(&stage).await, 1);
    assert_eq!(stage.whoami(GREETER_HOST).await["actor"], "mallory");
}

#[tokio::test]
async fn a_link_to_the_sign_in_replaces_no_session() {
    let mut stage = Stage::start().await;
    let link = link(&stage).await;
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let before = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0.clone();
    // Another page sends the browser there; the provider knows its person, here by another name.
    stage.provider.person(json!({"sub": "2", "preferred_username": "mallory"}));
    let path = link.split_once(GREETER_HOST).expect("of this host").1;
    stage.sign_in(GREETER_HOST, path).await.sent_to();
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").0, before);
    assert_eq!(used(&stage).await, 0);
    // The parameter that once did it does nothing.
    let code = path.split("code=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
    stage.provider.person(json!({"sub": "1", "preferred_username": "alice"}));
    let asked = stage.browser.get(&format!("{}&share={code}", begin(GREETER_HOST, "/x"))).await.sent_to();
    let back = stage.provider.sign_in(&asked);
    stage.finish(back.as_str()).await.sent_to();
    assert_eq!(used(&stage).await, 0);
}

#[tokio::test]
async fn who_it_is_not_for_gets_nothing() {
    let mut stage = Stage::start().await;
    let link = link(&stage).await;
    stage.provider.person(json!({"sub": "3", "preferred_username": "eve"}));
    let page = come(&mut stage, &link).await;
    assert_eq!(page.status, 403, "{}", page.text);
    let opened = stage.browser.post(&link, Some(&format!("https://{GREETER_HOST}")), "").await;
    assert_eq!(opened.status, 403);
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None);
    assert_eq!(used(&stage).await, 0);
}
