//! Links that are counted, or for one person.

use serde_json::{Value, json};

use super::support::{Browser, Worker, ask, id, share, start};
use crate::kit::Sidecar;

async fn counted(sidecar: &Sidecar, uses: u64) -> (String, String) {
    let service = id(sidecar, "op1");
    share(
        sidecar,
        "alice",
        json!({"service": service, "lifetime_secs": 3600, "path": "/a b".replace(' ', "-"), "uses": uses}),
    )
    .await
}

async fn for_bob(sidecar: &Sidecar) -> String {
    let service = id(sidecar, "op1");
    share(sidecar, "alice", json!({"service": service, "lifetime_secs": 60, "to": "mallory"})).await.0
}

async fn listed(sidecar: &Sidecar) -> Value {
    let (_, list) = ask(sidecar, "alice", "GET", "/v1/shares", Value::Null).await;
    list["shares"][0].clone()
}

#[tokio::test]
async fn one_use_is_one_browser() {
    let sidecar = start("").await;
    let (link, share) = counted(&sidecar, 2).await;
    assert!(link.contains(&format!(".tasks.example.test/.taskgate/share?code={share}.")), "{link}");
    let browser = Browser::new(&sidecar);
    for method in ["GET", "HEAD", "GET"] {
        let page = browser.send(method, &link, &[("accept", "text/html")]).await;
        assert_eq!((page.status, page.cookie()), (200, None), "what only looks uses nothing up");
    }
    assert_eq!(listed(&sidecar).await["used"], 0);

    let first = browser.send("POST", &link, &[]).await;
    assert_eq!((first.status, first.location()), (303, "/a-b"));
    let line = first.headers["set-cookie"].to_str().expect("text").to_owned();
    assert!(line.starts_with("__Host-taskgate=tg1.s.k1."), "{line}");
    assert!(line.ends_with("; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax"), "{line}");
    let cookie = first.cookie().expect("a session");
    for _ in 0..3 {
        let again = browser.send("GET", &link, &[("cookie", &cookie)]).await;
        assert_eq!((again.status, again.location(), again.cookie()), (303, "/a-b", None), "the same browser");
    }
    assert_eq!(browser.send("POST", &link, &[]).await.status, 303, "another one");
    let third = browser.send("POST", &link, &[]).await;
    assert_eq!((third.status, third.code().as_str()), (410, "share-used-up"));
    let share = listed(&sidecar).await;
    assert_eq!((&share["used"], &share["uses_left"], &share["state"]), (&json!(2), &json!(0), &json!("used-up")));

    // Who is in stays in, for the paths of the link.
    let mut worker = Worker::new(&sidecar).await;
    let host = link.split("/.taskgate").next().expect("a host");
    assert_eq!(
        worker.seen(&format!("{host}/a-b/c"), &[("cookie", &cookie)]).await,
        format!("share:{}", share["id"].as_str().expect("text"))
    );
    assert_eq!(worker.seen(&format!("{host}/"), &[("cookie", &cookie)]).await, "outside-share");
    // What is in the link is no credential elsewhere.
    let code = link.split("?code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    assert_eq!(worker.seen(&format!("{host}/a-b?taskgate_share={code}"), &[]).await, "share-ended");
}

#[tokio::test]
async fn uses_are_counted_once_however_many_come_at_once() {
    let sidecar = start("").await;
    let (link, _) = counted(&sidecar, 3).await;
    let browser = Browser::new(&sidecar);
    let came = futures_util::future::join_all((0..12).map(|_| browser.send("POST", &link, &[]))).await;
    assert_eq!(came.iter().filter(|got| got.status == 303).count(), 3);
    assert_eq!(came.iter().filter(|got| got.code() == "share-used-up").count(), 9);
}

#[tokio::test]
async fn a_link_for_one_person_is_for_nobody_else() {
    let sidecar = start("").await;
    let (link, browser) = (for_bob(&sidecar).await, Browser::new(&sidecar));
    for (token, status, code) in [
        (None, 401, "credential-missing"),
        (Some("Bearer token-of-nobody"), 401, "credential-missing"),
        (Some("Bearer token-of-bob"), 403, "share-for-somebody-else"),
        (Some("Bearer token-of-alice"), 403, "share-for-somebody-else"),
    ] {
        let headers: Vec<(&str, &str)> = token.iter().map(|token| ("authorization", *token)).collect();
        let got = browser.send("POST", &link, &headers).await;
        assert_eq!((got.status, got.code().as_str(), got.cookie()), (status, code, None), "{token:?}");
    }
    let got = browser.send("POST", &link, &[("authorization", "Bearer token-of-mallory")]).await;
    assert_eq!(got.status, 303);
    let cookie = got.cookie().expect("a session");
    let mut worker = Worker::new(&sidecar).await;
    let host = link.split("/.taskgate").next().expect("a host");
    assert_eq!(worker.seen(&format!("{host}/x"), &[("cookie", &cookie)]).await, "mallory", "the job hears who it is");
    assert_eq!(
        worker.seen(&format!("{host}/x"), &[("authorization", "Bearer token-of-mallory")]).await,
        "unknown-service"
    );
}

#[tokio::test]
async fn what_is_no_link_of_this_service_is_over() {
    let sidecar = start("").await;
    let (link, share) = counted(&sidecar, 9).await;
    let browser = Browser::new(&sidecar);
    let elsewhere = link.replace(&id(&sidecar, "op1"), &id(&sidecar, "op2"));
    let (head, tail) = link.split_at(link.find("&to=").expect("a query"));
    let last = head.chars().last().expect("a character");
    let changed = format!("{}{}{tail}", &head[..head.len() - 1], if last == 'A' { 'B' } else { 'A' });
    let without = format!("{}{tail}", &head[..head.rfind('.').expect("a code")]);
    for other in [&elsewhere, &changed, &without] {
        for method in ["GET", "POST"] {
            let got = browser.send(method, other, &[]).await;
            assert_eq!((got.status, got.code().as_str()), (410, "share-ended"), "{method} {other}");
        }
    }
    let page = browser.send("GET", &changed, &[("accept", "text/html")]).await;
    assert!(
        page.text.contains("This link does not work any more") && page.text.contains("share-ended"),
        "{}",
        page.text
    );
    ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    assert_eq!(browser.send("POST", &link, &[]).await.code(), "share-ended");
    assert_eq!(listed(&sidecar).await["used"], 0);
}

#[tokio::test]
async fn a_link_leads_to_its_own_paths_and_no_page_of_others_opens_it() {
    let sidecar = start("").await;
    let (link, _) = counted(&sidecar, 9).await;
    let browser = Browser::new(&sidecar);
    let to = |path: &str| format!("{}&to={path}", link.split('&').next().expect("a link"));
    for (path, expected) in [
        ("/a-b/c%3Fd=e", "/a-b/c?d=e"),
        ("/other", "/a-b"),
        ("//evil.test", "/a-b"),
        ("https://evil.test/", "/a-b"),
        ("/a-b/..%2Fx", "/a-b"),
        ("%2Fa-b%0d%0aset-cookie:x=y", "/a-b"),
    ] {
        let got = browser.send("POST", &to(path), &[]).await;
        assert_eq!((got.status, got.location()), (303, expected), "{path}");
    }
    let used = listed(&sidecar).await["used"].clone();
    let got = browser.send("POST", &link, &[("origin", "https://evil.test")]).await;
    assert_eq!((got.status, got.code().as_str()), (403, "origin-not-allowed"));
    let own = link.split("/.taskgate").next().expect("a host");
    assert_eq!(listed(&sidecar).await["used"], used);
    assert_eq!(browser.send("POST", &link, &[("origin", own)]).await.status, 303);
}
