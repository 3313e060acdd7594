//! Lists, counts, and being woken.

use std::collections::BTreeMap;
use std::time::Duration;

use taskgate::tasks::row::{Owner, TaskId};
use taskgate::tasks::store::Selection;
use taskgate_core::task::Status;
use tokio::time::timeout;

use crate::tasks::store::on_both;
use crate::tasks::store::stage::{ROOM, Stage, at, complete};

on_both!(pages_show_each_task_once, counts_are_by_operation_and_state, who_waits_is_woken, other_processes_are_woken);

/// Longer than any wake-up takes.
const SOON: Duration = Duration::from_secs(10);

async fn pages_show_each_task_once(stage: Stage) {
    let mut expected = Vec::new();
    for second in 0..25 {
        expected.push(stage.any("alice", at(second)).await.id);
        stage.any("bob", at(second)).await;
    }
    let gone = expected.remove(7);
    stage.store.delete(gone, at(30)).await.expect("an answer");
    expected.reverse();
    let mut selection = Selection { owner: Some(Owner::new("alice")), limit: 10, ..Selection::default() };
    let mut seen: Vec<TaskId> = Vec::new();
    loop {
        let page = stage.store.list(&selection).await.expect("a page");
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        selection.after = Some(last.id);
        seen.extend(page.iter().map(|task| task.id));
        // What is new comes before the first page.
        stage.any("alice", at(40)).await;
    }
    assert_eq!(seen, expected);
    let all = stage.store.list(&Selection { limit: 1000, ..Selection::default() }).await.expect("a page");
    assert_eq!(all.len(), 24 + 25 + 3);
    let claimed = stage.claims(3, &ROOM, at(50)).await;
    let running =
        Selection { statuses: vec![Status::InProgress, Status::Complete], limit: 1000, ..Selection::default() };
    assert_eq!(stage.store.list(&running).await.expect("a page").len(), 3);
    stage.settle(claimed.tasks[0].hold, complete(), at(51)).await;
    assert_eq!(stage.store.list(&running).await.expect("a page").len(), 3);
}

async fn counts_are_by_operation_and_state(stage: Stage) {
    assert_eq!(stage.store.counts(at(0)).await, Ok(Default::default()));
    for second in 0..5 {
        stage.any("alice", at(second)).await;
    }
    let claims = stage.claims(2, &ROOM, at(10)).await;
    stage.settle(claims.tasks[0].hold, complete(), at(11)).await;
    let counts = stage.store.counts(at(12)).await.expect("counts");
    let of = |status| ("factor".to_owned(), status);
    let expected = [(of(Status::Queued), 3), (of(Status::InProgress), 1), (of(Status::Complete), 1)];
    assert_eq!(counts.tasks, BTreeMap::from(expected));
    assert_eq!(counts.oldest_due, Some(Duration::from_secs(10)), "the third waits since its second");
}

async fn who_waits_is_woken(stage: Stage) {
    let mut work = stage.store.changes().work();
    let task = stage.any("alice", at(0)).await;
    timeout(SOON, work.wait()).await.expect("there is work");
    let mut following = stage.store.changes().follow(task.id);
    stage.claimed(at(0)).await;
    timeout(SOON, following.changed()).await.expect("it changed");
}

async fn other_processes_are_woken(stage: Stage) {
    let other = stage.another().await;
    let mut work = other.changes().work();
    let task = stage.any("alice", at(0)).await;
    timeout(SOON, work.wait()).await.expect("there is work");
    let mut following = other.changes().follow(task.id);
    let waiting = async {
        while other.get(task.id).await.expect("an answer").expect("a task").status == Status::Queued {
            following.changed().await;
        }
    };
    let (_, waited) = tokio::join!(stage.claims(1, &ROOM, at(0)), timeout(SOON, waiting));
    waited.expect("it changed");
}
