//! Browsers that would go round and round.

use std::time::Duration;

use crate::sign_in::stage::{GREETER_HOST, Stage, begin};

#[tokio::test]
async fn who_comes_back_a_fourth_time_within_a_minute_gets_a_page() {
    let mut stage = Stage::start().await;
    for _ in 0..3 {
        stage.sign_in(GREETER_HOST, "/a").await.sent_to();
    }
    let answer = stage.browser.get(&begin(GREETER_HOST, "/a")).await;
    assert_eq!((answer.status, answer.code.as_str()), (429, "sign-in-loop"));
    assert!(answer.text.contains("href=\"/.taskgate/sign-in?to=/a&#38;again=1\""), "{}", answer.text);
    // By the page's button, or later, it goes on.
    let mut other = stage.browser.clone();
    other.get(&format!("{}&again=1", begin(GREETER_HOST, "/a"))).await.sent_to();
    other.get(&begin(GREETER_HOST, "/a")).await.sent_to();
    stage.sidecar.clock.advance(Duration::from_secs(60));
    stage.browser.get(&begin(GREETER_HOST, "/a")).await.sent_to();
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so() {
    let mut stage = Stage::start().await;
    stage.browser.keeps_cookies = false;
    let answer = stage.sign_in(GREETER_HOST, "/a").await;
    assert_eq!((answer.status, answer.code.as_str(), answer.location), (400, "sign-in-not-begun-here", None));
    assert!(answer.text.contains("keeps no cookies"), "{}", answer.text);
}
