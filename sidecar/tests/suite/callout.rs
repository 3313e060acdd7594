//! The HTTP callout, against services that behave and services that don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use taskgate_core::verdict::Scheme;

use crate::kit::{SERVICES, Sidecar, bearer, credential, serve};

type Count = Arc<AtomicUsize>;

/// A platform: who shows which credential gets what.
async fn whoami(State(count): State<Count>, headers: HeaderMap) -> Response {
    count.fetch_add(1, Ordering::SeqCst);
    let shown = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    match (shown("authorization").as_str(), shown("cookie").as_str()) {
        ("Bearer good", "") | ("OAuth good", "") | ("", "sid=good") => {
            r#"{"user":{"login":"alice"},"groups":"ml, ops"}"#.into_response()
        }
        ("Bearer other", "") => r#"{"user":{"login":"mallory"}}"#.into_response(),
        ("Bearer anonymous", "") => r#"{"user":{"login":null}}"#.into_response(),
        ("Bearer nameless", "") => "{}".into_response(),
        ("Bearer html", "") => "<html>".into_response(),
        ("Bearer redirected", "") => Redirect::to("/ok").into_response(),
        ("Bearer broken", "") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        ("Bearer limited", "") => StatusCode::TOO_MANY_REQUESTS.into_response(),
        ("Bearer large", "") => vec![b' '; 2 << 20].into_response(),
        ("Bearer slow", "") => std::future::pending().await,
        ("Bearer forbidden", "") => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn platform() -> (String, Count) {
    let count = Count::default();
    let router = Router::new()
        .route("/whoami", get(whoami))
        .route("/ok", get(async || r#"{"user":{"login":"alice"}}"#))
        .with_state(Arc::clone(&count));
    (serve(router).await, count)
}

fn config(url: &str, more: &str) -> String {
    format!(
        "verdicts:\n  sources:\n  - callout: {{url: \"{url}/whoami\", mode: whoami, timeout_ms: 300, \
         actor_field: user.login{more}}}\n"
    )
}

#[tokio::test]
async fn answers_are_taken_for_what_they_are() {
    let (url, _) = platform().await;
    let sidecar = Sidecar::start(&config(&url, "")).await;
    for (value, expected) in [
        ("good", "alice"),
        ("other", "UnknownService"),
        ("wrong", "CredentialRejected"),
        ("forbidden", "CredentialRejected"),
        ("anonymous", "CredentialRejected"),
        ("nameless", "unavailable"),
        ("html", "unavailable"),
        ("redirected", "unavailable"),
        ("broken", "unavailable"),
        ("limited", "unavailable"),
        ("large", "unavailable"),
        ("slow", "unavailable"),
    ] {
        assert_eq!(sidecar.outcome(bearer(value)).await, expected, "{value}");
    }
    assert_eq!(sidecar.outcome(credential(Scheme::Oauth, None, "good")).await, "alice");
    assert_eq!(sidecar.outcome(credential(Scheme::Cookie, Some("sid"), "good")).await, "alice");
    assert_eq!(sidecar.outcome(credential(Scheme::Cookie, Some("other"), "good")).await, "CredentialRejected");
}

#[tokio::test]
async fn decisions_are_kept_and_failures_are_not() {
    let (url, count) = platform().await;
    let sidecar = Sidecar::start(&config(&url, "")).await;
    let asked = || count.swap(0, Ordering::SeqCst);
    for (value, first, second, third) in [("good", 1, 0, 1), ("wrong", 1, 0, 1), ("broken", 1, 1, 1)] {
        sidecar.outcome(bearer(value)).await;
        assert_eq!(asked(), first, "{value}");
        sidecar.outcome(bearer(value)).await;
        assert_eq!(asked(), second, "{value}");
        sidecar.clock.advance(Duration::from_secs(31));
        sidecar.outcome(bearer(value)).await;
        assert_eq!(asked(), third, "{value}");
    }
}

#[tokio::test]
async fn a_platform_that_is_gone_is_not_a_no() {
    let sidecar = Sidecar::start(&config("http://127.0.0.1:1", "")).await;
    assert_eq!(sidecar.outcome(bearer("good")).await, "unavailable");
}

#[tokio::test]
async fn a_service_can_decide_about_service_and_credential() {
    let decide = async |headers: HeaderMap, body: Bytes| {
        let question: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let expected = serde_json::json!({
            "id": "ae5cf6f5",
            "service": "server",
            "operation": "a8ef7695-3de07913-5103e8-e29a6707",
            "task": "example_grpc_server",
            "owner": "alice",
            "credential": {"scheme": "cookie", "name": "sid", "value": question["credential"]["value"].clone()},
        });
        if question != expected || headers["authorization"] != "Bearer own-secret" {
            return StatusCode::BAD_REQUEST.into_response();
        }
        match question["credential"]["value"].as_str() {
            Some("good") => r#"{"actor":"bob","email":"b@c.test","groups":["ml"]}"#.into_response(),
            Some("refused") => StatusCode::FORBIDDEN.into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let url = serve(Router::new().route("/", post(decide))).await;
    let sidecar = Sidecar::start(&format!(
        "verdicts:\n  sources:\n  - callout: {{url: \"{url}\", mode: decide, authorization: Bearer own-secret}}\n"
    ))
    .await;
    let shown = |value| credential(Scheme::Cookie, Some("sid"), value);
    assert_eq!(sidecar.outcome(shown("good")).await, "bob");
    assert_eq!(sidecar.outcome(shown("refused")).await, "AccessDenied");
    assert_eq!(sidecar.outcome(shown("wrong")).await, "CredentialRejected");
    assert_eq!(sidecar.outcome(bearer("good")).await, "unavailable");
    // A change of the policy voids what was decided under the former one.
    let mut reader = sidecar.table().await;
    sidecar.write("services.yaml", &SERVICES.replace("group:ml", "group:ops"));
    sidecar.next_page(&mut reader).await;
    assert_eq!(sidecar.outcome(shown("good")).await, "UnknownService");
}
