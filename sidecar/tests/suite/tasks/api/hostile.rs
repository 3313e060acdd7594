//! Requests that nobody sends who means well.

use reqwest::Method;
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser};

use super::support::{Answer, Api, at, noop};

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_and_nothing_comes_of_it() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 0, "").await;
    let text =
        async |body: String| -> Answer { api.ask(HsdsUser::One, Method::POST, "/tasks").text(body).send().await };
    let post = async |body: Value| -> Answer { api.post(HsdsUser::One, &body).await };

    // Size and depth.
    let huge = format!(r#"{{"operation": "noop", "x": "{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(text(huge).await.outcome(), (413, "body-too-large"));
    let deep = |depth: usize| {
        format!(r#"{{"operation": "noop", "args": {{"a": {}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    for depth in [40, 120, 500_000] {
        let answer = text(deep(depth)).await;
        assert_eq!(answer.status, 400, "{depth}");
        assert!(answer.body.to_string().len() < 1_000, "{depth}");
    }
    let many = json!({"operation": "noop", "src": vec![at("/home/x.h5", "/"); 65]});
    assert_eq!(post(many).await.outcome(), (400, "request-refused"));

    // Bodies.
    for body in ["", "null", "[]", "\"noop\"", "{", "{}", "\u{feff}{}", "NaN", r#"{"operation": "noop"}{}"#] {
        assert_eq!(text(body.to_owned()).await.outcome(), (400, "malformed-request"), "{body}");
    }
    for (body, code) in [
        (json!({"operation": "rm -rf /"}), "unknown-operation"),
        (json!({"operation": ""}), "unknown-operation"),
        (json!({"operation": "noop\u{0}"}), "unknown-operation"),
        (json!({"operation": ["noop"]}), "malformed-request"),
        (json!({"operation": "noop", "owner": "admin"}), "malformed-request"),
        (json!({"operation": "noop", "args": null}), "malformed-request"),
        (json!({"operation": "noop", "args": {"steps": -1}}), "request-refused"),
        (json!({"operation": "noop", "args": {"steps": "1"}}), "request-refused"),
        (json!({"operation": "noop", "args": {"code": "import os"}}), "request-refused"),
        (json!({"operation": "noop", "des": [at("/home/x.h5", "/")]}), "request-refused"),
        (json!({"operation": "noop", "src": [at("/home/../etc", "/")]}), "malformed-request"),
        (json!({"operation": "noop", "src": [at("/home/x\r\nHost: y", "/")]}), "malformed-request"),
        (json!({"operation": "noop", "src": [at("x.h5", "/")]}), "malformed-request"),
        (json!({"operation": "noop", "src": [{"domain": "/x", "uuid": "d-../../acls"}]}), "malformed-request"),
        (json!({"operation": "noop", "src": [{"domain": "/x", "h5path": "/", "uuid": "g-1"}]}), "malformed-request"),
    ] {
        assert_eq!(post(body.clone()).await.outcome(), (400, code), "{body}");
    }
    // What a text means to an address is part of the text.
    let odd = json!({"operation": "noop", "src": [at("/home/test_user1/x&bucket=other#?.h5", "/a%2f&domain=/home")]});
    assert_eq!(post(odd).await.outcome(), (404, "location-not-found"));

    // Headers.
    let typed = |name: &'static str, value: &'static str| {
        api.ask(HsdsUser::One, Method::POST, "/tasks").header(name, value).text(noop(1).to_string()).send()
    };
    for (name, value, status) in [
        ("content-type", "text/plain", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("content-encoding", "gzip", 415),
        ("idempotency-key", "", 400),
        ("idempotency-key", "\"", 400),
        ("idempotency-key", "a b", 400),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("prefer", "wait=;;,=,\"", 200),
    ] {
        assert_eq!(typed(name, value).await.status, status, "{name}: {value}");
    }
    let keys =
        api.ask(HsdsUser::One, Method::POST, "/tasks").header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(keys.json(&noop(9)).send().await.status, 400);

    // Addresses and methods.
    let id = api.get(HsdsUser::One, "/tasks").await.body["tasks"][0]["taskid"].as_str().expect("one").to_owned();
    for path in [
        "1",
        "%00",
        "%ff",
        "..%2foperations",
        "%27%20OR%201=1--",
        &id.replace('-', ""),
        &format!("{{{id}}}"),
        &format!("{id}%20"),
        &"9".repeat(4_000),
        &format!("{id}/"),
        &format!("{id}/x"),
        "a/credential/b",
    ] {
        let status = api.get(HsdsUser::One, &format!("/tasks/{path}")).await.status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!(api.get(HsdsUser::One, &format!("/tasks/{}", id.to_uppercase())).await.status, 200);
    for (method, path) in [
        (Method::PUT, "/tasks".to_owned()),
        (Method::DELETE, "/tasks".to_owned()),
        (Method::PATCH, format!("/tasks/{id}")),
        (Method::PUT, format!("/tasks/{id}")),
        (Method::GET, format!("/tasks/{id}/credential")),
        (Method::POST, "/operations".to_owned()),
        (Method::TRACE, "/tasks".to_owned()),
    ] {
        assert_eq!(api.ask(HsdsUser::One, method.clone(), &path).send().await.status, 405, "{method} {path}");
    }
    // What the filter asks is not here.
    for path in ["/internal/table", "/internal/tasks/claim", "/metrics", "/", "/tasksx", "/about"] {
        assert_eq!(api.get(HsdsUser::One, path).await.status, 404, "{path}");
    }
    let all = api.get(HsdsUser::Admin, "/tasks?owner=*").await;
    assert_eq!(all.body["tasks"].as_array().expect("tasks").len(), 1, "one request made sense");
}
