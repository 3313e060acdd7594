//! Signing in.

use serde_json::{Value, json};

use crate::support::Outcome;
use crate::support::service::host;

use super::site::{Site, until};

#[tokio::test]
async fn a_person_signs_in_once_and_is_back_at_the_deep_link() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    let deep = site.url("first", "/a/b%2Fc//d?x=1&y=%26");
    site.sign_in(&tab, &deep, "alice").await?;
    tab.arrives(&deep).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");

    // What the browser keeps of it.
    let cookies = tab.cookies(&deep).await?;
    let named = |name: &str| cookies.iter().find(|cookie| cookie["name"] == name).cloned().unwrap_or_default();
    let session = named("__Host-taskgate");
    let attributes = ["domain", "path", "secure", "httpOnly", "sameSite"].map(|name| session[name].clone());
    assert_eq!(attributes, [json!(host("first")), json!("/"), json!(true), json!(true), json!("Lax")], "{cookies:?}");
    assert!(!session["value"].to_string().contains("alice") && session["session"] == json!(false));
    for cookie in &cookies {
        let name = cookie["name"].as_str().unwrap_or_default();
        assert!(name.starts_with("__Host-") && !name.contains("-si-"), "{cookies:?}");
        assert_eq!(cookie["domain"], json!(host("first")));
    }
    assert_eq!(tab.evaluate("document.cookie").await?, json!(""), "no script sees any of them");
    // And what the job sees of them: nothing.
    tab.go(&site.url("first", "/headers")).await?;
    let seen = tab.text().await?;
    assert!(!seen.contains("taskgate=") && !seen.contains("__Host-"), "{seen}");
    assert!(seen.contains("alice@example.test"), "{seen}");

    // Another service asks nobody again who is known at the provider.
    assert_eq!((site.provider.forms(), site.provider.silent()), (1, 0));
    let other = site.url("second", "/x");
    tab.go(&other).await?;
    tab.arrives(&other).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");
    assert_eq!((site.provider.forms(), site.provider.silent()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_is_no_page_is_refused_and_sent_nowhere() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    // The one page of that host that needs no session.
    tab.bypass_policy().await?;
    tab.go(&site.url("first", "/.taskgate/")).await?;
    assert!(tab.text().await?.contains("You are not signed in"));
    let script = "fetch('/data', {redirect: 'manual'}).then(answer => \
                  [answer.status, answer.type, answer.headers.get('www-authenticate'), answer.headers.get('x-taskgate-denial')])";
    let answer = tab.evaluate(script).await?;
    assert_eq!(
        (&answer[0], &answer[1], &answer[3]),
        (&json!(401), &json!("basic"), &json!("credential-missing")),
        "{answer}"
    );
    assert!(answer[2].as_str().is_some_and(|challenge| challenge.starts_with("Bearer")), "{answer}");
    // A WebSocket is closed before it is open.
    let script = "new Promise(resolve => { const socket = new WebSocket('wss://' + location.host + '/ws'); \
                  socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused'); })";
    assert_eq!(tab.evaluate(script).await?, json!("refused"));
    assert_eq!((site.provider.forms(), site.provider.silent()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn who_may_not_use_it_is_told_so_and_can_be_somebody_else() -> Outcome {
    let site = Site::start().await?;
    let tab = site.browser.tab().await?;
    let deep = site.url("first", "/deep");
    site.sign_in(&tab, &deep, "mallory").await?;
    until(&tab, "document.querySelector('h1')?.innerText", json!("There is no such service")).await?;
    let code: Value = tab.evaluate("document.querySelector('code').innerText").await?;
    assert_eq!(code, json!("unknown-service"));
    // The provider knows mallory, and is told to ask all the same.
    tab.evaluate("document.querySelector('a.button').click()").await?;
    until(&tab, "document.querySelector('button[value=\"alice\"]') !== null", json!(true)).await?;
    tab.evaluate("document.querySelector('button[value=\"alice\"]').click()").await?;
    tab.arrives(&deep).await?;
    assert_eq!(tab.text().await?.trim(), "hello from W");
    Ok(())
}
