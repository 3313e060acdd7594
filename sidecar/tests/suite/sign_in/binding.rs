//! A sign-in is completed in the browser where it began, once, for the host where it began, and leads nowhere else.

use std::time::Duration;

use crate::sign_in::stage::{ACCESS_HOST, GREETER_HOST, SESSION, Stage, begin};

#[tokio::test]
async fn another_browser_completes_nothing() {
    let mut stage = Stage::start().await;
    // An attacker begins, signs in as himself, and has somebody else follow the way back.
    let asked = stage.browser.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let back = stage.provider.sign_in(&asked);
    let mut victim = stage.another_browser();
    let passed = victim.get(back.as_str()).await;
    let answer = victim.get(passed.sent_to().as_str()).await;
    assert_eq!((answer.status, answer.code.as_str()), (400, "sign-in-not-begun-here"));
    assert_eq!(answer.location, None);
    assert_eq!(stage.provider.exchanges(), 0, "the code is not used up either");
    assert_eq!(victim.cookie(GREETER_HOST, SESSION), None);
    // With an attempt of their own the same.
    victim.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let passed = victim.get(back.as_str()).await;
    assert_eq!(victim.get(passed.sent_to().as_str()).await.code, "sign-in-not-begun-here");
    assert_eq!(victim.cookie(GREETER_HOST, SESSION), None);
}

#[tokio::test]
async fn an_attempts_cookie_is_good_for_its_own_ticket_alone() {
    let mut stage = Stage::start().await;
    let first = stage.browser.get(&begin(GREETER_HOST, "/1")).await.sent_to();
    let name = stage.browser.names(GREETER_HOST, "__Host-taskgate-si-").remove(0);
    let mut other = stage.another_browser();
    other.get(&begin(GREETER_HOST, "/2")).await.sent_to();
    let other_name = other.names(GREETER_HOST, "__Host-taskgate-si-").remove(0);
    // The value of another attempt under the name of this one.
    let value = other.cookies[&(GREETER_HOST.to_owned(), other_name)].clone();
    stage.browser.cookies.insert((GREETER_HOST.to_owned(), name), value);
    let back = stage.provider.sign_in(&first);
    assert_eq!(stage.finish(back.as_str()).await.code, "sign-in-not-begun-here");
}

#[tokio::test]
async fn a_code_is_used_once() {
    let mut stage = Stage::start().await;
    let asked = stage.browser.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let begun = stage.browser.clone();
    let back = stage.provider.sign_in(&asked);
    stage.finish(back.as_str()).await.sent_to();
    assert_eq!(stage.finish(back.as_str()).await.code, "sign-in-not-begun-here", "the attempt is over");
    // Even with the cookie that the browser had.
    stage.browser = begun;
    let answer = stage.finish(back.as_str()).await;
    assert_eq!((answer.status, answer.code.as_str()), (403, "sign-in-refused"));
    assert!(!answer.text.contains("alert(1)"), "nothing of what the provider writes is shown");
    assert_eq!(stage.browser.cookie(GREETER_HOST, SESSION), None);
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_no_good() {
    let mut stage = Stage::start().await;
    let mut other = stage.another_browser();
    let others = other.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let code =
        stage.provider.sign_in(&others).query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let asked = stage.browser.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let state = asked.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    // Somebody else's code with one's own ticket: what it was asked for with does not fit.
    let mut back = stage.provider.sign_in(&asked);
    back.query_pairs_mut().clear().append_pair("code", &code).append_pair("state", &state);
    assert_eq!(stage.finish(back.as_str()).await.code, "sign-in-refused");
}

#[tokio::test]
async fn a_ticket_leads_to_its_own_host_and_no_other() {
    let mut stage = Stage::start().await;
    let asked = stage.browser.get(&begin(ACCESS_HOST, "/")).await.sent_to();
    let back = stage.provider.sign_in(&asked);
    let query = back.query().expect("a query");
    let elsewhere = format!("https://{GREETER_HOST}/.taskgate/callback?{query}");
    assert_eq!(stage.browser.get(&elsewhere).await.code, "sign-in-not-begun-here");
    for state in ["", "x", "tg1.i.k1.AAAA"] {
        let url = format!("https://{ACCESS_HOST}/.taskgate/callback?code=c&state={state}");
        let answer = stage.browser.get(&url).await;
        assert_eq!((answer.status, answer.code.as_str(), answer.location), (400, "malformed-request", None));
    }
    // Whoever asks by another port is sent to the configured one.
    let url = format!("https://{GREETER_HOST}:4444/.taskgate/sign-in?to=/a");
    let asked = stage.browser.get(&url).await.sent_to();
    let passed = stage.browser.get(stage.provider.sign_in(&asked).as_str()).await.sent_to();
    assert_eq!((passed.host_str(), passed.port()), (Some(GREETER_HOST), None));
}

#[tokio::test]
async fn what_takes_too_long_is_over() {
    let mut stage = Stage::start().await;
    let asked = stage.browser.get(&begin(GREETER_HOST, "/")).await.sent_to();
    let back = stage.provider.sign_in(&asked);
    stage.sidecar.clock.advance(Duration::from_secs(601));
    let answer = stage.finish(back.as_str()).await;
    assert_eq!((answer.status, answer.code.as_str()), (400, "sign-in-expired"));
    assert_eq!(stage.provider.exchanges(), 0);
}

#[tokio::test]
async fn nobody_is_sent_away_after_signing_in() {
    let mut stage = Stage::start().await;
    let front = format!("https://{GREETER_HOST}/");
    for to in [
        "//evil.test/",
        "/\\evil.test/",
        "\\\\evil.test",
        "https://evil.test/",
        "javascript:alert(1)",
        "/a\r\nset-cookie: x=y",
        "/a%0d%0ab\r\n",
        "evil.test",
        "@evil.test/",
        ".evil.test/",
        "/.taskgate/sign-in?to=/",
    ] {
        let again = format!("{}&again=1", begin(GREETER_HOST, to));
        let asked = stage.browser.get(&again).await.sent_to();
        let back = stage.provider.sign_in(&asked);
        assert_eq!(stage.finish(back.as_str()).await.location.as_deref(), Some(front.as_str()), "{to:?}");
    }
    // An escaped line break is part of a path, and stays escaped.
    let asked = stage.browser.get(&format!("{}&again=1", begin(GREETER_HOST, "/a%0d%0ab"))).await.sent_to();
    let back = stage.provider.sign_in(&asked);
    assert_eq!(stage.finish(back.as_str()).await.location, Some(format!("https://{GREETER_HOST}/a%0d%0ab")));
}
