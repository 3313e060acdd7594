//! How attempts end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::store::Deleted;
use taskgate::tasks::worker::WorkerSettings;
use taskgate_core::task::{Progress, Status, Unit};

use crate::tasks::worker::stage::{Inside, Play, Seen, Stage, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_done_once_with_its_result() {
    let stage = Stage::new().await;
    let running = stage.work(quick(), Play::done());
    let id = stage.any().await;
    let task = stage.until(id, Status::Complete).await;
    assert_eq!((task.result, task.attempts), (Some(json!("done")), 1));
    running.end().await;
    let metrics = stage.metrics.text().expect("metrics");
    for event in ["claimed", "complete"] {
        let line = format!("taskgate_task_transitions_total{{operation=\"play\",event=\"{event}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(metrics.contains("taskgate_task_run_seconds_count{operation=\"play\"} 1"), "{metrics}");
    assert!(metrics.contains("taskgate_task_wait_seconds_count{operation=\"play\"} 1"), "{metrics}");
    assert!(metrics.contains("taskgate_task_fenced_writes_total 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_tasks_are_worked_on_than_allowed() {
    let stage = Stage::new().await;
    let seen = Arc::new(Seen::default());
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (inside, open) = (Arc::clone(&seen), Arc::clone(&gate));
    let play = Play::new(move |_| {
        let (inside, open) = (Arc::clone(&inside), Arc::clone(&open));
        Box::pin(async move {
            let _inside = Inside::new(inside);
            open.acquire().await.expect("open").forget();
            Ok(json!(null))
        })
    });
    let running = stage.work(WorkerSettings { concurrent: 3, ..quick() }, play);
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(stage.any().await);
    }
    seen.wait(3).await;
    gate.add_permits(12);
    for id in ids {
        stage.until(id, Status::Complete).await;
    }
    assert_eq!(seen.most(), 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_task_stops_within_two_seconds() {
    let stage = Stage::new().await;
    let seen = Arc::new(Seen::default());
    // The settings that are in force by default leave twice the time that it takes.
    let defaults = WorkerSettings::default();
    assert!((defaults.look + defaults.stopping) * 2 <= Duration::from_secs(2), "{defaults:?}");
    // Leases are prolonged long after the test: it is the look that finds it out.
    let running = stage.work(defaults.with_lease(Duration::from_secs(300)), Play::endless(&seen));
    let id = stage.any().await;
    seen.wait(1).await;
    let asked = Instant::now();
    let deleted = stage.store.delete(id, SystemClock.now()).await.expect("an answer");
    assert!(matches!(deleted, Deleted::Now(_)));
    seen.wait(0).await;
    // However busy the machine is.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    running.end().await;
    assert!(stage.now(id).await.is_over());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_tried_again_after_a_pause_until_the_attempts_are_over() {
    let stage = Stage::new().await;
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let play = Play::new(move |work| {
        let counted = Arc::clone(&counted);
        let attempt = work.attempt();
        Box::pin(async move {
            assert_eq!(counted.fetch_add(1, Ordering::SeqCst) + 1, attempt);
            Err(WorkError::Transient(format!("not now, {attempt}")))
        })
    });
    let running = stage.work(quick(), play);
    let id = stage.any().await;
    let task = stage.until(id, Status::Failed).await;
    let failure = task.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), failure.detail.as_str(), failure.is_final), ("transient", "not now, 3", true));
    assert_eq!((tries.load(Ordering::SeqCst), task.attempts), (3, 3));
    running.end().await;
    let metrics = stage.metrics.text().expect("metrics");
    assert!(metrics.contains("taskgate_task_retries_total{operation=\"play\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_permanent_is_not_tried_again() {
    let stage = Stage::new().await;
    let play = Play::new(|_| Box::pin(async { Err(WorkError::permanent("no-such-thing", "there is none")) }));
    let running = stage.work(quick(), play);
    let id = stage.any().await;
    let task = stage.until(id, Status::Failed).await;
    assert_eq!((task.attempts, task.failure.expect("a failure").code.as_str()), (1, "no-such-thing"));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_breaks_costs_its_attempt_alone() {
    let stage = Stage::new().await;
    let play = Play::new(|work| {
        let attempt = work.attempt();
        Box::pin(async move {
            assert!(attempt > 1, "breaks");
            Ok(json!(attempt))
        })
    });
    let running = stage.work(quick(), play);
    let id = stage.any().await;
    assert_eq!(stage.until(id, Status::Complete).await.result, Some(json!(2)));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_fails_at_its_deadline() {
    let stage = Stage::new().await;
    let seen = Arc::new(Seen::default());
    let running = stage.work(quick(), Play::endless(&seen));
    let mut task = stage.task("alice", json!({}));
    task.deadline = Some(SystemClock.now().after(Duration::from_secs(3)));
    let id = stage.submit(task).await;
    seen.wait(1).await;
    let task = stage.until(id, Status::Failed).await;
    let failure = task.failure.expect("a failure");
    assert!(failure.is_final && failure.code == "deadline-exceeded", "{failure:?}");
    assert_eq!(seen.inside(), 0);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_seen_while_the_work_goes_on() {
    let stage = Stage::new().await;
    let progress = Progress { done: 7, total: Some(9), unit: Unit::Objects };
    let play = Play::new(move |work| {
        Box::pin(async move {
            work.report(progress);
            std::future::pending().await
        })
    });
    let settings = quick().with_lease(Duration::from_secs(3));
    let running = stage.work(settings, play);
    let id = stage.any().await;
    let mut following = stage.store.changes().follow(id);
    while stage.now(id).await.progress != progress {
        following.changed().await;
    }
    running.end().await;
    assert_eq!(stage.now(id).await.status, Status::Queued, "it was given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noop_goes_its_steps() {
    let stage = Stage::new().await;
    let running = stage.work(quick(), Play::done());
    let request = json!({"operation": "noop", "args": {"steps": 3, "pause_ms": 1}});
    let task = stage.task_of("alice", serde_json::from_value(request).expect("a request"));
    let id = stage.submit(task).await;
    let task = stage.until(id, Status::Complete).await;
    assert_eq!(task.result, Some(json!({"steps": 3})));
    assert_eq!((task.progress.done, task.progress.total), (3, Some(3)));
    running.end().await;
}
