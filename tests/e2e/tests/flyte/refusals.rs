//! What is refused, and by whom: the sidecar is not troubled with what the filter can refuse.

use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt as _, Full};
use taskgate_test_kit::wait_for;

use super::site::{Catalog, Site, Store, host, path_of};
use crate::support::ask::Ask;
use crate::support::service::{ALICE, MALLORY};
use crate::support::{Outcome, PATIENCE};

/// Sends that content under a signed URL, with no credential.
fn put(path: &str, content: &'static [u8]) -> Ask {
    Ask::new(Method::PUT, &host(), path).body(Full::from(content).boxed())
}

#[tokio::test]
async fn who_may_not_learns_nothing_and_who_is_nobody_reaches_nothing() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    let path = site.file("a.txt", b"a")?;
    let stranger = site.user.ask(&site.settings(MALLORY)?, &["upload", &path]).await?;
    let text = stranger["text"].as_str().unwrap_or_default();
    assert!(text.contains("not found") && text.contains("flytesnacks"), "{stranger}");
    let before = site.forwarded().await?;
    assert!(before > 0, "the stranger was known");
    // The SDK asks for a credential anew once it is told that it has none that is good.
    let nobody = site.user.ask(&site.settings("no-token")?, &["upload", &path]).await?;
    assert!(nobody["text"].as_str().is_some_and(|text| text.contains("credential-rejected")), "{nobody}");
    let silent = site.send(Ask::post(&host(), "/v1/data/uploads", "{}")).await?;
    assert_eq!(silent.denial(), (401, "credential-missing"));
    assert_eq!(site.forwarded().await?, before);
    assert!(!site.sidecar.log().contains("taskgate::audit"), "nobody was let at anything");
    Ok(())
}

#[tokio::test]
async fn signed_urls_are_judged_before_the_sidecar_is_reached() -> Outcome {
    let mut site = Site::start(Store::Local, Catalog::File).await?;
    let place = site.place("a b.txt", "15m").await?;
    let good = path_of(&place["url"])?;
    let (late, other) =
        (path_of(&site.place("late.txt", "1s").await?["url"])?, path_of(&site.place("b", "15m").await?["url"])?);
    let query = |path: &str| path.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let mut forged = good.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let bare = good.replace(&query(&good), "");
    let bad = [
        ("another path", good.replace("a%20b", "a%20c")),
        ("another's signature", good.replace(&query(&good), &query(&other))),
        ("a signature that is changed", forged),
        ("no query", bare.trim_end_matches('?').to_owned()),
        ("more in the query", format!("{good}&x=1")),
    ];
    let expired =
        async || site.send(put(&late, b"x")).await.ok().filter(|answer| answer.denial() == (403, "url-expired"));
    let answer = wait_for(PATIENCE, "a URL to expire", expired).await?;
    // By these words the SDK knows what to tell people.
    assert!(answer.text().contains("request has expired"), "{}", answer.text());
    let before = site.forwarded().await?;
    for (what, path) in &bad {
        for token in [None, Some(ALICE)] {
            let ask = token.into_iter().fold(put(path, b"x"), Ask::token);
            assert_eq!(site.send(ask).await?.denial(), (403, "url-refused"), "{what}");
        }
    }
    for method in [Method::GET, Method::DELETE, Method::POST] {
        let answer = site.send(Ask::new(method.clone(), &host(), &good)).await?;
        assert_eq!(answer.denial(), (403, "url-refused"), "{method}");
    }
    assert_eq!(site.forwarded().await?, before, "nothing of this went on");
    assert_eq!(site.send(put(&good, b"hello")).await?.status, 201);
    assert_eq!(site.forwarded().await?, before + 1);
    assert_eq!(std::fs::read(site.object("uploads/flytesnacks/development/r/a b.txt"))?, b"hello");

    // All of that without the sidecar; what is good has nowhere to go then.
    site.sidecar.kill()?;
    for (what, path) in &bad {
        assert_eq!(site.send(put(path, b"x")).await?.denial(), (403, "url-refused"), "{what}");
    }
    assert_eq!(site.send(put(&late, b"x")).await?.denial(), (403, "url-expired"));
    let unreachable = tokio::time::timeout(Duration::from_secs(30), site.send(put(&good, b"x"))).await??;
    assert_eq!((unreachable.status, unreachable.header("x-taskgate-denial")), (503, ""));
    site.assert_logs_are_clean().await?;
    Ok(())
}
