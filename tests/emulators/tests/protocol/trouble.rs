//! Answers that go wrong on demand, and what is counted.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use reqwest::Method;
use serde_json::json;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Ytsaurus, codes};
use tokio::net::TcpStream;

use super::ask::{TOKEN, cluster, command, request, run, send};

fn exists(cluster: &Ytsaurus) -> reqwest::RequestBuilder {
    command(cluster, "exists", &json!({"path": "//sys"}))
}

#[tokio::test]
async fn refusals_have_the_status_and_the_error_that_are_asked_for() {
    let cluster = cluster().await;
    let error = ClusterError::new(codes::RATE_LIMIT, "slower").with("user", "robot");
    cluster.fail("exists", 1, Fault::Refuse { status: 429, error });
    cluster.fail_any(1, Fault::Unavailable { retry_after_secs: 7 });
    let refused = send(exists(&cluster)).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-yt-response-code")), (429, Some("904")));
    let unavailable = send(request(&cluster, Method::GET, "/auth/whoami")).await;
    assert_eq!((unavailable.status.as_u16(), unavailable.header("retry-after")), (503, Some("7")));
    assert_eq!(send(exists(&cluster)).await.status, 200);
}

#[tokio::test]
async fn connections_close_before_or_after_something_was_done() {
    let cluster = cluster().await;
    let create = |path: &str| command(&cluster, "create", &json!({"type": "map_node", "path": path})).send();
    cluster.fail("create", 1, Fault::Close);
    assert!(create("//tmp/a").await.is_err());
    assert_eq!(cluster.get("//tmp/a"), None);
    cluster.fail("create", 1, Fault::LoseAnswer);
    assert!(create("//tmp/b").await.is_err());
    assert!(cluster.get("//tmp/b").is_some());
}

#[tokio::test]
async fn answers_break_off() {
    let cluster = cluster().await;
    cluster.fail("exists", 1, Fault::Truncate);
    let broken = exists(&cluster).send().await.unwrap();
    assert_eq!(broken.status(), 200);
    assert!(broken.bytes().await.is_err());
}

#[tokio::test]
async fn answers_come_late_or_never() {
    let cluster = cluster().await;
    cluster.fail("exists", 1, Fault::Delay(Duration::from_millis(80)));
    let started = Instant::now();
    assert_eq!(send(exists(&cluster)).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(80));
    cluster.fail("exists", u64::MAX, Fault::Hang);
    assert!(exists(&cluster).timeout(Duration::from_millis(50)).send().await.unwrap_err().is_timeout());
    cluster.clear_faults();
    assert_eq!(send(exists(&cluster)).await.status, 200);
}

#[tokio::test]
async fn errors_come_in_trailers() {
    let cluster = cluster().await;
    cluster.fail("list", 1, Fault::Trailers(ClusterError::new(codes::TIMEOUT, "too late")));
    let stream = TcpStream::connect(cluster.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let serving = tokio::spawn(connection);
    let request = http::Request::get("/api/v4/list?path=//sys")
        .header("host", "cluster")
        .header("authorization", format!("OAuth {TOKEN}"))
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().get("x-yt-error").is_none());
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!(trailers["x-yt-response-code"], "3");
    assert!(trailers["x-yt-error"].to_str().unwrap().contains("too late"));
    assert!(!body.to_bytes().is_empty(), "half of the body came");
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cluster_can_be_away_for_a_while() {
    let cluster = cluster().await;
    let client = reqwest::Client::new();
    let ping = || client.get(format!("{}/ping", cluster.url())).send();
    assert_eq!(ping().await.unwrap().status(), 200);
    cluster.set_reachable(false);
    assert!(ping().await.is_err());
    cluster.set_reachable(true);
    assert_eq!(ping().await.unwrap().status(), 200);
}

#[tokio::test]
async fn calls_are_counted_and_so_are_those_at_once() {
    let cluster = cluster().await;
    cluster.fail("exists", 5, Fault::Delay(Duration::from_millis(500)));
    let all = futures_util::future::join_all((0..5).map(|_| send(exists(&cluster)))).await;
    assert!(all.iter().all(|reply| reply.status == 200));
    assert_eq!((cluster.count("exists"), cluster.peak_concurrency()), (5, 5));
    cluster.reset_calls();
    run(&cluster, "get", json!({"path": "//sys"})).await;
    assert_eq!((cluster.count("exists"), cluster.count("get"), cluster.peak_concurrency()), (0, 1, 1));
}

#[tokio::test]
async fn a_cluster_ends_with_the_last_that_holds_it() {
    let cluster = cluster().await;
    let (address, other) = (cluster.address(), cluster.clone());
    drop(cluster);
    assert!(TcpStream::connect(address).await.is_ok());
    drop(other);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn a_scenario_fills_a_cluster() {
    let cluster = cluster().await;
    let scenario = r#"{
        users = [{login = alice; token = alices; cookie = c; superuser = %true}];
        groups = {readers = [alice]};
        nodes = {"//sys/task_proxies" = {}; "//home/note" = "hello"};
        operations = [{
            user = alice; id = "1-2-3e8-4"; title = t; alias = "*a"; start_time = "2026-01-01T00:00:00Z";
            annotations = {task_proxy = {enabled = %true}};
            jobs = [{task = main; address = "n1:9012"; ports = [1; 2]; id = "1-2-384-4"}];
        }];
    }"#;
    cluster.play(scenario.as_bytes()).unwrap();
    cluster.play(br#"{"users": [{"login": "bob", "token": "bobs"}]}"#).unwrap();
    let listed = run(&cluster, "list_jobs", json!({"operation_alias": "*a"})).await.json();
    assert_eq!(listed["jobs"][0]["id"], "1-2-384-4");
    let whoami = send(request(&cluster, Method::GET, "/auth/whoami").bearer_auth("bobs")).await;
    assert_eq!(whoami.json()["login"], "bob");
    for bad in ["{oops=1}", "{users=[{}]}", "{operations=[{user=a;id=x}]}", "[", "{users=[{login=a;tokn=b}]}"] {
        assert!(cluster.play(bad.as_bytes()).is_err(), "{bad}");
    }
}
