//! Workers elsewhere, over a sidecar's internal listener.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::lifecycle::Tasks;
use taskgate::secret::SecretText;
use taskgate::tasks::operations::Operations;
use taskgate::tasks::queue::{Ending, Queue as _, RemoteQueue};
use taskgate::tasks::request::Request;
use taskgate::tasks::row::TaskId;
use taskgate::tasks::store::{Renewed, Settled, Submitted};
use taskgate::tasks::worker::{Means, Worker};
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;
use tokio_util::sync::CancellationToken;

use crate::kit::Sidecar;
use crate::tasks::claimant;
use crate::tasks::worker::stage::{new_task, quick};

pub(super) const TASKS: &str = "keys: [{id: k1, secret: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=}]\n\
    tasks: {store: \"sqlite:tasks.db\", hsds: {endpoint: \"http://127.0.0.1:9\"}, workers: {concurrent: 0}}\n";

async fn submit(sidecar: &Sidecar, random: u8, args: serde_json::Value) -> TaskId {
    submit_at(sidecar, random, args, sidecar.running.app.clock.now()).await
}

/// Submits a task of alice's to a sidecar, at a time.
pub(super) async fn submit_at(sidecar: &Sidecar, random: u8, args: serde_json::Value, now: UnixTime) -> TaskId {
    let desk = sidecar.running.app.desk.as_ref().expect("tasks");
    let id = TaskId::new(now, [random; 10]);
    let request: Request = serde_json::from_value(json!({"operation": "noop", "args": args})).expect("a request");
    let task = new_task(desk.vault(), id, "alice", request);
    let submitted = desk.store().submit(task, &desk.settings.limits, now).await.expect("an answer");
    assert!(matches!(submitted, Submitted::Accepted(_)), "{submitted:?}");
    id
}

fn queue(sidecar: &Sidecar, secret: Option<&str>) -> RemoteQueue {
    let url = sidecar.internal("").parse().expect("a URL");
    RemoteQueue::new(url, secret.map(|secret| SecretText::from(secret.to_owned()))).expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_elsewhere_does_tasks() {
    let sidecar = Sidecar::start(TASKS).await;
    let tasks = Tasks::new();
    let means = Means {
        name: "elsewhere".to_owned(),
        settings: quick(),
        queue: Arc::new(queue(&sidecar, None)),
        operations: Arc::new(Operations::built_in()),
        server: None,
    };
    let stop = CancellationToken::new();
    let ended = tokio::spawn(Worker::new(means, tasks.clone()).run(stop.clone()));
    let id = submit(&sidecar, 1, json!({"steps": 2})).await;
    let store = sidecar.running.app.desk.as_ref().expect("tasks").store();
    let mut following = store.changes().follow(id);
    let task = loop {
        let task = store.get(id).await.expect("an answer").expect("a task");
        if task.status.is_over() {
            break task;
        }
        tokio::time::timeout(Duration::from_secs(20), following.changed()).await.expect("a change");
    };
    assert_eq!((task.status, task.result), (Status::Complete, Some(json!({"steps": 2}))));
    assert_eq!(task.worker.as_deref(), Some("elsewhere"));
    stop.cancel();
    ended.await.expect("ends");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_over_the_wire_arrives() {
    let sidecar = Sidecar::start(TASKS).await;
    let remote = queue(&sidecar, None);
    let id = submit(&sidecar, 2, json!({})).await;
    let taken = remote.claim(&claimant("elsewhere"), 5, Duration::from_secs(30)).await.expect("an answer").remove(0);
    assert_eq!((taken.task.id, taken.task.epoch, taken.task.attempts), (id, 1, 1));
    assert_eq!(taken.credential.expose(), "Bearer one");
    let (hold, progress) = (taken.held().hold, Progress { done: 3, total: None, ..Progress::default() });
    assert_eq!(remote.renew(&[(hold, progress)], Duration::from_secs(30)).await, Ok(vec![Renewed::Held]));
    assert_eq!(remote.checkpoint(hold, b"[1]".to_vec(), progress).await, Ok(Renewed::Held));
    let ran = Duration::from_secs(1);
    assert_eq!(remote.settle(&taken.held(), &Ending::Released, ran).await, Ok(Settled::Done(Status::Queued)));
    let again = remote.claim(&claimant("elsewhere"), 5, Duration::from_secs(30)).await.expect("an answer").remove(0);
    assert_eq!((again.checkpoint.as_deref(), again.task.progress.done), (Some(b"[1]".as_slice()), 3));
    assert_eq!(remote.settle(&taken.held(), &Ending::Complete(json!(1)), ran).await, Ok(Settled::Fenced));
    let store = sidecar.running.app.desk.as_ref().expect("tasks").store();
    store.delete(id, SystemClock.now()).await.expect("an answer");
    assert_eq!(remote.check(&[again.held().hold]).await, Ok(vec![Renewed::Deleted]));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_need_the_internal_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), crate::kit::SERVICES).expect("writes");
    let config = crate::kit::config(TASKS).replace("internal: {", "internal: {secret: hush, ");
    let sidecar = Sidecar::start_in(directory, &config).await;
    submit(&sidecar, 3, json!({})).await;
    for secret in [None, Some("wrong")] {
        let refused = queue(&sidecar, secret).claim(&claimant("elsewhere"), 1, Duration::from_secs(30)).await;
        assert!(refused.is_err_and(|error| !error.is_passing()));
    }
    let taken = queue(&sidecar, Some("hush")).claim(&claimant("elsewhere"), 1, Duration::from_secs(30)).await;
    assert_eq!(taken.expect("an answer").len(), 1);
    sidecar.end().await;
}

#[test]
fn tasks_without_a_key_are_refused_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("taskgate.yaml");
    let config = crate::kit::config(TASKS.split_once('\n').expect("two lines").1);
    std::fs::write(&path, config).expect("writes");
    let error = taskgate::config::load::load(&path).expect_err("no key").to_string();
    assert!(error.contains("`keys`") && error.contains("taskgate key new"), "{error}");
}
