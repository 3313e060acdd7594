//! What is accepted, and what is answered instead.

use std::collections::BTreeSet;
use std::sync::Arc;

use taskgate::tasks::row::TaskId;
use taskgate::tasks::store::{Deleted, Limits, Submitted};
use taskgate_core::task::Status;

use crate::tasks::store::on_both;
use crate::tasks::store::stage::{ROOM, Stage, at, complete, named};

on_both!(
    an_accepted_task_is_there,
    equal_requests_are_one_task_while_it_is_under_way,
    a_key_replays_its_first_task,
    there_is_only_so_much_room,
    of_concurrent_equal_requests_one_is_accepted,
    limits_hold_under_concurrent_requests,
);

async fn an_accepted_task_is_there(stage: Stage) {
    let mut new = stage.task("alice", 42);
    new.deadline = Some(at(1000));
    new.credential_expires = Some(at(900));
    let accepted = stage.accepted(new.clone(), at(0)).await;
    assert_eq!((accepted.status, accepted.version, accepted.created), (Status::Queued, 1, at(0)));
    assert_eq!((accepted.request.clone(), accepted.digest), (new.request, new.digest));
    assert_eq!(stage.task_now(accepted.id).await, accepted);
    assert_eq!(stage.another().await.get(accepted.id).await, Ok(Some(accepted)));
}

async fn equal_requests_are_one_task_while_it_is_under_way(stage: Stage) {
    let submit = async |owner: &str| stage.store.submit(stage.task(owner, 42), &ROOM, at(0)).await.expect("an answer");
    let first = stage.accepted(stage.task("alice", 42), at(0)).await.id;
    assert_eq!(submit("alice").await, Submitted::Identical(first));
    assert!(matches!(submit("bob").await, Submitted::Accepted(_)), "another's is another");
    stage.claims(10, &ROOM, at(0)).await;
    assert_eq!(submit("alice").await, Submitted::Identical(first), "in progress");
    let hold = taskgate::tasks::store::Hold { id: first, epoch: 1 };
    stage.settle(hold, complete(), at(1)).await;
    let Submitted::Accepted(second) = submit("alice").await else { panic!("the first one is over") };
    assert!(matches!(stage.store.delete(second.id, at(2)).await, Ok(Deleted::Now(_))));
    assert!(matches!(submit("alice").await, Submitted::Accepted(_)), "the second one is deleted");
}

async fn a_key_replays_its_first_task(stage: Stage) {
    let submit = async |owner: &str, number: u64, key: &str, limits: &Limits| {
        let mut task = stage.task(owner, number);
        task.idempotency = named(key, &number.to_string());
        stage.store.submit(task, limits, at(0)).await.expect("an answer")
    };
    let Submitted::Accepted(first) = submit("alice", 1, "k", &ROOM).await else { panic!("accepted") };
    let none = Limits { queued_per_user: 0, queued: 0, ..ROOM };
    let Submitted::Replayed(again) = submit("alice", 1, "k", &none).await else { panic!("replayed, room or not") };
    assert_eq!(again, first);
    assert_eq!(submit("alice", 2, "k", &ROOM).await, Submitted::KeyReused);
    assert_eq!(submit("alice", 1, "other", &ROOM).await, Submitted::Identical(first.id));
    assert!(matches!(submit("bob", 1, "k", &ROOM).await, Submitted::Accepted(_)), "keys are an owner's own");
    let claims = stage.claims(10, &ROOM, at(0)).await;
    let hold = claims.tasks.iter().map(|claimed| claimed.hold).find(|hold| hold.id == first.id).expect("a hold");
    stage.settle(hold, complete(), at(1)).await;
    let Submitted::Replayed(over) = submit("alice", 1, "k", &ROOM).await else { panic!("replayed when over too") };
    assert_eq!((over.id, over.status), (first.id, Status::Complete));
}

async fn there_is_only_so_much_room(stage: Stage) {
    let limits = Limits { queued_per_user: 2, queued: 3, ..ROOM };
    let submit = async |owner: &str, number| {
        stage.store.submit(stage.task(owner, number), &limits, at(0)).await.expect("an answer")
    };
    for number in 0..2 {
        assert!(matches!(submit("alice", number).await, Submitted::Accepted(_)));
    }
    assert_eq!(submit("alice", 2).await, Submitted::UserFull);
    assert!(matches!(submit("alice", 1).await, Submitted::Identical(_)), "what is known is said first");
    assert!(matches!(submit("bob", 0).await, Submitted::Accepted(_)));
    assert_eq!(submit("bob", 1).await, Submitted::Full);
    assert_eq!(stage.claims(1, &ROOM, at(1)).await.tasks.len(), 1);
    assert!(matches!(submit("carol", 0).await, Submitted::Accepted(_)), "what runs does not wait");
}

async fn of_concurrent_equal_requests_one_is_accepted(stage: Stage) {
    let stage = Arc::new(stage);
    let stores = [Arc::clone(&stage.store), stage.another().await];
    let mut asking = tokio::task::JoinSet::new();
    for turn in 0..60 {
        let (task, store) = (stage.task("alice", turn % 3), Arc::clone(&stores[usize::from(turn % 2 == 0)]));
        asking.spawn(async move { store.submit(task, &ROOM, at(0)).await.expect("an answer") });
    }
    let (mut accepted, mut identical) = (BTreeSet::<TaskId>::new(), BTreeSet::new());
    for answer in asking.join_all().await {
        match answer {
            Submitted::Accepted(task) => assert!(accepted.insert(task.id)),
            Submitted::Identical(id) => drop(identical.insert(id)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(accepted.len(), 3, "three different ones were asked for");
    assert_eq!(identical, accepted);
}

async fn limits_hold_under_concurrent_requests(stage: Stage) {
    let limits = Limits { queued_per_user: 7, queued: 20, ..ROOM };
    let stores = [Arc::clone(&stage.store), stage.another().await];
    let mut asking = tokio::task::JoinSet::new();
    for turn in 0..120 {
        let (task, store) =
            (stage.task(["a", "b", "c", "d"][turn % 4], turn as u64), Arc::clone(&stores[turn / 4 % 2]));
        asking.spawn(async move {
            let owner = task.owner.clone();
            (owner, store.submit(task, &limits, at(0)).await.expect("an answer"))
        });
    }
    let answers = asking.join_all().await;
    let accepted: Vec<_> = answers.iter().filter(|(_, answer)| matches!(answer, Submitted::Accepted(_))).collect();
    assert_eq!(accepted.len(), 20);
    for owner in ["a", "b", "c", "d"] {
        assert!(accepted.iter().filter(|(whose, _)| whose.as_str() == owner).count() <= 7);
    }
}
