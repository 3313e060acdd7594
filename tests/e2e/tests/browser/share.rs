//! Links that lead to the sidecar: opened with a button, once; and links for one person.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::Outcome;
use crate::support::ask::Ask;
use crate::support::service::id;

use super::site::{Site, until};

/// A link that an operator makes to a path of the first service.
async fn link(site: &Site, more: Value) -> anyhow::Result<String> {
    let mut wanted = json!({"service": id("first"), "lifetime_secs": 3600, "path": "/report"});
    for (name, value) in more.as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    let ask = Ask::post("taskgate", "/internal/shares", wanted.to_string()).header("content-type", "application/json");
    let answer = ask.send(site.sidecar.internal_address()).await?;
    ensure!(matches!(answer.status, 200 | 201), "no link: {}", answer.text());
    Ok(answer.json()?["link"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_link_that_is_counted_is_opened_with_a_button() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    let url = link(&site, json!({"uses": 1})).await?;
    tab.go(&url).await?;
    until(&tab, "document.querySelector('form button') !== null", json!(true)).await?;
    tab.evaluate("document.querySelector('form button').click()").await?;
    tab.arrives(&site.url("first", "/report")).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");
    assert_eq!((site.provider.forms(), site.provider.silent()), (0, 0), "nobody is asked who they are");
    // Again in the same browser it goes on at once; out of its paths nothing is for it.
    tab.go(&url).await?;
    tab.arrives(&site.url("first", "/report")).await?;
    let script = "fetch('/other', {redirect: 'manual'}).then(answer => answer.headers.get('x-taskgate-denial'))";
    assert_eq!(tab.evaluate(script).await?, json!("outside-share"));
    Ok(())
}

#[tokio::test]
async fn a_link_for_one_person_has_them_sign_in() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    // Mallory may not use the service but by this link.
    let url = link(&site, json!({"to": "mallory"})).await?;
    site.sign_in(&tab, &url, "mallory").await?;
    until(&tab, "document.querySelector('form button') !== null", json!(true)).await?;
    tab.evaluate("document.querySelector('form button').click()").await?;
    tab.arrives(&site.url("first", "/report")).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");
    Ok(())
}
