use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::*;
use crate::data::catalog::Members;
use crate::data::path::DomainName;
use crate::data::testing::{action, lock};

/// A service that keeps a catalog, and what it was asked.
async fn catalog(ttl: Duration, negative_ttl: Duration) -> (CalloutCatalog, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let asked_here = Arc::clone(&asked);
    let answer = move |headers: HeaderMap, body: Bytes| {
        let asked = Arc::clone(&asked_here);
        async move {
            assert_eq!(headers["authorization"], "Bearer secret");
            let question: Value = serde_json::from_slice(&body).expect("JSON");
            lock(&asked).push(question.clone());
            reply(&question)
        }
    };
    let app = Router::new().route("/catalog", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let url = Url::parse(&format!("http://{}/catalog", listener.local_addr().expect("an address"))).expect("a URL");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let settings = CalloutCatalogSettings {
        url,
        authorization: Some(SecretText::from("Bearer secret".to_owned())),
        timeout: Duration::from_secs(10),
        keeping: Keeping { ttl, negative_ttl, entries: 100 },
    };
    (CalloutCatalog::new(settings).expect("a catalog"), asked)
}

fn reply(question: &Value) -> Response {
    let found = |value: Value| axum::Json(value).into_response();
    match (question["question"].as_str(), question["project"].as_str(), question["attempt"].as_u64()) {
        (Some("project"), Some("p"), _) => found(json!({"domains": ["d"], "writers": {"users": ["ann"]}})),
        (Some("project"), Some("odd"), _) => found(json!({"domains": ["a/b"]})),
        (Some("project"), Some("broken"), _) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        (Some("task"), ..) => found(json!({"ignored_inputs": ["y"], "more": 1})),
        (Some("trigger"), ..) => found(json!({"version": "v7"})),
        (Some("attempt"), _, Some(1)) => found(json!({"report_uri": "s3://b/report"})),
        (Some("attempt"), _, Some(2)) => found(json!({"missing": true})),
        (Some("data"), ..) => found(json!({"inputs_uri": "s3://b/in"})),
        (Some("log"), _, Some(1)) => found(json!({"http": "http://logs/1"})),
        (Some("log"), _, Some(2)) => "no JSON".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).expect("a name")
}

#[tokio::test]
async fn a_service_says_what_is_there() {
    let (catalog, asked) = catalog(Duration::from_secs(60), Duration::from_secs(60)).await;
    let found = catalog.project("o", &project("p")).await.expect("answers").expect("is there");
    assert_eq!(found.domains, [DomainName::parse("d").expect("a name")].into());
    assert_eq!(found.writers, Members { users: ["ann".to_owned()].into(), ..Members::default() });
    assert_eq!(lock(&asked)[0], json!({"question": "project", "organization": "o", "project": "p"}));

    let ActionName { organization, project, domain, .. } = action();
    let task = TaskName { organization, project, domain, name: "t".into(), version: "v7".into() };
    assert_eq!(catalog.ignored_inputs(&task).await, Ok(Some(vec!["y".to_owned()])));
    let TaskName { organization, project, domain, name: task_name, .. } = task.clone();
    let trigger = TriggerName { organization, project, domain, name: "nightly".into(), task_name };
    assert_eq!(catalog.trigger(&trigger).await, Ok(Some(task)));

    let attempt = Attempt { report_uri: Some("s3://b/report".into()), code_bundle_uri: None };
    assert_eq!(catalog.attempt(&action(), 1).await, Ok(Found::Here(attempt)));
    assert_eq!(catalog.attempt(&action(), 2).await, Ok(Found::NoAttempt));
    assert!(matches!(catalog.attempt(&action(), 3).await, Ok(Found::NoAction(_))));
    let data = ActionData { inputs_uri: Some("s3://b/in".into()), outputs_uri: None };
    assert_eq!(catalog.data(&action()).await, Ok(Some(data)));
    assert_eq!(catalog.log(&action(), 1).await, Ok(Some(LogSource::Http { url: "http://logs/1".into() })));
    assert!(matches!(catalog.log(&action(), 2).await, Err(CatalogError::Malformed(_))));
    assert_eq!(catalog.log(&action(), 3).await, Ok(None));
    let question = lock(&asked).last().cloned().expect("was asked");
    let expected = json!({
        "question": "log", "organization": "", "project": "p", "domain": "d", "run": "run", "action": "a0", "attempt": 3
    });
    assert_eq!(question, expected);
}

#[tokio::test]
async fn answers_are_kept_and_failures_are_not() {
    let (catalog, asked) = catalog(Duration::from_secs(60), Duration::from_secs(60)).await;
    let count = || lock(&asked).len();
    let ask = async |name: &str| catalog.project("", &project(name)).await;
    let (one, two) = tokio::join!(ask("p"), ask("p"));
    assert!(one.is_ok_and(|found| found.is_some()) && two.is_ok_and(|found| found.is_some()));
    assert_eq!(count(), 1, "equal questions are asked once");
    for _ in 0..2 {
        assert_eq!(ask("missing").await, Ok(None));
    }
    assert_eq!(count(), 2, "that there is none is kept too");
    for _ in 0..2 {
        assert!(matches!(ask("broken").await, Err(CatalogError::Unavailable(_))));
    }
    assert_eq!(count(), 4, "a failure is not kept");
    assert!(matches!(ask("odd").await, Err(CatalogError::Malformed(_))));
}

#[tokio::test]
async fn what_is_not_there_is_kept_for_its_own_time() {
    let (catalog, asked) = catalog(Duration::from_secs(60), Duration::ZERO).await;
    for name in ["missing", "missing", "p", "p"] {
        catalog.project("", &project(name)).await.expect("answers");
    }
    assert_eq!(lock(&asked).len(), 3);
}
