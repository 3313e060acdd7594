//! Workers as programs: in a sidecar, and `taskgate worker` beside one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::tasks::row::{Task, TaskId};
use taskgate::tasks::store::Store;
use taskgate_core::task::Status;

use crate::kit::{Sidecar, path_text};
use crate::tasks::worker::remote::{TASKS, submit_at};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that does not outlive its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn start(directory: &Path, words: &[&str]) -> Self {
        let log = std::fs::File::create(directory.join("worker.log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_taskgate"))
            .current_dir(directory)
            .arg("worker")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts");
        Self(child)
    }

    /// Asks it to end, and waits for that.
    async fn end(mut self) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("a signal");
        let status = tokio::task::spawn_blocking(move || self.0.wait()).await.expect("no panic").expect("a status");
        assert!(status.success(), "{status}");
    }
}

async fn until(store: &Arc<dyn Store>, id: TaskId, is_there: impl Fn(&Task) -> bool) -> Task {
    let mut following = store.changes().follow(id);
    let waiting = async {
        loop {
            let task = store.get(id).await.expect("an answer").expect("a task");
            if is_there(&task) {
                return task;
            }
            // Another process may have changed it.
            let _ = tokio::time::timeout(Duration::from_millis(200), following.changed()).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("in time")
}

fn store(sidecar: &Sidecar) -> Arc<dyn Store> {
    Arc::clone(sidecar.running.app.desk.as_ref().expect("tasks").store())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_works_itself_and_gives_back_what_it_holds_at_its_end() {
    let tasks = TASKS.replace("workers: {concurrent: 0}", "attempts: 2");
    let sidecar = Sidecar::start(&tasks).await;
    let done = submit_at(&sidecar, 1, json!({"steps": 1}), sidecar.running.app.clock.now()).await;
    let store = store(&sidecar);
    until(&store, done, |task| task.status == Status::Complete).await;
    let long = submit_at(&sidecar, 2, json!({"steps": 1000, "pause_ms": 20}), sidecar.running.app.clock.now()).await;
    until(&store, long, |task| task.progress.done > 2).await;
    let config = std::fs::read_to_string(sidecar.directory.path().join("taskgate.yaml")).expect("text");
    let directory = sidecar.end().await;

    let sidecar = Sidecar::start_in(directory, &config.replace("attempts: 2", "workers: {concurrent: 0}")).await;
    let task = self::store(&sidecar).get(long).await.expect("an answer").expect("a task");
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));
    assert!(task.progress.done > 2);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_the_same_database_drains_when_it_is_told_to_end() {
    let sidecar = Sidecar::start(TASKS).await;
    let worker = Program::start(sidecar.directory.path(), &["--config", "taskgate.yaml"]);
    let store = store(&sidecar);
    let short = submit_at(&sidecar, 1, json!({"steps": 2}), SystemClock.now()).await;
    until(&store, short, |task| task.status == Status::Complete).await;
    let long = submit_at(&sidecar, 2, json!({"steps": 100, "pause_ms": 50}), SystemClock.now()).await;
    until(&store, long, |task| task.progress.done > 2).await;
    worker.end().await;
    let task = until(&store, long, |task| task.status == Status::Queued).await;
    assert_eq!(task.attempts, 0, "giving back is no attempt");
    let other = Program::start(sidecar.directory.path(), &["--config", "taskgate.yaml", "--concurrent", "1"]);
    let task = until(&store, long, |task| task.status == Status::Complete).await;
    assert_eq!((task.attempts, task.result), (1, Some(json!({"steps": 100}))));
    other.end().await;
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_a_sidecar_needs_neither_database_nor_keys() {
    let sidecar = Sidecar::start(TASKS).await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let url = sidecar.internal("");
    let worker = Program::start(elsewhere.path(), &["--sidecar", &url, "--hsds", "http://127.0.0.1:9"]);
    let id = submit_at(&sidecar, 1, json!({"steps": 2}), sidecar.running.app.clock.now()).await;
    let task = until(&store(&sidecar), id, |task| task.status == Status::Complete).await;
    assert!(task.worker.is_some_and(|name| !name.is_empty()));
    worker.end().await;
    let log = std::fs::read_to_string(elsewhere.path().join("worker.log")).expect("text");
    assert!(!log.contains("Bearer one"), "{log} of {}", path_text(elsewhere.path()));
    sidecar.end().await;
}
