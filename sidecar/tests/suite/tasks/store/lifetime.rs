//! Deleting, forgetting, and what outlasts a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use taskgate::tasks::store::{Claims, Deleted, Outcome, Renewal, Renewed, Retention, Settled, Swept};
use taskgate_core::task::Status;

use crate::tasks::store::on_both;
use crate::tasks::store::stage::{LEASE, ROOM, Stage, at, complete, failure};

on_both!(
    what_waits_ends_when_it_is_deleted,
    who_works_on_a_deleted_task_is_told,
    a_deleted_task_whose_worker_is_lost_ends,
    what_is_over_long_enough_is_forgotten,
    what_no_worker_takes_back_is_swept,
    a_deadline_ends_what_is_paused,
    tasks_outlast_the_process,
    a_credential_is_kept_no_longer_than_it_is_needed,
);

async fn what_waits_ends_when_it_is_deleted(stage: Stage) {
    let paused = stage.any("alice", at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    stage.settle(hold, Outcome::Paused(failure("credential-ended")), at(1)).await;
    let over = stage.any("alice", at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    stage.settle(hold, complete(), at(1)).await;
    let queued = stage.any("alice", at(0)).await;
    for (id, status, finished) in
        [(paused.id, Status::Paused, 5), (over.id, Status::Complete, 1), (queued.id, Status::Queued, 5)]
    {
        let Ok(Deleted::Now(task)) = stage.store.delete(id, at(5)).await else { panic!("deleted") };
        assert_eq!((task.status, task.deleted, task.finished), (status, Some(at(5)), Some(at(finished))));
        assert!(task.is_over());
        assert_eq!(stage.store.delete(id, at(6)).await, Ok(Deleted::Before));
        assert_eq!(stage.task_now(id).await, *task, "its tombstone stays");
    }
    assert_eq!(stage.claims(10, &ROOM, at(10)).await, Claims::default());
    assert_eq!(stage.store.delete(stage.task("alice", 0).id, at(5)).await, Ok(Deleted::Unknown));
}

async fn who_works_on_a_deleted_task_is_told(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    let Ok(Deleted::Now(deleted)) = stage.store.delete(task.id, at(1)).await else { panic!("deleted") };
    assert_eq!((deleted.status, deleted.finished), (Status::InProgress, None));
    let renewal = Renewal { hold, lease_until: at(60), progress: None };
    assert_eq!(stage.store.renew(vec![renewal], at(2)).await, Ok(vec![Renewed::Deleted]));
    assert_eq!(stage.store.checkpoint(hold, vec![1], Default::default(), at(2)).await, Ok(Renewed::Deleted));
    let outcome = Outcome::Released { checkpoint: Some(vec![1]) };
    assert_eq!(stage.settle(hold, outcome, at(3)).await, Settled::Done(Status::Queued));
    let over = stage.task_now(task.id).await;
    assert_eq!((over.finished, over.deleted), (Some(at(3)), Some(at(1))));
    assert_eq!(stage.claims(10, &ROOM, at(4)).await, Claims::default());
}

async fn a_deleted_task_whose_worker_is_lost_ends(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    stage.claimed(at(0)).await;
    stage.store.delete(task.id, at(1)).await.expect("an answer");
    let claims = stage.claims(10, &ROOM, at(0).after(LEASE)).await;
    assert!(claims.tasks.is_empty());
    assert!(stage.task_now(task.id).await.is_over());
}

async fn what_is_over_long_enough_is_forgotten(stage: Stage) {
    let retention = Retention { finished: Duration::from_secs(100), tombstones: Duration::from_secs(10) };
    let sweep = async |secs| {
        let swept = stage.store.sweep(retention, at(secs)).await.expect("swept");
        assert!(swept.is_all);
        (swept.finished, swept.tombstones)
    };
    let complete_one = stage.any("alice", at(0)).await.id;
    let hold = stage.claimed(at(0)).await.hold;
    stage.settle(hold, complete(), at(0)).await;
    let running = stage.any("alice", at(0)).await.id;
    let held = Renewal { hold: stage.claimed(at(0)).await.hold, lease_until: at(200_000), progress: None };
    stage.store.renew(vec![held], at(0)).await.expect("held");
    let queued = stage.any("alice", at(0)).await.id;
    let deleted = stage.any("alice", at(0)).await.id;
    for id in [deleted, running] {
        stage.store.delete(id, at(50)).await.expect("an answer");
    }
    assert_eq!(sweep(59).await, (0, 0));
    assert_eq!(sweep(60).await, (0, 1), "the tombstone of the one that nobody holds");
    assert_eq!(stage.store.get(deleted).await, Ok(None));
    assert_eq!(sweep(99).await, (0, 0));
    assert_eq!(sweep(100).await, (1, 0));
    assert_eq!(stage.store.get(complete_one).await, Ok(None));
    assert_eq!(sweep(100_000).await, (0, 0));
    assert!(stage.task_now(queued).await.finished.is_none(), "what is not over stays");
}

async fn what_no_worker_takes_back_is_swept(stage: Stage) {
    let mut late = stage.task("alice", 1);
    late.deadline = Some(at(20));
    let late = stage.accepted(late, at(0)).await.id;
    let (lost, deleted) = (stage.any("bob", at(0)).await.id, stage.any("carol", at(0)).await.id);
    assert_eq!(stage.claims(3, &ROOM, at(0)).await.tasks.len(), 3);
    stage.store.delete(deleted, at(1)).await.expect("an answer");
    let retention = Retention { finished: Duration::from_secs(1000), tombstones: Duration::from_secs(1000) };
    let before = at(0).after(LEASE).before(Duration::from_millis(1));
    assert_eq!(stage.store.sweep(retention, before).await, Ok(Swept { is_all: true, ..Swept::default() }));
    let swept = stage.store.sweep(retention, at(0).after(LEASE)).await.expect("swept");
    assert_eq!(swept.given_up.iter().map(|task| (task.id, task.status)).collect::<Vec<_>>(), [(late, Status::Failed)]);
    assert_eq!(swept.lost.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([lost, deleted]));
    assert_eq!(stage.task_now(lost).await.status, Status::Queued);
    assert!(stage.task_now(deleted).await.is_over());
}

async fn a_deadline_ends_what_is_paused(stage: Stage) {
    let mut task = stage.task("alice", 1);
    task.deadline = Some(at(100));
    let id = stage.accepted(task, at(0)).await.id;
    let hold = stage.claimed(at(0)).await.hold;
    stage.settle(hold, Outcome::Paused(failure("credential-ended")), at(1)).await;
    let retention = Retention { finished: Duration::from_secs(1000), tombstones: Duration::from_secs(1000) };
    assert!(stage.store.sweep(retention, at(99)).await.expect("swept").given_up.is_empty());
    let swept = stage.store.sweep(retention, at(100)).await.expect("swept");
    assert_eq!(swept.given_up.iter().map(|task| (task.id, task.status)).collect::<Vec<_>>(), [(id, Status::Failed)]);
}

async fn tasks_outlast_the_process(stage: Stage) {
    let (held, queued) = (stage.any("alice", at(0)).await, stage.any("bob", at(0)).await);
    let claimed = stage.claims(1, &ROOM, at(0)).await.tasks.remove(0);
    assert_eq!(claimed.hold.id, held.id);
    stage.store.close().await;
    assert!(stage.store.get(held.id).await.is_err_and(|error| error.is_passing()));
    let store = stage.another().await;
    assert_eq!(store.get(held.id).await, Ok(Some(claimed.task)));
    assert_eq!(store.get(queued.id).await, Ok(Some(queued)));
    assert_eq!(store.settle(claimed.hold, complete(), at(1)).await, Ok(Settled::Done(Status::Complete)));
}

async fn a_credential_is_kept_no_longer_than_it_is_needed(stage: Stage) {
    let retry = |failure| Outcome::Retry { not_before: at(1), failure };
    for (outcome, left) in [
        (complete(), 0),
        (Outcome::Failed(failure("x")), 0),
        (Outcome::Paused(failure("x")), 0),
        (Outcome::Released { checkpoint: None }, 1),
        (retry(failure("x")), 1),
    ] {
        let task = stage.any("alice", at(0)).await;
        let hold = stage.claimed(at(0)).await.hold;
        assert_eq!(stage.credentials().await, 1);
        stage.settle(hold, outcome.clone(), at(1)).await;
        assert_eq!(stage.credentials().await, left, "{outcome:?}");
        stage.store.delete(task.id, at(1)).await.expect("an answer");
        assert_eq!(stage.credentials().await, 0, "deleted after {outcome:?}");
    }
    let mut last = stage.task("alice", 1);
    last.max_attempts = 1;
    stage.accepted(last, at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    stage.settle(hold, retry(failure("x")), at(1)).await;
    assert_eq!(stage.credentials().await, 0, "no attempts are left");
    let mut lost = stage.task("alice", 2);
    lost.max_attempts = 1;
    stage.accepted(lost, at(0)).await;
    let lost = stage.claimed(at(0)).await.hold;
    let mut late = stage.task("alice", 3);
    late.deadline = Some(at(10));
    stage.accepted(late, at(0)).await;
    assert_eq!(stage.claims(10, &ROOM, at(0).after(LEASE)).await.given_up.len(), 2);
    assert_eq!(stage.credentials().await, 0, "given up");
    assert_eq!(stage.settle(lost, complete(), at(50)).await, Settled::Fenced);
    let running = stage.any("alice", at(0)).await;
    stage.claimed(at(60)).await;
    stage.store.delete(running.id, at(61)).await.expect("an answer");
    assert_eq!(stage.credentials().await, 0, "at once, though a worker has it still");
}
