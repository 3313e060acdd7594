//! What a service is sent, and what is made of its answers.

use serde_json::{Value, json};
use taskgate::tasks::operation::WorkError;
use taskgate_core::task::{Progress, Unit};

use crate::tasks::attempt::{Attempt, CREDENTIAL, SECRET_WORD, permanent, transient};
use crate::tasks::http_operation::service::{Reply, Service, reply, taken};

#[tokio::test]
async fn a_service_that_is_done_at_once_is_asked_once() {
    let service = Service::start([reply(200, &json!({"result": {"made": 3}}))]).await;
    let attempt = Attempt::new(json!({"width": 7}));
    let operation = service.operation(&json!({"secret": "shown"}));
    assert_eq!(attempt.run(operation.as_ref()).await, Ok(json!({"made": 3})));
    let [asked] = &service.asked()[..] else { panic!("asked once") };
    assert_eq!(asked.line, "POST /work/begin?x=1");
    assert_eq!(asked.headers["idempotency-key"], attempt.task.id.to_string().as_str());
    assert_eq!(asked.headers["authorization"], "Bearer shown");
    let expected = json!({
        "taskid": attempt.task.id.to_string(), "attempt": 2, "epoch": 9, "owner": "alice",
        "endpoint": "http://127.0.0.1:1/hsds",
        "request": {"operation": "foreign", "src": [], "args": {"width": 7}, "des": []},
    });
    assert_eq!(asked.body, expected, "no credential is sent to whom nobody trusts with it");
    assert_eq!(attempt.kept(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_credential_is_sent_to_whom_the_operator_trusts() {
    let service = Service::start([taken("/jobs/1"), reply(200, &json!({"status": "complete"}))]).await;
    let operation = service.operation(&json!({"forward_credential": true}));
    assert_eq!(Attempt::new(json!({})).run(operation.as_ref()).await, Ok(Value::Null));
    let asked = service.asked();
    assert_eq!(asked[0].body["credential"], CREDENTIAL);
    assert!(!format!("{:?}", asked[1]).contains(SECRET_WORD), "it is sent with the task alone");
}

#[tokio::test]
async fn a_service_that_takes_its_time_is_asked_how_far_it_is() {
    let report = |done| json!({"status": "in progress", "progress": {"done": done, "total": 9, "unit": "bytes"}});
    let service = Service::start([
        taken("status/1"),
        reply(200, &json!({"status": "queued"})),
        // What passes costs no attempt.
        reply(503, &json!({})),
        reply(200, &json!("half a report")),
        reply(200, &report(4)),
        reply(200, &json!({"status": "complete", "result": [1]})),
    ])
    .await;
    let attempt = Attempt::new(json!({}));
    let operation = service.operation(&json!({"secret": "shown"}));
    assert_eq!(attempt.run(operation.as_ref()).await, Ok(json!([1])));
    let mut expected = vec!["POST /work/begin?x=1"];
    expected.extend(["GET /work/status/1"; 5]);
    assert_eq!(service.lines(), expected);
    assert!(service.asked().iter().all(|asked| asked.headers["authorization"] == "Bearer shown"));
    assert_eq!(attempt.kept(), [json!({"status": format!("{}/work/status/1", service.url)})]);
    assert_eq!(attempt.progress(), Progress { done: 4, total: Some(9), unit: Unit::Bytes });
}

#[tokio::test]
async fn another_attempt_asks_on() {
    let service = Service::start([reply(200, &json!({"status": "complete", "result": 1}))]).await;
    let attempt = Attempt::new(json!({})).from(json!({"status": format!("{}/work/status/1", service.url)}));
    assert_eq!(attempt.run(service.operation(&json!({})).as_ref()).await, Ok(json!(1)));
    assert_eq!(service.lines(), ["GET /work/status/1"]);
}

#[tokio::test]
async fn what_a_service_gave_up_or_forgot_is_begun_anew() {
    let failed =
        |transient| json!({"status": "failed", "error": {"code": "disk", "detail": "full", "transient": transient}});
    let outcome = async |answer| {
        let service = Service::start([taken("/1"), answer]).await;
        let attempt = Attempt::new(json!({}));
        let outcome = attempt.run(service.operation(&json!({})).as_ref()).await;
        (outcome, attempt.kept().pop())
    };
    let fresh = Some(json!({"status": null}));
    let (error, kept) = outcome(reply(200, &failed(true))).await;
    assert_eq!((transient(error), kept), ("disk: full".to_owned(), fresh.clone()));
    let (error, kept) = outcome(reply(200, &failed(false))).await;
    assert_eq!((permanent(error), kept), (("operation-failed", "disk: full".to_owned()), fresh.clone()));
    for status in [404, 410] {
        let (error, kept) = outcome(reply(status, &json!({}))).await;
        assert!(transient(error).contains("does not know"));
        assert_eq!(kept, fresh);
    }
    let ended = json!({"status": "failed", "error": {"code": "credential-ended"}});
    assert_eq!(outcome(reply(200, &ended)).await, (Err(WorkError::CredentialEnded), fresh));
}

#[tokio::test]
async fn refusals_say_whether_another_attempt_makes_sense() {
    let outcome = async |answer, more: Value| {
        let service = Service::start([answer]).await;
        Attempt::new(json!({})).run(service.operation(&more).as_ref()).await
    };
    let problem = || json!({"title": "No", "detail": "no\u{1b}[31m such\ncolour"});
    for status in [400, 403, 404, 413, 422] {
        let (code, detail) = permanent(outcome(reply(status, &problem()), json!({})).await);
        assert_eq!((code, detail), ("refused", format!("the service answered {status}: no [31m such colour")));
    }
    for status in [408, 409, 425, 429, 500, 502, 503, 504] {
        let detail = transient(outcome(reply(status, &problem()), json!({})).await);
        assert!(detail.contains(&status.to_string()), "{detail}");
    }
    let forwards = json!({"forward_credential": true});
    assert_eq!(outcome(reply(401, &json!({})), forwards.clone()).await, Err(WorkError::CredentialEnded));
    assert!(transient(outcome(reply(401, &json!({})), json!({})).await).contains("secret"));
    let echo = json!({"detail": format!("can't use {CREDENTIAL}")});
    let (_, detail) = permanent(outcome(reply(400, &echo), forwards).await);
    assert!(!detail.contains(SECRET_WORD) && detail.contains("****"), "{detail}");
    let gone = crate::tasks::attempt::operation(&json!({
        "name": "foreign", "summary": "Is elsewhere.", "http": {"url": "http://127.0.0.1:1/"},
    }));
    assert!(transient(Attempt::new(json!({})).run(gone.as_ref()).await).contains("no answer"));
    assert!(transient(outcome(Reply::Never, json!({})).await).contains("timed out"));
}
