//! Leases: kept, lost, and taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use taskgate::tasks::queue::{Ending, Queue as _};
use taskgate::tasks::store::{Renewed, Settled};
use taskgate_core::task::Status;

use crate::tasks::claimant;
use crate::tasks::worker::stage::{Line, Play, Seen, Stage, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cant_reach_the_queue_stops_its_own_io_before_another_has_the_task() {
    let stage = Stage::new().await;
    let line = Line::new(Arc::clone(&stage.office) as _);
    let began = Instant::now();
    let wrote = Arc::new(AtomicU64::new(0));
    let writing = Arc::clone(&wrote);
    let play = Play::new(move |_| {
        let writing = Arc::clone(&writing);
        Box::pin(async move {
            loop {
                let millis = u64::try_from(began.elapsed().as_millis()).expect("fits");
                writing.store(millis, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    });
    let settings = quick().with_lease(Duration::from_secs(6));
    let lost = stage.work_with(settings, play, Arc::clone(&line) as _, None);
    let id = stage.any().await;
    stage.until(id, Status::InProgress).await;
    // Its lease is prolonged for a while: it lives longer than one.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(stage.now(id).await.epoch, 1);
    line.is_cut.store(true, Ordering::SeqCst);
    let cut = u64::try_from(began.elapsed().as_millis()).expect("fits");

    let seen = Arc::new(Seen::default());
    let other = stage.work(settings, Play::endless(&seen));
    seen.wait(1).await;
    let taken_over = u64::try_from(began.elapsed().as_millis()).expect("fits");
    let last = wrote.load(Ordering::SeqCst);
    assert!(last > cut, "it went on as long as its lease allowed");
    assert!(last < taken_over, "it wrote at {last} ms; the task was taken over at {taken_over} ms");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(wrote.load(Ordering::SeqCst), last, "it does not write any more");
    assert_eq!(stage.now(id).await.epoch, 2);
    line.is_cut.store(false, Ordering::SeqCst);
    lost.end().await;
    other.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_worker_that_holds_a_task_no_more_is_refused_and_counted() {
    let stage = Stage::new().await;
    let id = stage.any().await;
    let zombie =
        stage.office.claim(&claimant("zombie"), 1, Duration::from_millis(1)).await.expect("an answer").remove(0);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let heir = stage.office.claim(&claimant("heir"), 1, Duration::from_secs(30)).await.expect("an answer").remove(0);
    assert_eq!((heir.task.id, heir.task.epoch), (id, zombie.task.epoch + 1));

    let held = zombie.held();
    let ran = Duration::from_secs(1);
    let settled = stage.office.settle(&held, &Ending::Complete(json!("twice")), ran).await;
    assert_eq!(settled, Ok(Settled::Fenced));
    let kept = stage.office.checkpoint(held.hold, b"{}".to_vec(), zombie.task.progress).await;
    assert_eq!(kept, Ok(Renewed::Lost));
    let checked = stage.office.check(&[held.hold, heir.held().hold]).await;
    assert_eq!(checked, Ok(vec![Renewed::Lost, Renewed::Held]));
    let settled = stage.office.settle(&heir.held(), &Ending::Complete(json!("once")), ran).await;
    assert_eq!(settled, Ok(Settled::Done(Status::Complete)));
    assert_eq!(stage.now(id).await.result, Some(json!("once")));
    let metrics = stage.metrics.text().expect("metrics");
    assert!(metrics.contains("taskgate_task_fenced_writes_total 2"), "{metrics}");
    assert!(metrics.contains("event=\"lease-ended\"} 1"), "{metrics}");
}
