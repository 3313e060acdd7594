//! One call of the cluster's HTTP API, and what may come of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use serde_json::{Value, json};
use taskgate::ytsaurus::client::error::{CallError, code};
use taskgate::ytsaurus::client::settings::ClusterSettings;
use taskgate::ytsaurus::commands::cypress::{Exists, Get, List};
use taskgate::ytsaurus::commands::tables::Lines;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Ytsaurus};
use tokio::time::Instant;

use crate::kit::serve;
use crate::ytsaurus::support::{TOKEN, client, client_with, cluster, settings, within};

fn list() -> List {
    List { path: "//home".into(), limit: 10 }
}

/// A cluster with two names in `//home`.
async fn with_names() -> Ytsaurus {
    let cluster = cluster().await;
    for name in ["a", "b"] {
        cluster.set(&format!("//home/{name}"), 1_i64.into()).expect("is set");
    }
    cluster
}

/// What a listing gives when one call went wrong like this, and how many calls it took.
async fn after(fault: Fault) -> (Result<Vec<String>, CallError>, u64) {
    let cluster = with_names().await;
    cluster.fail("list", 1, fault);
    let mut settings = settings(&cluster.url(), "").cluster;
    settings.reach.timeout = Duration::from_secs(3);
    let names = client_with(settings).read(&list(), within(20_000)).await;
    (names.map(|answer| answer.value), cluster.count("list"))
}

fn refuse(status: u16, error: ClusterError) -> Fault {
    Fault::Refuse { status, error }
}

fn nested(code: i64) -> ClusterError {
    ClusterError::generic("outer").because(ClusterError::generic("middle").because(ClusterError::new(code, "inner")))
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    for fault in [
        Fault::Unavailable { retry_after_secs: 0 },
        refuse(400, nested(code::QUEUE_SIZE_LIMIT)),
        refuse(400, nested(code::REQUEST_RATE_LIMIT)),
        refuse(429, ClusterError::generic("slow down")),
        refuse(500, ClusterError::generic("a proxy broke")),
        Fault::Close,
        Fault::LoseAnswer,
        Fault::Truncate,
        Fault::Trailers(nested(code::UNAVAILABLE)),
        Fault::Hang,
    ] {
        let (names, calls) = after(fault.clone()).await;
        assert_eq!(names.expect("an answer"), ["a", "b"], "{fault:?}");
        assert_eq!(calls, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_asked_once() {
    let denied = || nested(code::AUTHORIZATION);
    for (fault, code) in [
        (refuse(400, denied()), code::AUTHORIZATION),
        // Whatever it comes with.
        (refuse(400, ClusterError::new(code::UNAVAILABLE, "a master").because(denied())), code::AUTHORIZATION),
        (refuse(400, ClusterError::new(code::RESOLVE, "no such node")), code::RESOLVE),
        (refuse(400, nested(code::NO_SUCH_OPERATION)), code::NO_SUCH_OPERATION),
        (refuse(403, ClusterError::new(903, "banned")), 903),
        (Fault::Trailers(nested(code::RESOLVE)), code::RESOLVE),
    ] {
        let (names, calls) = after(fault.clone()).await;
        let error = names.expect_err("no answer");
        assert!(error.has(code), "{fault:?}: {error}");
        assert_eq!(calls, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_says_when_is_asked_then() {
    let cluster = with_names().await;
    let mut patient = settings(&cluster.url(), "").cluster;
    patient.reach.timeout = Duration::from_secs(2);
    let patient = client_with(patient);
    cluster.fail("list", 1, Fault::Unavailable { retry_after_secs: 1 });
    let started = Instant::now();
    patient.read(&list(), within(5_000)).await.expect("an answer");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    // Later than anyone waits, or than there is time: then it is not worth waiting at all.
    for retry_after_secs in [60, u64::MAX] {
        cluster.fail("list", 1, Fault::Unavailable { retry_after_secs });
        let started = Instant::now();
        let error = patient.read(&list(), within(5_000)).await.expect_err("no answer");
        assert!(matches!(error, CallError::Unavailable { status: 503, .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    assert_eq!(cluster.count("list"), 4);
}

#[tokio::test]
async fn a_cluster_that_hangs_costs_no_more_than_the_deadline() {
    let cluster = with_names().await;
    cluster.fail_any(u64::MAX, Fault::Hang);
    let mut started = Instant::now();
    // Two attempts of a second each, however patient the caller is, or what is left of them.
    for (patience, least, most) in [(60_000, 1_000, 4_000), (300, 250, 2_000)] {
        let error = client(&cluster.url()).read(&list(), within(patience)).await.expect_err("no answer");
        assert!(error.is_passing(), "{error}");
        let took = started.elapsed().as_millis();
        assert!((least..most).contains(&took), "{took} ms");
        started = Instant::now();
    }
    assert!((2..=3).contains(&cluster.count("list")), "{}", cluster.count("list"));
    // Nobody is there at all.
    cluster.set_reachable(false);
    let error = client(&cluster.url()).read(&list(), within(300)).await.expect_err("no answer");
    assert!(matches!(error, CallError::Exchange(_)), "{error:?}");
}

#[tokio::test]
async fn a_change_that_is_asked_for_twice_is_made_once() {
    let cluster = cluster().await;
    let client = client(&cluster.url());
    cluster.fail("start_transaction", 2, Fault::LoseAnswer);
    let ttl = Duration::from_secs(30);
    let transaction = client.start_transaction("test", ttl, None, within(5_000)).await.expect("starts");
    let running: Vec<String> = cluster.transactions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [transaction.id]);
    let seen = cluster.seen("start_transaction");
    let said = |name: &str| -> Vec<Yson> {
        seen.iter().map(|call| call.parameters.find(name).cloned().unwrap_or_default()).collect()
    };
    assert_eq!(said("retry"), [false, true, true].map(Yson::from));
    let ids = said("mutation_id");
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]) && !ids[0].is_entity(), "{ids:?}");
    // The next one is another.
    client.start_transaction("test", ttl, None, within(5_000)).await.expect("starts");
    assert_eq!(cluster.transactions().len(), 2);
}

#[tokio::test]
async fn long_parameters_travel_in_the_body() {
    let cluster = cluster().await;
    let name = "n".repeat(5_000);
    cluster.set(&format!("//home/{name}"), 7_i64.into()).expect("is set");
    let client = client(&cluster.url());
    let get = Get { path: format!("//home/{name}") };
    assert_eq!(client.read(&get, within(5_000)).await.expect("an answer").value, json!(7));
    let seen = cluster.seen("get");
    let call = seen.first().expect("a call");
    assert!(call.method == "POST" && !call.headers.contains_key("x-yt-parameters"), "{call:?}");
    let headers: usize = call.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(headers < 4_000, "{headers} bytes of headers");
}

#[tokio::test]
async fn text_of_any_language_comes_back_as_it_went() {
    let cluster = cluster().await;
    let client = client(&cluster.url());
    let path = "//home/ключ é/таблица 🦀";
    client.create("table", path, json!({}), None, within(5_000)).await.expect("is created");
    assert!(client.read(&Exists { path: path.into() }, within(5_000)).await.expect("an answer").value);
    let names = client.read(&List { path: "//home/ключ é".into(), limit: 10 }, within(5_000)).await.expect("an answer");
    let names: Vec<_> = names.value.iter().filter_map(|name| taskgate::ytsaurus::text::decode(name)).collect();
    assert_eq!(names, ["таблица 🦀"]);
    let transaction =
        client.start_transaction("ключ", Duration::from_secs(30), None, within(5_000)).await.expect("starts");
    let rows = [json!({"domain": "é", "task": "задача 🦀\n\"\\"}), json!({"domain": "", "task": null})];
    client.write_table(path, &Lines::of(&rows), &transaction, within(5_000)).await.expect("is written");
    client.commit_transaction(&transaction, None, within(5_000)).await.expect("is committed");
    let read: Vec<Value> = client.read_table(path, within(5_000)).await.expect("rows").values().collect();
    assert_eq!(read, rows);
    // As everybody else sees them: bytes of UTF-8.
    let stored = cluster.rows(path).expect("a table");
    assert_eq!(stored[0].field("task").and_then(Yson::as_str), Some("задача 🦀\n\"\\"));
    // What goes wrong there is said in the same words.
    let error = client.read(&Get { path: "//home/нет".into() }, within(5_000)).await.expect_err("no such node");
    assert!(error.to_string().contains("//home/нет"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_only_controls_sends_rows_to_another() {
    let cluster = cluster().await;
    let client = client(&cluster.url());
    let path = "//home/table";
    client.create("table", path, json!({}), None, within(5_000)).await.expect("is created");
    let transaction =
        client.start_transaction("test", Duration::from_secs(30), None, within(5_000)).await.expect("starts");
    let control = "Control proxy may not serve heavy requests with input data";
    cluster.fail("write_table", 1, refuse(503, ClusterError::generic(control)));
    let rows = [json!({"a": 1})];
    client.write_table(path, &Lines::of(&rows), &transaction, within(5_000)).await.expect("is written");
    client.commit_transaction(&transaction, None, within(5_000)).await.expect("is committed");
    cluster.fail("read_table", 1, refuse(307, ClusterError::generic("over there")));
    let read: Vec<Value> = client.read_table(path, within(5_000)).await.expect("rows").values().collect();
    assert_eq!(read, rows);
    assert_eq!((cluster.count("write_table"), cluster.count("read_table"), cluster.count("hosts")), (2, 2, 2));
}

#[tokio::test]
async fn nobody_else_gets_the_token() {
    let stolen = Arc::new(AtomicU32::new(0));
    let thief = {
        let stolen = Arc::clone(&stolen);
        serve(Router::new().fallback(any(move |headers: HeaderMap| async move {
            stolen.fetch_add(1, Ordering::Relaxed);
            format!("{headers:?}")
        })))
        .await
    };
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).expect("a status");
        let location = format!("{thief}/api/v4/list");
        let proxy = serve(Router::new().fallback(any(move || async move { (status, [("location", location)]) }))).await;
        let client = client(&proxy);
        client.read(&list(), within(300)).await.expect_err("no answer");
        client.read_table("//home/a", within(300)).await.expect_err("no answer");
    }
    assert_eq!(stolen.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug_form() {
    let cluster = with_names().await;
    let mut settings = settings(&cluster.url(), "");
    let mut shown = vec![format!("{settings:?}")];
    let robot = client_with(settings.cluster.clone());
    shown.push(format!("{robot:?}"));
    cluster.revoke_token(TOKEN);
    let error = robot.read(&list(), within(5_000)).await.expect_err("no answer");
    assert!(matches!(error, CallError::Credential(_)), "{error:?}");
    assert_eq!(cluster.count("list"), 1, "a credential that is no good is not tried again");
    shown.extend([error.to_string(), format!("{error:?}")]);
    for fault in [Fault::Close, Fault::Hang, Fault::Truncate, refuse(400, nested(code::RESOLVE))] {
        cluster.fail("list", u64::MAX, fault);
        let error = robot.read(&list(), within(200)).await.expect_err("no answer");
        cluster.clear_faults();
        shown.extend([error.to_string(), format!("{error:?}")]);
    }
    cluster.set_reachable(false);
    let error = robot.read(&list(), within(200)).await.expect_err("no answer");
    shown.extend([error.to_string(), format!("{error:?}")]);
    settings.cluster = ClusterSettings { token: Some(format!("{TOKEN}\u{7f}").into()), ..settings.cluster };
    let error = client_with(settings.cluster).read(&list(), within(200)).await.expect_err("no answer");
    shown.extend([error.to_string(), format!("{error:?}")]);
    for text in shown {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_cluster_expects() {
    let cluster = with_names().await;
    client(&cluster.url()).read(&list(), within(5_000)).await.expect("an answer");
    let seen = cluster.seen("list");
    let headers = &seen.first().expect("a call").headers;
    assert_eq!(headers["authorization"], format!("OAuth {TOKEN}").as_str());
    for absent in ["cookie", "x-yt-user-name"] {
        assert!(!headers.contains_key(absent), "{headers:?}");
    }
}

/// A proxy that answers everything so.
async fn says(headers: &'static [(&'static str, &'static str)], body: &'static str) -> Result<bool, CallError> {
    let answer = move || async move {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect();
        (headers, body)
    };
    let proxy = serve(Router::new().fallback(any(answer))).await;
    let exists = Exists { path: "//home".into() };
    client(&proxy).read(&exists, within(300)).await.map(|answer| answer.value)
}

#[tokio::test]
async fn an_answer_with_an_error_is_none_however_the_error_looks() {
    let yes = r#"{"value": true}"#;
    assert!(says(&[], yes).await.expect("an answer"));
    let nothing_wrong = &[("x-yt-error", r#"{"code":0,"message":""}"#), ("x-yt-response-code", "0")];
    assert!(says(nothing_wrong, yes).await.expect("an answer"));
    for headers in [
        &[("x-yt-error", r#"{"code":500,"message":"no"}"#)][..],
        &[("x-yt-error", "what?")],
        &[("x-yt-error", r#"{"code":"500"}"#)],
        &[("x-yt-response-code", "500")],
    ] {
        says(headers, yes).await.expect_err("no answer");
    }
    for body in ["", "[]", "{}", r#"{"value": 1}"#, r#"{"value": tr"#] {
        let error = says(&[], body).await.expect_err("no answer");
        assert!(matches!(error, CallError::Unreadable(_)), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn a_batch_fails_item_by_item_and_is_asked_for_once() {
    let cluster = with_names().await;
    let client = client(&cluster.url());
    let gets: Vec<Get> = ["a", "none", "b"].map(|name| Get { path: format!("//home/{name}") }).into();
    cluster.fail("execute_batch/get", 1, refuse(400, nested(code::REQUEST_RATE_LIMIT)));
    let results = client.batch(&gets, within(5_000)).await.expect("a batch");
    let codes: Vec<_> = results.iter().map(|result| result.as_ref().map(|get| get.value.clone()).ok()).collect();
    assert_eq!(codes, [None, None, Some(json!(1))]);
    assert!(results[1].as_ref().is_err_and(|error| error.has(code::RESOLVE)), "{results:?}");
    assert_eq!((cluster.count("execute_batch"), cluster.count("execute_batch/get")), (1, 3));
    assert!(client.batch::<Get>(&[], within(5_000)).await.expect("a batch").is_empty());
    assert_eq!(cluster.count("execute_batch"), 1);
}
