//! Killed at every step, the next life goes on: no port is lost, none is double, and none is told that does not listen.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use taskgate_test_kit::Postgres;

use super::mortal::{Fate, Mortal};
use super::stage::{Life, Pretend, file_in, held, ledger, terms, until};

/// More steps than a first life has.
const BEYOND: usize = 1_000_000;
/// More ports than services, that a port that is lost shows.
const PORTS: u16 = 6;

/// One process: sees two services, and then one of them and a new one; until all that is done, or it dies. The steps.
async fn live(address: &str, pretend: &Arc<Pretend>, fate: &Arc<Fate>) -> usize {
    let ledger = ledger(address).await;
    let life = Life::begin(
        Mortal::new(Arc::clone(&ledger), fate),
        Mortal::new(Arc::clone(pretend), fate),
        pretend,
        terms(PORTS),
    );
    for seen in [["a", "b"], ["b", "c"]] {
        life.see(&seen);
        until("all are told, or it is dead", async || {
            let lies = life.lies(pretend);
            assert!(lies.is_empty(), "{lies:?}");
            fate.is_dead() || (seen.iter().all(|one| life.port(one).is_some()) && pretend.ports().len() == 2)
        })
        .await;
    }
    // What was taken away is given back too.
    until("the port is given back, or it is dead", async || fate.is_dead() || held(&*ledger).await.0.len() == 2).await;
    drop(life);
    ledger.close().await;
    fate.steps()
}

/// The last life: it sees two services, and then none. All is as it should be, and in the end nothing is left.
async fn end(address: &str, pretend: &Arc<Pretend>, context: &str) {
    let ledger = ledger(address).await;
    let life = Life::begin(
        Arc::<taskgate::gateway::store::SqlLedger>::clone(&ledger),
        Arc::<Pretend>::clone(pretend),
        pretend,
        terms(PORTS),
    );
    life.see(&["b", "c"]);
    until(&format!("two ports listen and are told, {context}"), async || {
        let lies = life.lies(pretend);
        assert!(lies.is_empty(), "{context}: {lies:?}");
        let told: BTreeSet<u16> = ["b", "c"].iter().filter_map(|one| life.port(one)).collect();
        let ports: BTreeSet<u16> = pretend.ports().into_iter().collect();
        let leases: BTreeSet<u16> = held(&*ledger).await.0.iter().map(|lease| lease.port).collect();
        told.len() == 2 && ports == told && leases == told
    })
    .await;
    life.see(&[]);
    until(&format!("nothing is left, {context}"), async || {
        pretend.ports().is_empty() && held(&*ledger).await == (Vec::new(), 0)
    })
    .await;
    assert!(pretend.state().wrongs.is_empty(), "{context}: {:?}", pretend.state().wrongs);
    drop(life);
    ledger.close().await;
}

/// Lives that are killed at these steps, and one that is not.
async fn lives(address: String, kills: Vec<(usize, bool)>) {
    let pretend = Arc::new(Pretend::default());
    let context = format!("killed at {kills:?}");
    for (step, is_done) in kills {
        live(&address, &pretend, &Fate::at(step, is_done)).await;
    }
    end(&address, &pretend, &context).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_killed_at_any_step_loses_no_port_and_gives_none_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = directory.path().join("whole");
    std::fs::create_dir(&whole).expect("a directory");
    let steps = live(&file_in(&whole), &Arc::default(), &Fate::at(BEYOND, false)).await;
    assert!(steps > 12, "{steps} steps are too few to be all");
    // Steps that repeat with time come in between; some more are killed than there were.
    let kills = (1..=steps + 4).flat_map(|step| [(step, false), (step, true)]);
    let all = kills.map(|(step, is_done)| {
        let home = directory.path().join(format!("{step}-{is_done}"));
        std::fs::create_dir(&home).expect("a directory");
        // Another one of the same kind, at another step, before it is left alone.
        let second = (step * 7 % steps + 1, !is_done);
        lives(file_in(&home), vec![(step, is_done), second])
    });
    join_all(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_server_it_is_the_same() {
    let server = Postgres::start().expect("PostgreSQL starts");
    // One database, one life after the other: each begins with what the last one left, which is nothing.
    for step in [1, 2, 3, 5, 8, 13] {
        lives(server.url(), vec![(step, step % 2 == 0)]).await;
    }
}
