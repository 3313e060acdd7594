//! Many who claim at once: nothing is done twice, and no limit is passed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskgate::tasks::row::TaskId;
use taskgate::tasks::store::{Claim, Hold, Limits, Outcome, Renewal, Settled, Store};
use taskgate_core::task::Status;

use crate::tasks::claimant;
use crate::tasks::store::on_both;
use crate::tasks::store::stage::{LEASE, ROOM, Stage, at, complete};

on_both!(
    eight_claimers_share_five_hundred_tasks,
    limits_hold_for_claims_at_the_same_moment,
    everything_at_once_ends_each_task_once,
);

const TASKS: u64 = 500;
const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
const LIMITS: Limits = Limits { queued_per_user: 1000, running_per_user: 5, queued: 1000, running: 12 };

/// Who holds what, as those who hold it see it.
#[derive(Default)]
struct Watched {
    running: Mutex<BTreeMap<String, usize>>,
    done: Mutex<BTreeMap<TaskId, u64>>,
    settled: AtomicU64,
}

async fn eight_claimers_share_five_hundred_tasks(stage: Stage) {
    for number in 0..TASKS {
        let owner = OWNERS[(number % 4) as usize];
        stage.accepted(stage.task(owner, number), at(0)).await;
    }
    let stores = [Arc::clone(&stage.store), stage.another().await];
    let watched: Arc<Watched> = Arc::default();
    let mut claimers = tokio::task::JoinSet::new();
    for number in 0..8 {
        claimers.spawn(claimer(number, Arc::clone(&stores[number % 2]), Arc::clone(&watched)));
    }
    claimers.join_all().await;
    let counts = stage.store.counts(at(1)).await.expect("counts");
    let done = watched.done.lock().expect("a lock");
    assert_eq!(done.len() as u64, TASKS);
    assert!(done.values().all(|times| *times == 1), "none twice");
    assert_eq!(counts.tasks.get(&("factor".to_owned(), Status::Complete)), Some(&TASKS));
    assert_eq!(counts.fenced, 0);
}

/// Claims and completes until all is done.
async fn claimer(number: usize, store: Arc<dyn Store>, watched: Arc<Watched>) {
    let claim = Claim { claimant: claimant(&number.to_string()), max: 3, lease_until: at(0).after(LEASE) };
    while watched.settled.load(Ordering::SeqCst) < TASKS {
        let claims = store.claim(&claim, &LIMITS, at(0)).await.expect("claims");
        for claimed in &claims.tasks {
            let mut running = watched.running.lock().expect("a lock");
            let own = running.entry(claimed.task.owner.to_string()).or_default();
            *own += 1;
            assert!(*own <= 5, "the cap of an owner");
            assert!(running.values().sum::<usize>() <= 12, "the cap of all");
        }
        tokio::task::yield_now().await;
        for claimed in claims.tasks {
            // It counts as done before it is: whoever claims it after that is the next.
            *watched.running.lock().expect("a lock").entry(claimed.task.owner.to_string()).or_default() -= 1;
            *watched.done.lock().expect("a lock").entry(claimed.hold.id).or_default() += 1;
            let settled = store.settle(claimed.hold, complete(), at(0)).await;
            assert_eq!(settled, Ok(Settled::Done(Status::Complete)));
            watched.settled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Eight processes claim at once, of much more than may run.
async fn limits_hold_for_claims_at_the_same_moment(stage: Stage) {
    let limits = Limits { running_per_user: 4, running: 10, ..ROOM };
    let mut stores = vec![Arc::clone(&stage.store)];
    while stores.len() < 8 {
        stores.push(stage.another().await);
    }
    for number in 0..200 {
        stage.accepted(stage.task(OWNERS[(number % 4) as usize], number), at(0)).await;
    }
    for _ in 0..10 {
        let mut claiming = tokio::task::JoinSet::new();
        for store in stores.clone() {
            let claim = Claim { claimant: claimant("worker"), max: 10, lease_until: at(0).after(LEASE) };
            claiming.spawn(async move { store.claim(&claim, &limits, at(0)).await.expect("claims").tasks });
        }
        let claimed = claiming.join_all().await.concat();
        assert_eq!(claimed.len(), 10, "as many as may run, by all together");
        for owner in OWNERS {
            assert!(claimed.iter().filter(|claimed| claimed.task.owner.as_str() == owner).count() <= 4);
        }
        for claimed in claimed {
            assert_eq!(stage.settle(claimed.hold, complete(), at(0)).await, Settled::Done(Status::Complete));
        }
    }
}

/// Two processes claim, renew, delete, settle and lose leases at once: nobody waits for another in a circle, and each
/// task is over in the end, by the hand of whoever held it last.
async fn everything_at_once_ends_each_task_once(stage: Stage) {
    let mut ids = Vec::new();
    for number in 0..TASKS {
        let mut task = stage.task(OWNERS[(number % 4) as usize], number);
        task.max_attempts = 1000;
        ids.push(stage.accepted(task, at(0)).await.id);
    }
    let stores = [Arc::clone(&stage.store), stage.another().await];
    let clock: Arc<AtomicU64> = Arc::default();
    let completed: Arc<Mutex<BTreeMap<TaskId, u64>>> = Arc::default();
    let mut everybody = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (store, clock, completed) = (Arc::clone(&stores[number % 2]), Arc::clone(&clock), Arc::clone(&completed));
        everybody.spawn(async move {
            // Each round takes a second, and a lease is three: some are lost.
            loop {
                let now = at(clock.fetch_add(1, Ordering::SeqCst));
                let lease_until = now.after(Duration::from_secs(3));
                let claim = Claim { claimant: claimant(&number.to_string()), max: 10, lease_until };
                let claims = store.claim(&claim, &ROOM, now).await.expect("claims");
                let counts = store.counts(now).await.expect("counts");
                if claims.tasks.is_empty() && counts.tasks.keys().all(|(_, status)| status.is_over()) {
                    return;
                }
                let holds: Vec<Hold> = claims.tasks.iter().map(|claimed| claimed.hold).collect();
                // In no particular order, as holds come.
                let renewals = holds.iter().rev().map(|hold| Renewal { hold: *hold, lease_until, progress: None });
                store.renew(renewals.collect(), now).await.expect("renewed");
                for (index, hold) in holds.into_iter().enumerate() {
                    let is_first = hold.epoch == 1 && index % 3 == 0;
                    let outcome = if is_first { Outcome::Released { checkpoint: None } } else { complete() };
                    let is_complete = outcome == complete();
                    if store.settle(hold, outcome, now).await.expect("settled") == Settled::Done(Status::Complete)
                        && is_complete
                    {
                        *completed.lock().expect("a lock").entry(hold.id).or_default() += 1;
                    }
                }
            }
        });
    }
    for (turn, id) in ids.iter().rev().enumerate().filter(|(turn, _)| turn % 5 == 0) {
        let (store, id) = (Arc::clone(&stores[turn / 5 % 2]), *id);
        everybody.spawn(async move { drop(store.delete(id, at(0)).await.expect("deleted")) });
    }
    everybody.join_all().await;
    for id in ids {
        let task = stage.task_now(id).await;
        if task.deleted.is_none() {
            assert!(task.is_over());
            assert_eq!(task.status, Status::Complete);
            assert_eq!(completed.lock().expect("a lock").get(&id), Some(&1));
        }
    }
}
