//! Credentials: sealed at rest, handed in again, wiped at the end.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::secret::SecretText;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::row::{Owner, TaskId};
use taskgate::tasks::store::Resumed;
use taskgate_core::task::Status;

use crate::tasks::worker::stage::{Play, Seen, Stage, keys, quick};

/// Accepts `Bearer two` alone.
fn picky() -> Play {
    Play::new(|work| {
        let is_good = work.credential().expose() == "Bearer two";
        Box::pin(async move { if is_good { Ok(json!("done")) } else { Err(WorkError::CredentialEnded) } })
    })
}

async fn hand_in(stage: &Stage, id: TaskId, credential: &str) {
    let sealed = stage.vault.seal(id, &Owner::new("alice"), &SecretText::from(credential.to_owned())).expect("sealed");
    let resumed = stage.store.resume(id, sealed, None, SystemClock.now()).await.expect("an answer");
    assert!(matches!(resumed, Resumed::Now(_)), "{resumed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_credential_ended_waits_for_another() {
    let stage = Stage::new().await;
    let running = stage.work(quick(), picky());
    let id = stage.any().await;
    let task = stage.until(id, Status::Paused).await;
    assert_eq!(task.failure.expect("a failure").code, "credential-ended");
    assert_eq!(task.attempts, 0, "that was no attempt");
    hand_in(&stage, id, "Bearer two").await;
    stage.until(id, Status::Complete).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_sealed_with_a_key_that_is_gone_waits_for_another_credential() {
    let stage = Stage::new().await;
    let id = stage.any().await;
    stage.vault.renew(&keys(&[("k2", 2)]));
    let running = stage.work(quick(), picky());
    let task = stage.until(id, Status::Paused).await;
    assert_eq!(task.failure.expect("a failure").code, "credential-unreadable");
    hand_in(&stage, id, "Bearer two").await;
    stage.until(id, Status::Complete).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_credential_ends_its_task() {
    let stage = Stage::new().await;
    let mut task = stage.task("alice", json!({}));
    let mut other = stage.task("alice", json!({}));
    std::mem::swap(&mut task.credential, &mut other.credential);
    let id = stage.submit(task).await;
    let running = stage.work(quick(), Play::done());
    let task = stage.until(id, Status::Failed).await;
    assert_eq!(task.failure.expect("a failure").code, "credential-forged");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_in_no_file() {
    let stage = Stage::new().await;
    let seen = Arc::new(Seen::default());
    let running = stage.work(quick(), Play::endless(&seen));
    stage.any().await;
    let waiting = stage.task("alice", json!({}));
    let sealed = waiting.credential.clone();
    stage.submit(waiting).await;
    seen.wait(2).await;
    assert!(found(stage.directory.path(), sealed.as_bytes()), "what is sealed is there");
    assert!(!found(stage.directory.path(), b"Bearer one"));
    running.end().await;
    assert!(!found(stage.directory.path(), b"Bearer one"));
}

/// Whether these bytes are in a file of a directory.
fn found(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).expect("a directory").any(|entry| {
        let text = std::fs::read(entry.expect("an entry").path()).expect("a file");
        text.windows(bytes.len()).any(|window| window == bytes)
    })
}
