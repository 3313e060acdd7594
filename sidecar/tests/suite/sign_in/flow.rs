//! Signing in as it should go.

use std::time::Duration;

use serde_json::json;
use taskgate_core::session;

use crate::kit::{GREETER, START};
use crate::sign_in::stage::{ACCESS_HOST, GREETER_HOST, SESSION, Stage, begin};

#[tokio::test]
async fn a_person_signs_in_and_is_back_where_they_wanted_to_be() {
    let mut stage = Stage::start().await;
    let deep = "/a/b%2Fc//d?x=1&y=%26&z";
    let begun = stage.browser.get(&begin(GREETER_HOST, deep)).await;
    let asked = begun.sent_to();
    // Nothing of the sign-in but sealed text leaves the browser.
    assert!(!asked.as_str().contains("ae5cf6f5") && begun.headers["cache-control"] == "no-store");
    let attempts = stage.browser.names(GREETER_HOST, "__Host-taskgate-si-");
    assert_eq!(attempts.len(), 1);
    assert!(stage.browser.cookie(GREETER_HOST, &attempts[0]).expect("a cookie").1.contains("Max-Age=600"));

    let back = stage.provider.sign_in(&asked);
    assert_eq!(back.as_str().split('?').next(), Some("https://access.tasks.example.test/.taskgate/callback"));
    let passed = stage.browser.get(back.as_str()).await;
    assert_eq!(passed.sent_to().host_str(), Some(GREETER_HOST));
    let ended = stage.browser.get(passed.sent_to().as_str()).await;
    assert_eq!(ended.location.as_deref(), Some(format!("https://{GREETER_HOST}{deep}").as_str()));

    assert_eq!(stage.browser.names(GREETER_HOST, "__Host-taskgate-si-"), Vec::<String>::new());
    let (token, attributes) = stage.browser.cookie(GREETER_HOST, SESSION).expect("a session").clone();
    assert!(attributes.contains("Max-Age=43200"), "{attributes}");
    let ring = stage.sidecar.running.app.control.ring();
    let session = session::open(&ring, token.as_bytes(), GREETER).expect("for this service");
    assert_eq!(session.identity.actor(), "alice");
    assert_eq!((session.identity.email(), session.identity.groups()), (Some("alice@example.test"), "ml"));
    let claims = session.claims;
    assert_eq!((claims.issued_at, claims.expires_at), (START, START.after(Duration::from_secs(43_200))));
    assert!(session::open(&ring, token.as_bytes(), "access").is_err(), "for no other service");
    // Other hosts have nothing of it.
    assert_eq!(stage.browser.cookie(ACCESS_HOST, SESSION), None);
    assert_eq!(stage.whoami(GREETER_HOST).await["actor"], "alice");
    assert_eq!(stage.whoami(ACCESS_HOST).await["signed_in"], false);
}

#[tokio::test]
async fn the_sidecars_own_host_is_signed_in_to_like_any_other() {
    let mut stage = Stage::start().await;
    let answer = stage.sign_in(ACCESS_HOST, "/x").await;
    assert_eq!(answer.location.as_deref(), Some("https://access.tasks.example.test/x"));
    assert_eq!(stage.whoami(ACCESS_HOST).await["actor"], "alice");
}

#[tokio::test]
async fn tabs_that_are_opened_at_once_all_sign_in() {
    let mut stage = Stage::start().await;
    let mut asked = Vec::new();
    for number in 0..5 {
        asked.push(stage.browser.get(&begin(GREETER_HOST, &format!("/{number}"))).await.sent_to());
    }
    for (number, asked) in asked.iter().enumerate().rev() {
        let back = stage.provider.sign_in(asked);
        let answer = stage.finish(back.as_str()).await;
        assert_eq!(answer.location, Some(format!("https://{GREETER_HOST}/{number}")));
    }
    assert_eq!(stage.browser.names(GREETER_HOST, "__Host-taskgate-si-").len(), 0);
}

#[tokio::test]
async fn at_most_five_attempts_are_kept_and_the_oldest_goes() {
    let mut stage = Stage::start().await;
    let mut asked = Vec::new();
    for number in 0..8 {
        asked.push(stage.browser.get(&begin(GREETER_HOST, &format!("/{number}"))).await.sent_to());
        stage.sidecar.clock.advance(Duration::from_secs(1));
        assert!(stage.browser.names(GREETER_HOST, "__Host-taskgate-si-").len() <= 5);
    }
    let back = stage.provider.sign_in(&asked[0]);
    assert_eq!(stage.finish(back.as_str()).await.code, "sign-in-not-begun-here");
    let back = stage.provider.sign_in(&asked[7]);
    assert_eq!(stage.finish(back.as_str()).await.location, Some(format!("https://{GREETER_HOST}/7")));
}

#[tokio::test]
async fn who_may_not_use_the_service_gets_no_session_and_may_be_somebody_else() {
    let mut stage = Stage::start().await;
    stage.provider.person(json!({"sub": "2", "preferred_username": "mallory"}));
    let answer = stage.sign_in(GREETER_HOST, "/a?b").await;
    // To a stranger it is not there.
    assert_eq!((answer.status, answer.code.as_str()), (404, "unknown-service"));
    assert!(answer.text.contains("href=\"/.taskgate/sign-in?to=/a%3Fb&#38;as=another\""), "{}", answer.text);
    assert!(answer.text.contains("<strong>mallory</strong>"));
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None);
    let url = format!("https://{GREETER_HOST}/.taskgate/sign-in?to=/a&as=another");
    let asked = stage.browser.get(&url).await.sent_to();
    assert!(asked.query_pairs().any(|(name, value)| name == "prompt" && value == "select_account"));
    stage.provider.person(json!({"sub": "1", "preferred_username": "bob", "groups": ["ml"]}));
    let back = stage.provider.sign_in(&asked);
    assert_eq!(stage.finish(back.as_str()).await.location, Some(format!("https://{GREETER_HOST}/a")));
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_for() {
    let mut stage = Stage::start().await;
    stage.provider.person(json!({"sub": "7"}));
    stage.provider.userinfo(json!({"sub": "8", "preferred_username": "alice"}));
    assert_eq!(stage.sign_in(GREETER_HOST, "/").await.code, "sign-in-rejected", "about somebody else");
    stage.provider.userinfo(json!({"sub": "7", "preferred_username": "alice"}));
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    assert_eq!(stage.whoami(GREETER_HOST).await["actor"], "alice");
}

#[tokio::test]
async fn too_many_groups_are_no_reason_to_be_left_out() {
    let mut stage = Stage::start().await;
    let groups: Vec<String> = (0..600).map(|number| format!("group-with-a-long-name-{number}")).collect();
    stage.provider.person(json!({"sub": "1", "preferred_username": "alice", "groups": groups}));
    stage.sign_in(GREETER_HOST, "/").await.sent_to();
    let kept = stage.whoami(GREETER_HOST).await["groups"].as_array().expect("groups").len();
    assert!((1..600).contains(&kept), "{kept}");
}
