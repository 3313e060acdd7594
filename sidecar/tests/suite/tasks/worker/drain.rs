//! The end of a worker: what it holds is given back, and goes on elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use taskgate_core::task::Status;
use tokio::sync::Notify;

use crate::tasks::worker::stage::{Play, Stage, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_on_from_its_checkpoint_when_its_worker_ends() {
    let stage = Stage::new().await;
    let saved = Arc::new(Notify::new());
    let told = Arc::clone(&saved);
    let first = stage.work(
        quick(),
        Play::new(move |work| {
            let told = Arc::clone(&told);
            Box::pin(async move {
                assert_eq!(work.checkpoint::<u32>()?, None);
                work.save(&42_u32).await?;
                told.notify_one();
                std::future::pending().await
            })
        }),
    );
    let id = stage.any().await;
    saved.notified().await;
    let asked = Instant::now();
    first.end().await;
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let task = stage.now(id).await;
    assert_eq!((task.status, task.attempts), (Status::Queued, 0), "giving back is no attempt");

    let second = stage.work(
        quick(),
        Play::new(|work| {
            Box::pin(async move { Ok(json!({"from": work.checkpoint::<u32>()?, "attempt": work.attempt()})) })
        }),
    );
    let task = stage.until(id, Status::Complete).await;
    assert_eq!(task.result, Some(json!({"from": 42, "attempt": 1})));
    second.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_while_the_worker_ends_is_complete() {
    let stage = Stage::new().await;
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let play = Play::new(move |work| {
        let told = Arc::clone(&told);
        Box::pin(async move {
            told.notify_one();
            work.stop().cancelled().await;
            Ok(json!("in time"))
        })
    });
    let running = stage.work(quick(), play);
    let id = stage.any().await;
    begun.notified().await;
    running.end().await;
    let task = stage.now(id).await;
    assert_eq!((task.status, task.result), (Status::Complete, Some(json!("in time"))));
}
