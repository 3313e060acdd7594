use std::collections::HashMap;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::*;
use crate::data::catalog::PodSource;
use crate::data::testing::{action, lock};

type Asked = Arc<Mutex<HashMap<String, Value>>>;

/// What stands in for Flyte's services, and what each was asked last.
async fn catalog() -> (FlyteCatalog, Asked) {
    catalog_with(false).await
}

async fn catalog_with(pod_logs: bool) -> (FlyteCatalog, Asked) {
    let asked = Asked::default();
    let asked_here = Arc::clone(&asked);
    let answer = move |Path(procedure): Path<String>, headers: HeaderMap, body: Bytes| {
        let asked = Arc::clone(&asked_here);
        async move {
            assert_eq!(headers["authorization"], "Bearer robot");
            assert_eq!(headers["content-type"], "application/json");
            let request: Value = serde_json::from_slice(&body).expect("JSON");
            lock(&asked).insert(procedure.clone(), request.clone());
            reply(&procedure, &request)
        }
    };
    let app = Router::new().route("/flyte/{*procedure}", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let url = Url::parse(&format!("http://{}/flyte", listener.local_addr().expect("an address"))).expect("a URL");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let settings = FlyteCatalogSettings {
        url,
        authorization: Some(SecretText::from("Bearer robot".to_owned())),
        members: ProjectTemplate { everyone: true, ..ProjectTemplate::default() },
        pod_logs,
        timeout: Duration::from_secs(10),
        keeping: Keeping { ttl: Duration::from_secs(60), negative_ttl: Duration::ZERO, entries: 10 },
    };
    (FlyteCatalog::new(settings).expect("a catalog"), asked)
}

fn reply(procedure: &str, request: &Value) -> Response {
    let found = |value: Value| axum::Json(value).into_response();
    let missing = || (StatusCode::NOT_FOUND, axum::Json(json!({"code": "not_found", "message": "no"}))).into_response();
    match procedure {
        "flyteidl2.project.ProjectService/GetProject" => match request["id"].as_str() {
            Some("p") => {
                found(json!({"project": {"id": "p", "domains": [{"id": "development"}, {"id": "production"}]}}))
            }
            Some("moved") => found(json!({"project": {"id": "another"}})),
            Some("proxy") => (StatusCode::NOT_FOUND, "no route").into_response(),
            _ => missing(),
        },
        "flyteidl2.task.TaskService/GetTaskDetails" => found(json!({"details": {"spec": {"taskTemplate": {
            "metadata": {"cacheIgnoreInputVars": ["y"], "retries": {}}, "container": {}}}}})),
        "flyteidl2.trigger.TriggerService/GetTriggerDetails" => {
            found(json!({"trigger": {"spec": {"active": true, "taskVersion": "v7"}}}))
        }
        "flyteidl2.workflow.RunService/GetActionDetails" => match request["actionId"]["name"].as_str() {
            Some("a0") => found(json!({"details": {
                "attempts": [{"attempt": 1}, {"attempt": 2, "outputs": {"reportUri": "s3://b/report"}}],
                "task": {"taskTemplate": {"metadata": {"codeBundleUri": "s3://b/code"}}}}})),
            _ => missing(),
        },
        "flyteidl2.workflow.RunService/GetActionLogContext" => match request["attempt"].as_u64() {
            Some(1) => found(json!({"logContext": {"primaryPodName": "r-a0-0", "pods": [
                {"namespace": "p-d", "podName": "other", "primaryContainerName": "main"},
                {"namespace": "p-d", "podName": "r-a0-0", "primaryContainerName": "main",
                 "initContainers": [{"containerName": "init"}], "containers": [{"containerName": "sidecar"},
                 {"containerName": "main", "process": {"containerStartTime": "2026-01-02T03:04:05.500Z"}}]}]},
                "cluster": "c", "startTime": "2026-01-02T03:04:05Z"})),
            Some(2) => found(json!({"logContext": {"primaryPodName": "r-a0-1", "pods": [
                {"namespace": "p-d", "podName": "r-a0-1", "primaryContainerName": "main",
                 "containers": [{"containerName": "main"}]}]}})),
            Some(3) => found(json!({"logContext": {"primaryPodName": "", "pods": [{"podName": ""}]}})),
            Some(4) => found(json!({"logContext": {"primaryPodName": "gone", "pods": [{"podName": "r-a0-3"}]}})),
            Some(5) => found(json!({"logContext": {"primaryPodName": "r", "pods": [
                {"podName": "r", "primaryContainerName": "main", "containers": [{"containerName": "sidecar"}]}]}})),
            Some(6) => found(json!({})),
            _ => missing(),
        },
        "flyteidl2.workflow.RunService/GetActionDataURIs" => found(json!({"inputsUri": "s3://b/in"})),
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

#[tokio::test]
async fn flyte_says_what_is_there() {
    let (catalog, asked) = catalog().await;
    let project = |name: &str| ProjectName::parse(name).expect("a name");
    let found = catalog.project("", &project("p")).await.expect("answers").expect("is there");
    assert_eq!(found.domains.len(), 2);
    assert!(found.writers.everyone);
    assert_eq!(catalog.project("", &project("missing")).await, Ok(None));
    assert!(matches!(catalog.project("", &project("moved")).await, Err(CatalogError::Malformed(_))));
    assert!(matches!(catalog.project("", &project("proxy")).await, Err(CatalogError::Unavailable(_))));

    let ActionName { project, domain, .. } = action();
    let task = TaskName { organization: "o".into(), project, domain, name: "t".into(), version: "v7".into() };
    assert_eq!(catalog.ignored_inputs(&task).await, Ok(Some(vec!["y".to_owned()])));
    let TaskName { organization, project, domain, name: task_name, .. } = task.clone();
    let trigger = TriggerName { organization, project, domain, name: "nightly".into(), task_name };
    assert_eq!(catalog.trigger(&trigger).await, Ok(Some(task)));

    let code_bundle_uri = Some("s3://b/code".to_owned());
    let first = Attempt { report_uri: None, code_bundle_uri: code_bundle_uri.clone() };
    assert_eq!(catalog.attempt(&action(), 1).await, Ok(Found::Here(first)));
    let second = Attempt { report_uri: Some("s3://b/report".into()), code_bundle_uri };
    assert_eq!(catalog.attempt(&action(), 2).await, Ok(Found::Here(second)));
    assert_eq!(catalog.attempt(&action(), 3).await, Ok(Found::NoAttempt));
    let other = ActionName { name: "a1".into(), ..action() };
    assert!(matches!(catalog.attempt(&other, 1).await, Ok(Found::NoAction(_))));
    let data = ActionData { inputs_uri: Some("s3://b/in".into()), outputs_uri: None };
    assert_eq!(catalog.data(&action()).await, Ok(Some(data)));
    assert_eq!(catalog.log(&action(), 1).await, Ok(None));

    let asked = lock(&asked);
    let key = json!({"org": "o", "project": "p", "domain": "d", "name": "t", "version": "v7"});
    assert_eq!(asked["flyteidl2.task.TaskService/GetTaskDetails"], json!({"taskId": key}));
    let key = json!({"org": "o", "project": "p", "domain": "d", "name": "nightly", "taskName": "t"});
    assert_eq!(asked["flyteidl2.trigger.TriggerService/GetTriggerDetails"], json!({"name": key}));
    let run = json!({"org": "", "project": "p", "domain": "d", "name": "run"});
    let request = json!({"actionId": {"run": run, "name": "a0"}});
    assert_eq!(asked["flyteidl2.workflow.RunService/GetActionDataURIs"], request);
}

#[tokio::test]
async fn the_primary_container_of_the_primary_pod_is_read_from_kubernetes() {
    let (catalog, asked) = catalog_with(true).await;
    let source = |pod: &str, started_at: Option<&str>| {
        Some(LogSource::Kubernetes(PodSource {
            namespace: "p-d".into(),
            pod: pod.into(),
            container: Some("main".into()),
            started_at: started_at.map(str::to_owned),
        }))
    };
    let first = source("r-a0-0", Some("2026-01-02T03:04:05.500Z"));
    assert_eq!(catalog.log(&action(), 1).await, Ok(first));
    let request = &lock(&asked)["flyteidl2.workflow.RunService/GetActionLogContext"].clone();
    let run = json!({"org": "", "project": "p", "domain": "d", "name": "run"});
    assert_eq!(*request, json!({"actionId": {"run": run, "name": "a0"}, "attempt": 1}));
    assert_eq!(catalog.log(&action(), 2).await, Ok(source("r-a0-1", None)));
    for (attempt, missing) in [(3, "primary pod"), (4, "pod"), (5, "container"), (6, "context"), (7, "attempt")] {
        assert_eq!(catalog.log(&action(), attempt).await, Ok(None), "no {missing}");
    }
}
