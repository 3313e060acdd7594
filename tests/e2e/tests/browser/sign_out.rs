//! Signing out in one tab ends what another has open.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Outcome;

use super::site::{Site, until};

/// How soon an open stream has to be over.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_sign_out_in_one_tab_ends_the_others_websocket() -> Outcome {
    let site = Site::start().await?;
    let (tab, other) = (site.browser.tab().await?, site.browser.tab().await?);
    let page = site.url("first", "/page");
    site.sign_in(&tab, &page, "alice").await?;
    tab.arrives(&page).await?;
    let open = "new Promise((resolve, reject) => { \
                window.socket = new WebSocket('wss://' + location.host + '/ws'); \
                window.ended = new Promise(resolve => socket.onclose = () => resolve('ended')); \
                socket.onerror = () => reject('refused'); \
                socket.onmessage = message => resolve(message.data); \
                socket.onopen = () => socket.send('hello'); })";
    assert_eq!(tab.evaluate(open).await?, json!("W: hello"));

    other.go(&site.url("first", "/.taskgate/sign-out")).await?;
    assert!(other.text().await?.contains("alice"));
    let began = Instant::now();
    other.evaluate("document.querySelector('form button').click()").await?;
    assert_eq!(tab.evaluate("window.ended").await?, json!("ended"));
    let took = began.elapsed();
    assert!(took < SOON, "the WebSocket ended after {took:?}");
    until(&other, "document.querySelector('h1')?.innerText", json!("You are signed out")).await?;

    // The tab that had it can do nothing either, and is sent nowhere by a script of its own.
    let script = "fetch('/data', {redirect: 'manual'}).then(answer => [answer.status, answer.type])";
    assert_eq!(tab.evaluate(script).await?, json!([401, "basic"]));
    let cookies = tab.cookies(&page).await?;
    assert!(cookies.iter().all(|cookie| cookie["name"] != "__Host-taskgate"), "{cookies:?}");
    // Who comes back is signed in again, and stays so.
    tab.go(&page).await?;
    tab.arrives(&page).await?;
    assert_eq!(tab.evaluate(open).await?, json!("W: hello"));
    Ok(())
}
