//! The listeners' routes.

use taskgate_core::key::{KeyRing, Purpose, Secret};
use taskgate_core::session;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{MAX_CREDENTIAL, VerdictAnswer};

use crate::kit::{GREETER, START, Sidecar, bearer, config, outcome, tokens};

const ROUTES: [(&str, &str); 7] = [
    ("GET", "/internal/table?wait_ms=0"),
    ("POST", "/internal/verdict"),
    ("POST", "/internal/session"),
    ("GET", "/internal/services"),
    ("GET", "/internal/problems"),
    ("GET", "/filter.wasm"),
    ("GET", "/filter.wasm.sha256"),
];

#[tokio::test]
async fn tokens_decide_by_the_service_s_policy() {
    let people =
        [("alice", ""), ("bob", ", groups: [ml]"), ("mallory", ""), ("old", ", expires_at: 2025-12-31T23:59:59Z")];
    let sidecar = Sidecar::start(&tokens(&people)).await;
    for (value, expected) in [
        ("token-of-alice", "alice"),
        ("token-of-bob", "bob"),
        ("token-of-mallory", "UnknownService"),
        ("token-of-old", "CredentialRejected"),
        ("token-of-nobody", "CredentialRejected"),
    ] {
        assert_eq!(sidecar.outcome(bearer(value)).await, expected, "{value}");
    }
    assert_eq!(outcome(&sidecar.verdict("00000000", bearer("token-of-alice")).await), "UnknownService");
    // Questions name services by their id alone.
    let label = "greeter-example_grpc_server-server";
    assert_eq!(outcome(&sidecar.verdict(label, bearer("token-of-alice")).await), "UnknownService");
    assert_eq!(sidecar.metric("taskgate_verdicts_total{outcome=\"allow\",source=\"tokens\"}").await, Some(2));
}

#[tokio::test]
async fn a_service_of_another_epoch_is_not_the_one_that_was_asked_about() {
    let sidecar = Sidecar::start(&tokens(&[("alice", ""), ("mallory", "")])).await;
    sidecar.table().await;
    let epoch = sidecar.running.app.registry.service(GREETER).expect("a service").epoch;
    for name in ["alice", "mallory"] {
        let asked = |epoch| sidecar.verdict_at(GREETER, epoch, bearer(&format!("token-of-{name}")));
        for other in [0, 1, epoch.wrapping_add(1)] {
            assert_eq!(asked(other).await, VerdictAnswer::Unavailable, "{name} {other}");
        }
        assert_ne!(asked(epoch).await, VerdictAnswer::Unavailable, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_question_is_answered_400_and_never_allows() {
    let sidecar = Sidecar::start(&tokens(&[("alice", "")])).await;
    let long = taskgate_core::verdict::VerdictQuery {
        service: GREETER.into(),
        epoch: 1,
        credential: bearer(&"x".repeat(MAX_CREDENTIAL + 1)),
    };
    for (body, status) in
        [(Vec::new(), 400), (b"{}".to_vec(), 400), (vec![9, 0, 0], 400), (long.encode(), 400), (vec![1; 17 << 10], 413)]
    {
        let request = sidecar.client.post(sidecar.internal("/internal/verdict")).body(body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().get("x-taskgate-answer").is_none());
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    let sidecar = Sidecar::start("").await;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/internal", 404),
        ("GET", "/internal/verdict", 405),
        ("POST", "/internal/table", 405),
        ("DELETE", "/filter.wasm", 405),
        ("GET", "/metrics", 404),
        ("GET", "/internal/table?since=x", 400),
        ("GET", "/internal/table?since=-1", 400),
    ] {
        let method = method.parse().expect("a method");
        let response = sidecar.client.request(method, sidecar.internal(path)).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!(problem["status"], status, "{path}");
    }
}

#[tokio::test]
async fn with_a_secret_every_route_asks_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), "services: []").expect("writes");
    let text = config("").replace("\"127.0.0.1:0\"}\noper", "\"127.0.0.1:0\", secret: hunter2}\noper");
    assert!(text.contains("hunter2"), "{text}");
    let sidecar = Sidecar::start_in(directory, &text).await;
    for (method, path) in ROUTES.into_iter().chain([("GET", "/no/such/path")]) {
        let send = async |secrets: &[&str]| {
            let mut request = sidecar.client.request(method.parse().expect("a method"), sidecar.internal(path));
            for secret in secrets {
                request = request.header("x-taskgate-internal", *secret);
            }
            request.send().await.expect("an answer").status().as_u16()
        };
        if path.starts_with("/filter.wasm") {
            assert_eq!(send(&[]).await, 404, "a proxy that fetches its filter can show no secret");
            continue;
        }
        for secrets in [&[][..], &[""], &["hunter"], &["hunter22"], &["hunter2", "hunter2"], &["no", "hunter2"]] {
            assert_eq!(send(secrets).await, 401, "{method} {path} with {secrets:?}");
        }
        assert_ne!(send(&["hunter2"]).await, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn a_session_opens_with_the_ring_of_the_feed() {
    let sidecar = Sidecar::start("").await;
    let control = sidecar.table().await.control.expect("keys");
    let ring = KeyRing::new(control.keys.into_iter().map(|(id, secret)| (id, Secret::new(secret))));
    let epoch = sidecar.running.app.registry.service(GREETER).expect("a service").epoch;
    let body = r#"{"service":"greeter-example_grpc_server-server","actor":"bob","groups":["ml"],"lifetime_secs":60}"#;
    let request = sidecar.client.post(sidecar.internal("/internal/session")).body(body);
    let answer: serde_json::Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let token = answer["token"].as_str().expect("a token").as_bytes().to_vec();
    let open = |epoch, millis| {
        let now = UnixTime::from_millis(START.as_millis() + millis);
        session::open(&ring, Purpose::Session, &token, GREETER, epoch, now).map(|who| who.groups().to_owned())
    };
    assert_eq!(open(epoch, 59_999), Ok("ml".to_owned()));
    assert_eq!(open(epoch, 60_000), Err(session::SessionError::Ended));
    assert_eq!(open(epoch.wrapping_add(1), 0), Err(session::SessionError::Ended));
}

#[tokio::test]
async fn sessions_are_bounded_and_of_somebody_for_something() {
    let sidecar = Sidecar::start("sessions: {max_lifetime_secs: 600}").await;
    for (body, status) in [
        (r#"{"service":"ae5cf6f5","actor":"bob","lifetime_secs":600}"#, 200),
        (r#"{"service":"ae5cf6f5","actor":"bob","lifetime_secs":601}"#, 400),
        (r#"{"service":"ae5cf6f5","actor":"bob","lifetime_secs":0}"#, 400),
        (r#"{"service":"ae5cf6f5","actor":"","lifetime_secs":1}"#, 400),
        (r#"{"service":"ae5cf6f5","actor":"b\nx","lifetime_secs":1}"#, 400),
        (r#"{"service":"ae5cf6f6","actor":"bob","lifetime_secs":1}"#, 404),
        (r#"{"service":"ae5cf6f5","actor":"bob","lifetime_secs":1,"admin":true}"#, 400),
        ("", 400),
    ] {
        let request = sidecar.client.post(sidecar.internal("/internal/session")).body(body);
        assert_eq!(request.send().await.expect("an answer").status(), status, "{body}");
    }
}

#[tokio::test]
async fn the_filter_is_served_with_its_digest() {
    let sidecar = Sidecar::start("filter: {wasm_file: filter.wasm}").await;
    assert_eq!(sidecar.get(sidecar.internal("/filter.wasm")).await.0, 404);
    sidecar.write("filter.wasm", "\0asm");
    let digest = "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f";
    let response = sidecar.client.get(sidecar.internal("/filter.wasm")).send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/wasm");
    let etag = response.headers()["etag"].clone();
    assert_eq!(response.bytes().await.expect("a body"), "\0asm");
    assert_eq!(etag, format!("\"{digest}\""));
    let again = sidecar.client.get(sidecar.internal("/filter.wasm")).header("if-none-match", etag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    assert_eq!(sidecar.get(sidecar.internal("/filter.wasm.sha256")).await, (200, format!("{digest}\n")));
    let none = Sidecar::start("").await;
    let (status, text) = none.get(none.internal("/filter.wasm")).await;
    assert!(status == 404 && text.contains("filter.wasm_file"), "{text}");
}

#[tokio::test]
async fn operations_are_apart_from_the_internal_api() {
    let sidecar = Sidecar::start("").await;
    assert_eq!(sidecar.get(sidecar.operations("/healthz")).await, (200, "ok\n".to_owned()));
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
    for (_, path) in ROUTES {
        assert_eq!(sidecar.get(sidecar.operations(path)).await.0, 404, "{path}");
    }
    let (_, text) = sidecar.get(sidecar.operations("/metrics")).await;
    assert!(text.ends_with("# EOF\n") && text.contains("taskgate_build{version="), "{text}");
}
