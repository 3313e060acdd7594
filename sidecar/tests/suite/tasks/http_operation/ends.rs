//! Tasks that nobody wants any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::work::StopReason;
use tokio::sync::Notify;

use crate::tasks::attempt::Attempt;
use crate::tasks::http_operation::service::{Reply, Service, reply, taken};

/// What a service is asked after a task that it works on was stopped.
async fn stopped(reason: StopReason) -> Vec<String> {
    let under_way = || reply(200, &json!({"status": "in progress"}));
    let service = Service::start([taken("/jobs/1"), under_way(), under_way(), under_way(), under_way()]).await;
    let attempt = Attempt::new(json!({}));
    let operation = service.operation(&json!({}));
    let stopping = async {
        service.wait(3).await;
        let asked = Instant::now();
        attempt.stop.now(reason);
        asked
    };
    let (outcome, asked) = tokio::join!(attempt.run(operation.as_ref()), stopping);
    assert_eq!(outcome, Err(WorkError::Stopped));
    assert!(asked.elapsed() < Duration::from_secs(2) && asked.elapsed() < operation.stopping());
    service.lines().split_off(3)
}

#[tokio::test]
async fn a_service_is_told_that_its_work_is_not_wanted() {
    for reason in [StopReason::Deleted, StopReason::Late] {
        let lines = stopped(reason).await;
        assert_eq!(lines.iter().filter(|line| *line == "DELETE /jobs/1").count(), 1, "{reason:?}: {lines:?}");
    }
}

#[tokio::test]
async fn work_that_another_worker_goes_on_with_is_not_cancelled() {
    for reason in [StopReason::Draining, StopReason::Lost] {
        let lines = stopped(reason).await;
        assert!(!lines.iter().any(|line| line.starts_with("DELETE")), "{reason:?}: {lines:?}");
    }
}

#[tokio::test]
async fn a_service_that_has_not_answered_yet_is_told_too() {
    let until = Arc::new(Notify::new());
    let held = Reply::Held(Arc::clone(&until), Box::new(taken("/jobs/1")));
    let service = Service::start([held, reply(200, &json!({}))]).await;
    let attempt = Attempt::new(json!({}));
    let operation = service.operation(&json!({}));
    let stopping = async {
        service.wait(1).await;
        attempt.stop.now(StopReason::Deleted);
        until.notify_one();
    };
    let (outcome, ()) = tokio::join!(attempt.run(operation.as_ref()), stopping);
    assert_eq!(outcome, Err(WorkError::Stopped));
    assert_eq!(service.lines(), ["POST /work/begin?x=1", "DELETE /jobs/1"]);
}

#[tokio::test]
async fn a_service_that_does_not_answer_keeps_no_worker() {
    let service = Service::start([taken("/jobs/1"), Reply::Never]).await;
    let attempt = Attempt::new(json!({}));
    let operation = service.operation(&json!({"timeout_secs": 60}));
    let stopping = async {
        service.wait(2).await;
        attempt.stop.now(StopReason::Deleted);
        Instant::now()
    };
    let (outcome, asked) = tokio::join!(attempt.run(operation.as_ref()), stopping);
    assert_eq!(outcome, Err(WorkError::Stopped));
    assert!(asked.elapsed() < operation.stopping(), "{:?}", asked.elapsed());
}
