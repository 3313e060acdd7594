//! A name that gets another owner: the browser's things of the old one are gone, once, and nothing goes round.

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::wait_for;

use crate::support::service::BASE_DOMAIN;
use crate::support::{Outcome, PATIENCE};

use super::site::Site;

#[tokio::test]
async fn nothing_of_the_old_owners_is_left_in_the_browser() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    let page = site.url_at(&format!("shop-open-ui.{BASE_DOMAIN}"), "/a/b?c");
    tab.go(&page).await?;
    tab.arrives(&page).await?;
    tab.evaluate("document.cookie = 'stale=1; path=/'; document.cookie = 'deep=1; path=/a'; localStorage.x = 'old'; 1")
        .await?;
    let things = "[document.cookie.includes('stale'), document.cookie.includes('deep'), localStorage.x ?? null]";
    assert_eq!(tab.evaluate(things).await?, json!([true, true, "old"]));
    tab.go(&page).await?;
    assert_eq!(tab.evaluate(things).await?, json!([true, true, "old"]), "it is the same owner's still");

    let cookies = tab.cookies(&page).await?;
    assert!(cookies.iter().any(|cookie| cookie["name"] == "__Host-taskgate-origin"), "{cookies:?}");

    let file = site.sidecar.home().directory().join("services.yaml");
    let mut services: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    for service in services["services"].as_array_mut().into_iter().flatten() {
        service["owner"] = json!("bob");
    }
    site.sidecar.home().write("services.yaml", &services.to_string())?;
    let mut left = Value::Null;
    let cleared = wait_for(PATIENCE, "the browser's things to be gone", async || {
        tab.go(&page).await.ok()?;
        left = tab.evaluate(things).await.ok()?;
        (left == json!([false, false, null])).then_some(())
    });
    cleared.await.with_context(|| format!("left: {left}"))?;
    tab.arrives(&page).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");
    // The new owner's stay.
    tab.evaluate("document.cookie = 'fresh=1; path=/'; localStorage.x = 'new'; 1").await?;
    tab.go(&page).await?;
    assert_eq!(tab.evaluate("[document.cookie, localStorage.x]").await?, json!(["fresh=1", "new"]));
    Ok(())
}
