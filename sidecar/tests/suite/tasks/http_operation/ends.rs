//! Tasks that nobody wants any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::work::StopReason;
use tokio::sync::Notify;

use crate::tasks::attempt::{Attempt, permanent, transient};
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
    for reason in [StopReason::Deleted, StopReason::Forbidden, StopReason::Late] {
        let lines = stopped(reason).await;
        assert_eq!(lines.iter().filter(|line| *line == "DELETE /jobs/1").count(), 1, "{reason:?}: {lines:?}");
    }
}

#[tokio::test]
async fn work_that_another_worker_goes_on_with_is_not_cancelled() {
    for reason in [StopReason::CredentialEnded, StopReason::Draining, StopReason::Lost] {
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

#[tokio::test]
async fn a_service_whose_task_fails_is_told() {
    let service = Service::start([taken("/jobs/1"), reply(403, &json!({})), reply(200, &json!({}))]).await;
    assert_eq!(permanent(Attempt::new(json!({})).run(service.operation(&json!({})).as_ref()).await).0, "refused");
    assert_eq!(service.lines(), ["POST /work/begin?x=1", "GET /jobs/1", "DELETE /jobs/1"]);
}

#[tokio::test]
async fn a_service_that_is_not_heard_is_told_after_the_last_attempt_alone() {
    for (is_last, expected) in [(false, 0), (true, 1)] {
        let silence = std::iter::repeat_with(|| reply(503, &json!({}))).take(7);
        let service = Service::start(std::iter::once(taken("/jobs/1")).chain(silence)).await;
        let mut attempt = Attempt::new(json!({}));
        if is_last {
            attempt.task.attempts = attempt.task.max_attempts;
        }
        assert!(transient(attempt.run(service.operation(&json!({})).as_ref()).await).contains("503"));
        let lines = service.lines();
        assert_eq!(lines.iter().filter(|line| *line == "DELETE /jobs/1").count(), expected, "{lines:?}");
    }
}

#[tokio::test]
async fn a_service_is_told_of_a_task_that_is_given_up_before_the_next_attempt() {
    let service = Service::start([reply(200, &json!({}))]).await;
    let attempt = Attempt::new(json!({})).from(json!({"status": format!("{}/jobs/1", service.url)}));
    attempt.abandon(service.operation(&json!({})).as_ref()).await;
    assert_eq!(service.lines(), ["DELETE /jobs/1"]);
}
