//! Who gets which task, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use taskgate::tasks::request::{Location, MAX_TEXT, ObjectName};
use taskgate::tasks::row::TaskId;
use taskgate::tasks::store::{Claim, Claimant, Claims, Limits, Outcome, Renewal, Renewed, Retention, Settled};
use taskgate_core::task::Status;

use crate::tasks::claimant;
use crate::tasks::store::on_both;
use crate::tasks::store::stage::{LEASE, ROOM, Stage, at, complete, failure};

on_both!(
    a_claim_hands_over_all_that_work_needs,
    owners_with_the_fewest_running_come_first,
    caps_leave_the_rest_waiting,
    a_lease_that_ends_is_taken_over,
    who_lost_every_worker_is_given_up,
    a_deadline_ends_what_waits,
    operations_are_left_to_who_does_them,
    a_row_that_can_not_be_read_costs_itself_alone,
    a_retry_waits_its_time,
);

fn owners(claims: &Claims) -> Vec<&str> {
    claims.tasks.iter().map(|claimed| claimed.task.owner.as_str()).collect()
}

async fn a_claim_hands_over_all_that_work_needs(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let claimed = stage.claimed(at(5)).await;
    assert_eq!(claimed.credential.as_bytes(), b"of alice");
    assert_eq!((claimed.checkpoint, claimed.hold.id, claimed.hold.epoch), (None, task.id, 1));
    let held = claimed.task;
    assert_eq!((held.status, held.attempts, held.version), (Status::InProgress, 1, 2));
    assert_eq!((held.started, held.worker.as_deref()), (Some(at(5)), Some("worker")));
    assert_eq!((held.lease_until, held.request.clone()), (Some(at(5).after(LEASE)), task.request));
    assert_eq!(stage.task_now(task.id).await, held);
    assert_eq!(stage.claims(10, &ROOM, at(6)).await, Claims::default(), "nobody else gets it");
}

async fn owners_with_the_fewest_running_come_first(stage: Stage) {
    for second in 0..6 {
        stage.any("alice", at(second)).await;
    }
    stage.any("bob", at(10)).await;
    stage.any("bob", at(11)).await;
    stage.any("carol", at(12)).await;
    assert_eq!(owners(&stage.claims(4, &ROOM, at(20)).await), ["alice", "bob", "carol", "alice"]);
    assert_eq!(owners(&stage.claims(2, &ROOM, at(20)).await), ["bob", "alice"]);
    let rest = stage.claims(10, &ROOM, at(20)).await;
    assert_eq!(owners(&rest), ["alice", "alice", "alice"]);
    assert!(rest.tasks.is_sorted_by_key(|claimed| claimed.task.created), "the oldest first");
}

async fn caps_leave_the_rest_waiting(stage: Stage) {
    for second in 0..10 {
        stage.any("alice", at(second)).await;
        stage.any("bob", at(second)).await;
    }
    let limits = Limits { running_per_user: 3, running: 5, ..ROOM };
    let first = stage.claims(100, &limits, at(20)).await;
    let mut running = BTreeMap::new();
    owners(&first).into_iter().for_each(|owner| *running.entry(owner).or_insert(0) += 1);
    assert_eq!(running, BTreeMap::from([("alice", 3), ("bob", 2)]));
    assert_eq!(stage.claims(100, &limits, at(21)).await.tasks.len(), 0);
    stage.settle(first.tasks[0].hold, complete(), at(22)).await;
    assert_eq!(stage.claims(100, &limits, at(23)).await.tasks.len(), 1);
    let own = Limits { running: 100, ..limits };
    assert_eq!(stage.claims(100, &own, at(24)).await.tasks.len(), 1, "three of each run");
}

async fn a_lease_that_ends_is_taken_over(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let first = stage.claimed(at(0)).await.hold;
    stage.store.checkpoint(first, b"half".to_vec(), Default::default(), at(1)).await.expect("kept");
    let renewal = Renewal { hold: first, lease_until: at(100), progress: None };
    assert_eq!(stage.store.renew(vec![renewal], at(10)).await, Ok(vec![Renewed::Held]));
    assert_eq!(stage.claims(1, &ROOM, at(99)).await, Claims::default(), "the lease was prolonged");
    let claims = stage.claims(1, &ROOM, at(100)).await;
    assert_eq!(claims.lost, [task.id]);
    let second = &claims.tasks[0];
    assert_eq!((second.hold.epoch, second.task.attempts), (2, 2));
    assert_eq!(second.checkpoint.as_deref(), Some(b"half".as_slice()), "it goes on from there");
    assert_eq!(stage.settle(first, complete(), at(101)).await, Settled::Fenced);
    assert_eq!(stage.settle(second.hold, complete(), at(101)).await, Settled::Done(Status::Complete));
}

async fn who_lost_every_worker_is_given_up(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let mut now = at(0);
    for attempt in 1..=3 {
        assert_eq!(stage.claimed(now).await.task.attempts, attempt);
        now = now.after(LEASE);
    }
    let claims = stage.claims(1, &ROOM, now).await;
    assert!(claims.tasks.is_empty() && claims.lost.is_empty());
    let [given_up] = claims.given_up.as_slice() else { panic!("one is given up: {claims:?}") };
    assert_eq!((given_up.id, given_up.status, given_up.finished), (task.id, Status::Failed, Some(now)));
    let failure = given_up.failure.clone().expect("a failure");
    assert!(failure.is_final && failure.code == "worker-lost", "{failure:?}");
}

async fn a_deadline_ends_what_waits(stage: Stage) {
    let mut late = stage.task("alice", 1);
    late.deadline = Some(at(10));
    let late = stage.accepted(late, at(0)).await;
    let good = stage.any("alice", at(1)).await;
    let claims = stage.claims(1, &ROOM, at(10)).await;
    assert_eq!(claims.given_up.iter().map(|task| task.id).collect::<Vec<_>>(), [late.id]);
    let failure = claims.given_up[0].failure.clone().expect("a failure");
    assert!(failure.is_final && failure.code == "deadline-exceeded", "{failure:?}");
    // Only one was to be claimed, and that one was too late.
    let next = stage.claims(1, &ROOM, at(10)).await;
    let got: Vec<_> = claims.tasks.iter().chain(&next.tasks).map(|claimed| claimed.task.id).collect();
    assert_eq!(got, [good.id]);
}

async fn operations_are_left_to_who_does_them(stage: Stage) {
    let task = stage.any("alice", at(0)).await;
    let mut late = stage.task("alice", 1);
    late.deadline = Some(at(10));
    let late = stage.accepted(late, at(1)).await;
    let elsewhere = Claimant { name: "elsewhere".to_owned(), operations: vec!["copy".to_owned()] };
    let claim = |claimant: &Claimant| Claim { claimant: claimant.clone(), max: 10, lease_until: at(20).after(LEASE) };
    let claims =
        async |claimant: &Claimant, now| stage.store.claim(&claim(claimant), &ROOM, now).await.expect("claims");
    assert_eq!(claims(&elsewhere, at(5)).await, Claims::default());
    // What is too late is so for whoever looks.
    let given_up = claims(&elsewhere, at(10)).await.given_up;
    assert_eq!(given_up.iter().map(|task| task.id).collect::<Vec<TaskId>>(), [late.id]);
    let taken = claims(&claimant("here"), at(11)).await.tasks;
    assert_eq!(
        taken.iter().map(|claimed| (claimed.hold.id, claimed.task.attempts)).collect::<Vec<_>>(),
        [(task.id, 1)]
    );
}

async fn a_row_that_can_not_be_read_costs_itself_alone(stage: Stage) {
    let bad = async |number| {
        let mut bad = stage.task("mallory", number);
        let object = ObjectName::Path("/y".repeat(MAX_TEXT));
        bad.request.des = vec![Location { domain: "/x".to_owned(), bucket: None, object, select: None }];
        bad.deadline = (number == 2).then_some(at(5));
        bad
    };
    for number in [1, 2] {
        assert!(stage.store.submit(bad(number).await, &ROOM, at(0)).await.is_ok());
    }
    let good = stage.any("alice", at(1)).await;
    let claims = stage.claims(10, &ROOM, at(10)).await;
    assert_eq!(claims.tasks.iter().map(|claimed| claimed.hold.id).collect::<Vec<TaskId>>(), [good.id]);
    assert_eq!(stage.claims(10, &ROOM, at(11)).await, Claims::default(), "they are over");
    let retention = Retention { finished: Duration::from_secs(10), tombstones: Duration::from_secs(10) };
    assert_eq!(stage.store.sweep(retention, at(20)).await.expect("swept").finished, 2);
}

async fn a_retry_waits_its_time(stage: Stage) {
    stage.any("alice", at(0)).await;
    let mut now = at(0);
    for _ in 0..2 {
        let hold = stage.claimed(now).await.hold;
        let not_before = now.after(Duration::from_secs(60));
        let outcome = Outcome::Retry { not_before, failure: failure("unavailable") };
        assert_eq!(stage.settle(hold, outcome, now).await, Settled::Done(Status::Queued));
        assert!(stage.claims(1, &ROOM, now.after(Duration::from_secs(59))).await.tasks.is_empty());
        now = not_before;
    }
    let last = stage.claimed(now).await;
    assert_eq!(last.task.failure, Some(failure("unavailable")));
    let outcome = Outcome::Retry { not_before: now, failure: failure("unavailable") };
    assert_eq!(stage.settle(last.hold, outcome, now).await, Settled::Done(Status::Failed), "no attempts are left");
    let task = stage.task_now(last.hold.id).await;
    assert!(task.failure.is_some_and(|failure| failure.is_final && failure.code == "unavailable"));
}
