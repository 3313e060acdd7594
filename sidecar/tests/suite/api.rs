//! The listeners' routes.

use taskgate_core::key::{KeyRing, Secret};
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
    let session = session::open(&ring, &token, GREETER).expect("opens");
    assert_eq!((session.identity.actor(), session.identity.groups()), ("bob", "ml"));
    let claims = session.claims;
    assert_eq!((claims.epoch, claims.share), (epoch, None));
    assert_eq!((claims.issued_at, claims.expires_at), (START, UnixTime::from_millis(START.as_millis() + 60_000)));
}
