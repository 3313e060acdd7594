//! What is reached, and by whom.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use taskgate_emulators::determined::{Kind, Task};
use taskgate_test_kit::wait_until;

use super::site::{MASTER, Site, becomes, get, host};
use crate::support::ask::Ask;
use crate::support::gateway::Gateway;
use crate::support::ingress::{Socket, handshake_at};
use crate::support::wire::Wire;
use crate::support::{Outcome, PATIENCE, jobs, soon};

const NOTEBOOK: &str = "aaaaaaaa-0000-4000-8000-000000000001";

#[tokio::test]
async fn a_notebook_keeps_its_path_and_is_for_those_who_see_it() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    site.master.add_user("carol", "c");
    let carol = site.master.session("carol");
    let task = Task::new(NOTEBOOK, Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    site.master.set_task(task.shared_with("carol"));
    let gateway = site.gateway(|_| {}).await?;
    let path = format!("/proxy/{NOTEBOOK}/api/contents/a%2Fb%20c?x=%2e%2e/&y=1");
    let ask = |token: &str| get(&path).token(token);
    for token in [&site.alice, &carol] {
        let answer = gateway.ingress.send(ask(token)).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()?["target"], path.as_str(), "kept byte for byte");
    }
    let refused = gateway.ingress.send(ask(&site.bob)).await?;
    assert_eq!(refused.denial(), (404, "unknown-service"), "who does not see it is not told that it is there");
    assert_eq!(gateway.ingress.send(get(&path)).await?.denial(), (401, "credential-missing"));
    assert_eq!(gateway.ingress.send(ask("old")).await?.denial(), (401, "credential-rejected"));
    let unknown = gateway.ingress.send(get("/proxy/bbbbbbbb/").token(&site.alice)).await?;
    assert_eq!(unknown.denial(), (404, "unknown-service"));
    // People sign in at the master, and come back.
    let page = get(&path).header("accept", "text/html").header("sec-fetch-mode", "navigate");
    let page = gateway.ingress.send(page).await?;
    assert_eq!((page.status, page.denial().1), (303, "credential-missing"));
    let expected = format!("/det/login?redirect=/proxy/{NOTEBOOK}/api/contents/a%252Fb%2520c");
    assert!(page.header("location").starts_with(&expected), "{}", page.header("location"));
    // It is over when the task is.
    site.master.remove_task(NOTEBOOK);
    becomes(&gateway, || get(&path).token(&site.alice), 404).await
}

#[tokio::test]
async fn the_masters_own_paths_are_its_own() -> Outcome {
    let site = Site::new().await?;
    let gateway = site.gateway(|_| {}).await?;
    let form = json!({"username": "alice", "password": "wonder land", "isHashed": false});
    let answer = gateway.ingress.send(Ask::post(MASTER, "/api/v1/auth/login", form.to_string())).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("set-cookie").starts_with("auth="), "its login goes through");
    let token = answer.json()?["token"].as_str().unwrap_or_default().to_owned();
    let me = gateway.ingress.send(get("/api/v1/me").token(&token)).await?;
    assert_eq!((me.status, &me.json()?["user"]["username"]), (200, &json!("alice")));
    let nobody = gateway.ingress.send(get("/api/v1/me")).await?;
    assert_eq!(nobody.denial(), (401, ""), "the master's own refusal");
    for path in ["/det/login", "/det/login?redirect=/../proxy/a/./"] {
        assert_eq!(gateway.ingress.send(get(path)).await?.status, 200, "{path}");
    }
    // What another program could read as a path of a task reaches neither.
    for path in [
        "/%70roxy/a/",
        "/proxy%2Fa/",
        "/.%2e/proxy/a/",
        "/proxy;x/a/",
        "/./proxy/a/",
        "/x/../proxy/a/",
        "/x/%2e%2E/proxy/a/",
        "/x/y%2f..%2f..%2fproxy/a/",
        "/x/..",
    ] {
        let answer = gateway.ingress.send(get(path).token(&site.alice)).await?;
        assert_eq!(answer.status, 400, "{path}");
    }
    let mut wire = Wire::connect(gateway.ingress.address).await?;
    wire.write(format!("GET //proxy/a/ HTTP/1.1\r\nhost: {MASTER}\r\n\r\n")).await?;
    assert!(wire.read_until(b"\r\n").await?.starts_with(b"HTTP/1.1 400 "));
    for path in ["/proxy/a/../b/", "/proxy/a%3a80/", "/proxy/a;x/", "/proxy/a"] {
        let answer = gateway.ingress.send(get(path).token(&site.alice)).await?;
        assert_eq!(answer.denial(), (400, "malformed-address"), "{path}");
    }
    assert!(site.master.seen("/proxy/").is_empty() && site.master.seen("//").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_service_stays_below_its_path_whatever_its_host_is() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let task = |id: &str| Task::new(id, Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    site.master.set_task(task(NOTEBOOK));
    site.master.set_task(task("b"));
    let gateway = site.gateway(|_| {}).await?;
    let host = host(NOTEBOOK, "2900");
    let ask = |path: &str| Ask::get(&host, path).token(&site.alice);
    assert_eq!(gateway.ingress.send(ask(&format!("/proxy/{NOTEBOOK}/lab"))).await?.status, 200);
    // The master would take each of these for something else.
    for path in ["/", "/api/v1/me", "/proxy/b/", &format!("/proxy/{NOTEBOOK}/../b/"), &format!("/proxy/{NOTEBOOK}")] {
        assert_eq!(gateway.ingress.send(ask(path)).await?.denial(), (400, "malformed-address"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn websockets_and_uploads_go_through_the_master() -> Outcome {
    let site = Site::new().await?;
    let (socket, files) = (jobs::websocket("W").await?, jobs::http("A").await?);
    let task = Task::new("7.a1", Kind::Experiment, "alice").port(8_265, socket.address()).port(8_000, files.address());
    site.master.set_task(task);
    let gateway = site.gateway(|_| {}).await?;
    let mut request = handshake_at(MASTER, Some(&site.alice))?;
    *request.uri_mut() = format!("ws://{MASTER}/proxy/7.a1:8265/ws").parse()?;
    let mut socket = soon("a WebSocket", gateway.ingress.websocket_with(request)).await??;
    assert_eq!(socket.say("hello").await?, "W: hello");
    let upload = Ask::post(MASTER, "/proxy/7.a1:8000/up", vec![b'x'; 300_000]).method(Method::PUT).token(&site.alice);
    let answer = gateway.ingress.send(upload).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn a_master_in_trouble_refuses_nobody_for_good() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    site.master.set_task(Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default());
    let gateway = site.gateway(|_| {}).await?;
    let ask = || get("/proxy/a/").token(&site.alice);
    for path in ["/api/v1/me", "/api/v1/tasks/"] {
        site.master.break_paths(path, Some(StatusCode::BAD_GATEWAY));
        // Of whose session nothing is known yet.
        let token = site.master.session("alice");
        let answer = gateway.ingress.send(get("/proxy/a/").token(&token)).await?;
        assert_eq!(answer.denial(), (503, "verdict-unavailable"), "{path}");
        site.master.break_paths(path, None);
        becomes(&gateway, || get("/proxy/a/").token(&token), 200).await?;
    }
    // Lists and sessions that fail take nothing away.
    site.master.break_paths("/api/v1/notebooks", Some(StatusCode::INTERNAL_SERVER_ERROR));
    site.master.break_list("tasks");
    site.master.end_sessions("taskgate");
    let asked = site.master.seen("/api/v1/tasks").len();
    let asked_again = async || {
        site.master.seen("/api/v1/auth/login").len() > 1 && site.master.seen("/api/v1/tasks").len() > asked + 2
    };
    wait_until(PATIENCE, "the master is asked again", asked_again).await?;
    assert_eq!(gateway.ingress.send(ask()).await?.status, 200);
    Ok(())
}

/// A gateway that looks at what is open every second.
async fn watchful(site: &Site) -> anyhow::Result<Gateway> {
    let more = |config: &mut Value| {
        config["sessions"] = json!({"recheck_secs": 1});
        config["verdicts"]["allow_lifetime_secs"] = json!(1);
    };
    site.gateway_with(|_| {}, more).await
}

/// A WebSocket to the task `a`.
async fn open(gateway: &Gateway, token: &str) -> anyhow::Result<Socket> {
    let mut request = handshake_at(MASTER, Some(token))?;
    *request.uri_mut() = format!("ws://{MASTER}/proxy/a/ws").parse()?;
    Ok(soon("a WebSocket", gateway.ingress.websocket_with(request)).await??)
}

/// Waits until the master was asked about the task `a` that many times more.
async fn asked_again(site: &Site, times: usize) -> anyhow::Result<()> {
    let asked = || site.master.seen("/api/v1/tasks/a").len();
    let before = asked();
    wait_until(PATIENCE, "the master is asked again", async || asked() >= before + times).await
}

#[tokio::test]
async fn what_is_open_ends_when_its_visitor_sees_the_task_no_more() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::websocket("W").await?;
    let task = Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    site.master.set_task(task.clone().shared_with("bob"));
    let gateway = watchful(&site).await?;
    let (mut alices, mut bobs) = (open(&gateway, &site.alice).await?, open(&gateway, &site.bob).await?);
    // They are asked about again, without a credential, and stay.
    asked_again(&site, 2).await?;
    assert_eq!((alices.say("1").await?, bobs.say("1").await?), ("W: 1".into(), "W: 1".into()));
    // Another of his, which is asked about at another time: the no to one is a no to both.
    let mut others = open(&gateway, &site.bob).await?;
    assert_eq!(others.say("1").await?, "W: 1");
    site.master.set_task(task);
    wait_until(PATIENCE, "bob's ends", async || bobs.say("2").await.is_err()).await?;
    wait_until(PATIENCE, "bob's other ends", async || others.say("2").await.is_err()).await?;
    assert_eq!(alices.say("3").await?, "W: 3");
    Ok(())
}

#[tokio::test]
async fn what_is_open_ends_when_its_visitors_request_is_refused() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::websocket("W").await?;
    let task = Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default();
    site.master.set_task(task.clone().shared_with("bob"));
    let gateway = watchful(&site).await?;
    let mut bobs = open(&gateway, &site.bob).await?;
    assert_eq!(bobs.say("1").await?, "W: 1");
    site.master.set_task(task);
    becomes(&gateway, || get("/proxy/a/").token(&site.bob), 404).await?;
    wait_until(PATIENCE, "bob's ends", async || bobs.say("2").await.is_err()).await
}

#[tokio::test]
async fn what_is_open_outlives_another_session_of_its_visitors() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::websocket("W").await?;
    site.master.set_task(Task::new("a", Kind::Notebook, "alice").port(2_900, job.address()).by_default());
    let gateway = watchful(&site).await?;
    let mut terminals = open(&gateway, &site.alice).await?;
    // A page in a browser, which is signed out of then.
    let browser = site.master.session("alice");
    let mut browsers = open(&gateway, &browser).await?;
    assert_eq!((terminals.say("1").await?, browsers.say("1").await?), ("W: 1".into(), "W: 1".into()));
    site.master.end_session(&browser);
    becomes(&gateway, || get("/proxy/a/").token(&browser), 401).await?;
    asked_again(&site, 2).await?;
    assert_eq!(terminals.say("2").await?, "W: 2");
    site.master.end_session(&site.alice);
    wait_until(PATIENCE, "the last of hers ends", async || terminals.say("3").await.is_err()).await
}
