//! Waiting for tasks, which nobody does by asking again and again.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use taskgate_test_kit::{Hsds, HsdsUser, wait_until};

use super::support::{Api, noop};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_for_the_end_or_for_a_change() {
    let hsds = Hsds::start().await.expect("HSDS");
    let api = Api::start(&hsds, 2, "").await;
    let post =
        |prefer: &str, body| api.ask(HsdsUser::One, Method::POST, "/tasks").header("prefer", prefer).json(&body).send();

    let done = post("wait=30", noop(0)).await;
    assert_eq!((done.status, done.text("status")), (200, "complete"), "{:?}", done.body);
    assert_eq!(done.body["result"], json!({"steps": 0}));
    assert_eq!(done.header("preference-applied"), Some("wait=30"));
    let done = post("respond-async, wait=30", noop(0)).await;
    assert_eq!((done.status, done.text("status")), (200, "complete"), "it was over before it had to be awaited");

    let slow = json!({"operation": "noop", "args": {"steps": 1, "pause_ms": 60_000}});
    let begun = post("respond-async", slow.clone()).await;
    assert_eq!((begun.status, begun.header("preference-applied")), (202, Some("respond-async")));
    assert!(begun.header("retry-after").is_some());
    let path = format!("/tasks/{}", begun.id());
    let waiting = api.ask(HsdsUser::One, Method::GET, &path).header("prefer", "wait=1").send().await;
    assert_eq!((waiting.status, waiting.text("status")), (200, "in progress"), "the time is up");
    assert_eq!(waiting.header("preference-applied"), Some("wait=1"));

    // Who has a version waits for another one.
    let tag = waiting.header("etag").expect("a tag");
    let same = api.ask(HsdsUser::One, Method::GET, &path).header("prefer", "wait=1").header("if-none-match", tag);
    assert_eq!(same.send().await.status, 304);
    let started = Instant::now();
    let changed = api.ask(HsdsUser::One, Method::GET, &path).header("prefer", "wait=30").header("if-none-match", tag);
    let delete = api.ask(HsdsUser::One, Method::DELETE, &path);
    let (changed, deleted) = tokio::join!(changed.send(), delete.send());
    assert_eq!((changed.outcome(), deleted.status), ((410, "task-deleted"), 200));
    assert!(started.elapsed() < Duration::from_secs(10), "woken by the change");

    // The end of the process ends all waiting.
    let begun = post("respond-async", slow).await;
    let url = api.url(&format!("/tasks/{}", begun.id()));
    let request = api.sidecar.client.get(url).header("prefer", "wait=60");
    let request = request.header("authorization", HsdsUser::One.authorization()).send();
    let changes = api.sidecar.running.app.desk.as_ref().expect("tasks").store().changes().clone();
    let (answer, ended) = tokio::join!(request, async {
        let is_waiting = async || format!("{changes:?}") == "Changes { followed: 1 }";
        wait_until(Duration::from_secs(20), "a client that waits", is_waiting).await.expect("waits");
        api.sidecar.running.end().await
    });
    assert!(ended && answer.expect("an answer").status() == 200);
}
