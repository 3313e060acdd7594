//! What a holder may write, and who no longer may.

use serde_json::json;
use taskgate::tasks::row::Sealed;
use taskgate::tasks::store::{Hold, Outcome, Renewal, Renewed, Resumed, Settled};
use taskgate_core::task::{Progress, Status, Unit};

use crate::tasks::store::on_both;
use crate::tasks::store::stage::{ROOM, Stage, at, complete, failure};

on_both!(
    what_is_over_keeps_its_outcome_and_no_credential,
    a_zombie_writes_nothing_and_is_counted,
    progress_shows,
    a_pause_waits_for_a_credential,
    a_worker_that_ends_gives_back,
);

async fn what_is_over_keeps_its_outcome_and_no_credential(stage: Stage) {
    for outcome in [Outcome::Complete(json!([2, 3, 7])), Outcome::Failed(failure("not-found"))] {
        let task = stage.any("alice", at(0)).await;
        let hold = stage.claimed(at(0)).await.hold;
        let is_complete = matches!(outcome, Outcome::Complete(_));
        let status = if is_complete { Status::Complete } else { Status::Failed };
        assert_eq!(stage.settle(hold, outcome.clone(), at(9)).await, Settled::Done(status));
        let over = stage.task_now(task.id).await;
        assert_eq!((over.status, over.finished, over.lease_until), (status, Some(at(9)), None));
        assert_eq!(over.result, is_complete.then(|| json!([2, 3, 7])));
        assert_eq!(over.failure.is_some_and(|failure| failure.is_final), !is_complete);
        assert_eq!(stage.settle(hold, outcome, at(10)).await, Settled::Done(status), "an answer that got lost");
        assert_eq!(stage.task_now(task.id).await.version, over.version);
        assert_eq!(stage.settle(hold, Outcome::Released { checkpoint: None }, at(10)).await, Settled::Fenced);
    }
}

async fn a_zombie_writes_nothing_and_is_counted(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let zombie = stage.claimed(at(0)).await.hold;
    let holder = stage.claimed(at(60)).await.hold;
    let before = stage.task_now(task.id).await;
    let progress = Progress { done: 9, total: Some(10), unit: Unit::Bytes };
    let lost = [Renewal { hold: zombie, lease_until: at(999), progress: Some(progress) }];
    let both = vec![lost[0], Renewal { hold: holder, lease_until: at(90), progress: None }];
    assert_eq!(stage.store.renew(both, at(61)).await, Ok(vec![Renewed::Lost, Renewed::Held]));
    assert_eq!(stage.store.checkpoint(zombie, vec![0], progress, at(61)).await, Ok(Renewed::Lost));
    let last = Outcome::Retry { not_before: at(0), failure: failure("x") };
    for outcome in [complete(), Outcome::Failed(failure("x")), Outcome::Paused(failure("x")), last] {
        assert_eq!(stage.settle(zombie, outcome, at(62)).await, Settled::Fenced);
    }
    let mut after = stage.task_now(task.id).await;
    assert_eq!((after.fenced, after.lease_until), (6, Some(at(90))));
    (after.fenced, after.lease_until) = (before.fenced, before.lease_until);
    assert_eq!(after, before);
    assert_eq!(stage.store.counts(at(62)).await.expect("counts").fenced, 6);
    let unknown = Hold { id: stage.task("alice", 0).id, epoch: 1 };
    assert_eq!(stage.settle(unknown, complete(), at(63)).await, Settled::Fenced);
    assert_eq!(stage.settle(holder, complete(), at(63)).await, Settled::Done(Status::Complete));
}

async fn progress_shows(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    let quiet = Renewal { hold, lease_until: at(40), progress: None };
    stage.store.renew(vec![quiet], at(10)).await.expect("renewed");
    assert_eq!(stage.task_now(task.id).await.version, 2, "a lease is nothing to see");
    let progress = Progress { done: 5, total: Some(8), unit: Unit::Objects };
    let renewal = Renewal { progress: Some(progress), ..quiet };
    stage.store.renew(vec![renewal], at(20)).await.expect("renewed");
    let shown = stage.task_now(task.id).await;
    assert_eq!((shown.progress, shown.version, shown.updated), (progress, 3, at(20)));
    let more = Progress { done: 6, total: None, unit: Unit::Steps };
    assert_eq!(stage.store.checkpoint(hold, vec![1], more, at(30)).await, Ok(Renewed::Held));
    assert_eq!(stage.task_now(task.id).await.progress, more);
}

async fn a_pause_waits_for_a_credential(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let resume = async || {
        let credential = Sealed::new(b"another".to_vec());
        stage.store.resume(task.id, credential, Some(at(500)), at(50)).await.expect("an answer")
    };
    assert_eq!(resume().await, Resumed::NotPaused(Status::Queued));
    let hold = stage.claimed(at(0)).await.hold;
    stage.store.checkpoint(hold, b"half".to_vec(), Progress::default(), at(1)).await.expect("kept");
    assert_eq!(
        stage.settle(hold, Outcome::Paused(failure("credential-ended")), at(2)).await,
        Settled::Done(Status::Paused)
    );
    assert!(stage.claims(1, &ROOM, at(3)).await.tasks.is_empty());
    assert_eq!(stage.task_now(task.id).await.attempts, 0, "that was no attempt");
    let Resumed::Now(resumed) = resume().await else { panic!("resumed") };
    assert_eq!((resumed.status, resumed.credential_expires), (Status::Queued, Some(at(500))));
    let again = stage.claimed(at(51)).await;
    assert_eq!(
        (again.credential.as_bytes(), again.checkpoint.as_deref()),
        (b"another".as_slice(), Some(b"half".as_slice()))
    );
    stage.store.delete(task.id, at(52)).await.expect("an answer");
    assert_eq!(resume().await, Resumed::Deleted);
}

async fn a_worker_that_ends_gives_back(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let hold = stage.claimed(at(0)).await.hold;
    let outcome = Outcome::Released { checkpoint: Some(b"two thirds".to_vec()) };
    assert_eq!(stage.settle(hold, outcome, at(1)).await, Settled::Done(Status::Queued));
    let queued = stage.task_now(task.id).await;
    assert_eq!((queued.attempts, queued.lease_until, queued.finished), (0, None, None));
    let again = stage.claimed(at(1)).await;
    assert_eq!((again.hold.epoch, again.task.attempts, again.task.started), (2, 1, Some(at(0))));
    assert_eq!(again.checkpoint.as_deref(), Some(b"two thirds".as_slice()));
    stage.settle(again.hold, Outcome::Released { checkpoint: None }, at(2)).await;
    assert_eq!(stage.claimed(at(2)).await.checkpoint.as_deref(), Some(b"two thirds".as_slice()), "the last one stays");
}
