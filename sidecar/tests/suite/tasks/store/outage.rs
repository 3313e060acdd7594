//! The database goes away and comes back, or was never there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use taskgate::lifecycle::Tasks;
use taskgate::tasks::store::{self, Selection, Settings, StoreError, Submitted};
use tokio::time::timeout;

use crate::tasks::store::stage::{Home, ROOM, Stage, at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_and_comes_back_under_load() {
    let mut stage = Stage::postgres().await;
    let (accepted, refused): (Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
    let is_over: Arc<AtomicBool> = Arc::default();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4_u64 {
        let store = Arc::clone(&stage.store);
        let (accepted, refused, is_over) = (Arc::clone(&accepted), Arc::clone(&refused), Arc::clone(&is_over));
        let tasks: Vec<_> = (0..20_000).map(|number| stage.task("alice", client * 1_000_000 + number)).collect();
        clients.spawn(async move {
            let mut ids = Vec::new();
            for task in tasks {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let id = task.id;
                match store.submit(task, &ROOM, at(0)).await {
                    Ok(Submitted::Accepted(_)) => {
                        accepted.fetch_add(1, Ordering::SeqCst);
                        ids.push(id);
                    }
                    Err(error) => {
                        assert!(error.is_passing(), "{error}");
                        assert!(!error.to_string().contains("hunter2"), "{error}");
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(other) => panic!("{other:?}"),
                }
            }
            ids
        });
    }
    let more = async |counter: &AtomicU64| {
        let before = counter.load(Ordering::SeqCst);
        let wait = taskgate_test_kit::wait_until(Duration::from_secs(60), "more", async || {
            counter.load(Ordering::SeqCst) > before + 10
        });
        wait.await.expect("more");
    };
    let mut work = stage.store.changes().work();
    more(&accepted).await;
    let Home::Server(server) = &mut stage.home else { panic!("a server") };
    server.kill().expect("killed");
    let wait = taskgate_test_kit::wait_until(Duration::from_secs(60), "a refusal", async || {
        refused.load(Ordering::SeqCst) > 0
    });
    wait.await.expect("a refusal");
    server.start_again().expect("started");
    more(&accepted).await;
    is_over.store(true, Ordering::SeqCst);
    let ids = clients.join_all().await.concat();
    let kept = stage.store.list(&Selection { limit: 100_000, ..Selection::default() }).await.expect("a list");
    let kept: std::collections::BTreeSet<_> = kept.into_iter().map(|task| task.id).collect();
    assert!(ids.iter().all(|id| kept.contains(id)), "what was accepted is there");
    // Listening goes on too: another process is heard.
    let other = stage.another().await;
    timeout(Duration::from_secs(30), async {
        let mut number = 90_000_000;
        loop {
            other.submit(stage.task("bob", number), &ROOM, at(0)).await.expect("an answer");
            number += 1;
            if timeout(Duration::from_millis(200), work.wait()).await.is_ok() {
                break;
            }
        }
    })
    .await
    .expect("heard");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_without_its_password() {
    let settings = Settings { patience: Duration::from_millis(300), ..Settings::default() };
    let tasks = Tasks::new();
    for (address, is_address) in [
        ("mysql://root:hunter2@localhost/tasks", true),
        ("postgres://root:hunter2@localhost:notaport/tasks", true),
        ("sqlite::memory:", true),
        ("postgres://root:hunter2@127.0.0.1:1/tasks", false),
        ("sqlite:/nowhere/at/all/tasks.db", false),
    ] {
        let error = store::open(address, &settings, &tasks).await.expect_err("no store");
        assert_eq!(matches!(error, StoreError::Address(_)), is_address, "{error}");
        assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = Stage::sqlite().await;
    stage.any("alice", at(0)).await;
    let Home::File(directory) = &stage.home else { panic!("a file") };
    let mut files = 0;
    for file in std::fs::read_dir(directory.path()).expect("a directory") {
        let mode = file.expect("a file").metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0);
        files += 1;
    }
    assert!(files >= 2, "the journal is beside it");
}

#[tokio::test]
async fn what_is_asked_when_the_process_ends_is_still_written() {
    let stage = Stage::sqlite().await;
    let before = stage.any("alice", at(0)).await;
    assert!(stage.tasks.end(Duration::from_secs(10)).await, "nothing is left running");
    let after = stage.any("alice", at(0)).await;
    for task in [before, after] {
        assert_eq!(stage.task_now(task.id).await, task);
    }
}
