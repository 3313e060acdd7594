//! Which credentials count, and what reaches whom of them.

use taskgate_emulators::determined::{Kind, Task};

use super::site::{Site, get};
use crate::support::ask::Ask;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn cookies_of_the_master_count_and_the_one_that_was_used_goes_on() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    site.master.set_task(Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default());
    let gateway = site.gateway(|_| {}).await?;
    let (alice, bob) = (&site.alice, &site.bob);
    let ask = |cookie: String| get("/proxy/a/").header("cookie", cookie);
    assert_eq!(gateway.ingress.send(ask(format!("auth={alice}; own=1"))).await?.status, 200);
    let call = site.master.seen("/proxy/a/").pop();
    let cookie = call.and_then(|call| call.headers.get("cookie").cloned());
    assert_eq!(cookie.as_ref().and_then(|cookie| cookie.to_str().ok()), Some(format!("auth={alice}; own=1").as_str()));
    // As at the master: a session of a provider of identities first, and a header before both.
    assert_eq!(gateway.ingress.send(ask(format!("auth={bob}; det_jwt={alice}"))).await?.status, 200);
    assert_eq!(gateway.ingress.send(ask(format!("auth={alice}; det_jwt={bob}"))).await?.status, 404);
    assert_eq!(gateway.ingress.send(ask(format!("auth={bob}")).token(alice)).await?.status, 200);
    // A page of another origin has the visitor's cookies and not the visitor's word.
    let foreign = Ask::post(super::site::MASTER, "/proxy/a/", "").header("cookie", format!("auth={alice}"));
    let foreign = gateway.ingress.send(foreign.header("origin", "https://evil.example.test")).await?;
    assert_eq!(foreign.denial(), (403, "cross-origin"));
    Ok(())
}

#[tokio::test]
async fn a_token_of_one_task_is_for_that_task() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let task = |id: &str| Task::new(id, Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    let (one, other) = (task("a"), task("b"));
    let (token, others) = (one.token.clone(), other.token.clone());
    site.master.set_task(one);
    site.master.set_task(other);
    let gateway = site.gateway(|_| {}).await?;
    let status = async |ask: Ask| gateway.ingress.send(ask).await.map(|answer| answer.status);
    assert_eq!(status(get(&format!("/proxy/a/?token={token}"))).await?, 200);
    assert_eq!(status(get("/proxy/a/").header("authorization", format!("token {token}"))).await?, 200);
    assert_eq!(status(get(&format!("/proxy/b/?token={token}"))).await?, 401);
    assert_eq!(status(get("/proxy/b/").header("authorization", format!("token {token}"))).await?, 401);
    assert_eq!(status(get("/proxy/a/?token=made-up")).await?, 401);
    // It comes before who asks, as at the master.
    assert_eq!(status(get(&format!("/proxy/a/?token={others}")).token(&site.alice)).await?, 401);
    assert_eq!(status(get(&format!("/proxy/a/?token={token}")).token(&site.bob)).await?, 200);
    Ok(())
}

#[tokio::test]
async fn what_determined_opens_to_everybody_is_open_where_the_operator_says_so() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    site.master.set_task(Task::new("a", Kind::Command, "alice").port(8_000, job.address()).unauthenticated());
    let closed = site.gateway(|_| {}).await?;
    let ask = || get("/proxy/a:8000/");
    assert_eq!(closed.ingress.send(ask()).await?.denial(), (401, "credential-missing"));
    assert_eq!(closed.ingress.send(ask().token(&site.alice)).await?.status, 200);
    assert_eq!(closed.ingress.send(ask().token(&site.bob)).await?.status, 404);
    // The master lets any token through there, which says nothing.
    assert_eq!(closed.ingress.send(get("/proxy/a:8000/?token=made-up")).await?.status, 403);
    let open = site.gateway(|provider| provider["unauthenticated"] = true.into()).await?;
    assert_eq!(open.ingress.send(ask()).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn whoever_is_no_user_any_more_is_out() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    site.master.set_task(Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default());
    let gateway = site.gateway(|_| {}).await?;
    site.master.set_active("alice", false);
    let answer = gateway.ingress.send(get("/proxy/a/").token(&site.alice)).await?;
    assert_eq!(answer.denial(), (401, "credential-rejected"));
    Ok(())
}
