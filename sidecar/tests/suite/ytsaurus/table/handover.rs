//! Who writes: one of many, and another when that one is gone.

use std::time::Duration;

use taskgate::ytsaurus::table::pace::Pace;
use taskgate_emulators::ytsaurus::{ClusterError, Fault};

use crate::ytsaurus::support::cluster;
use crate::ytsaurus::table::peer::{NAMES, Peer, SERVICES, eventually, pace, rows};

/// A lease that no test waits for.
const FOREVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn one_of_many_writes() {
    let cluster = cluster().await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(Peer::start(&cluster, pace()).await);
    }
    for services in [&["a/t/s"][..], &["a/t/s", "b/t/s"], &["b/t/s"], &[]] {
        for peer in &peers {
            peer.sees(services);
        }
        eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == services)).await;
    }
    assert_eq!((cluster.writes(SERVICES), cluster.writes(NAMES)), (4, 4));
    let mut writes: Vec<u64> = peers.iter().map(|peer| peer.outcomes("ok")).collect();
    writes.sort_unstable();
    assert_eq!(writes[..3], [0, 0, 0]);
    assert_eq!(peers.iter().filter(|peer| peer.is_leader()).count(), 1);
    assert_eq!(peers.iter().map(|peer| peer.outcomes("error")).sum::<u64>(), 0);
}

#[tokio::test]
async fn another_takes_over_from_a_dead_one_and_nothing_is_lost() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, Pace { lease: Duration::from_millis(700), ..pace() }).await;
    first.sees(&["a/t/s", "b/t/s"]);
    first.leads().await;
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    let second = Peer::start(&cluster, pace()).await;
    second.sees(&["a/t/s", "b/t/s", "c/t/s"]);
    first.die();
    second.leads().await;
    // Until the other writes, what was written stands.
    assert!(rows(&cluster, SERVICES).is_some_and(|rows| rows.len() >= 2));
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows.len() == 3)).await;
}

#[tokio::test]
async fn who_ends_makes_room_at_once_and_leaves_nothing_behind() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, Pace { lease: FOREVER, ..pace() }).await;
    first.sees(&["a/t/s"]);
    first.leads().await;
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    let second = Peer::start(&cluster, Pace { lease: FOREVER, ..pace() }).await;
    second.sees(&["a/t/s"]);
    // The other was there and waits.
    eventually("stands for the lock", || cluster.count("lock") >= 3).await;
    assert!(!second.is_leader());
    first.stop().await;
    second.leads().await;
    second.stop().await;
    assert_eq!(cluster.transactions(), []);
    assert_eq!(cluster.writes(SERVICES), 1);
}

#[tokio::test]
async fn who_ends_in_the_middle_of_a_rewrite_leaves_nothing_behind() {
    let cluster = cluster().await;
    let pace = Pace { lease: FOREVER, rewrite: FOREVER, ..pace() };
    let peer = Peer::start(&cluster, pace).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    cluster.fail("commit_transaction", 1, Fault::Hang);
    peer.sees(&["b/t/s"]);
    eventually("commits", || cluster.count("commit_transaction") == 2).await;
    peer.stop().await;
    assert_eq!(cluster.transactions(), []);
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["a/t/s"]);
}

#[tokio::test]
async fn a_restart_writes_nothing_that_stands_there() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, pace()).await;
    first.sees(&["a/t/s", "b/t/s"]);
    eventually("is written", || first.outcomes("ok") == 1).await;
    first.stop().await;
    let revision = cluster.get(&format!("{SERVICES}/@revision"));
    let second = Peer::start(&cluster, pace()).await;
    second.sees(&["b/t/s", "a/t/s"]);
    eventually("compares", || second.outcomes("unchanged") == 1).await;
    assert_eq!((cluster.writes(SERVICES), cluster.writes(NAMES)), (1, 1));
    assert_eq!(cluster.get(&format!("{SERVICES}/@revision")), revision);
}

/// It stops between its last word and its next one, as a machine does that is suspended, in the middle
/// of a rewrite: its commit arrives when another has written.
#[tokio::test]
async fn a_frozen_one_cannot_finish_what_it_began() {
    let cluster = cluster().await;
    let pace_of_frozen = Pace { lease: Duration::from_secs(1), ping: FOREVER, rewrite: FOREVER, ..pace() };
    let frozen = Peer::start(&cluster, pace_of_frozen).await;
    frozen.sees(&["a/t/s"]);
    frozen.leads().await;
    eventually("is written", || frozen.outcomes("ok") == 1).await;

    cluster.fail("commit_transaction", 1, Fault::Delay(Duration::from_secs(10)));
    frozen.sees(&["stale/t/s"]);
    eventually("commits", || cluster.count("commit_transaction") == 2).await;
    let other = Peer::start(&cluster, pace()).await;
    other.sees(&["new/t/s"]);
    other.leads().await;
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["new/t/s"])).await;
    assert!(frozen.is_leader(), "it does not know yet");

    eventually("learns that it lost the lock", || !frozen.is_leader()).await;
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["new/t/s"]);
    assert_eq!(rows(&cluster, NAMES).expect("rows"), ["new/t/s"]);
    assert_eq!((cluster.writes(SERVICES), frozen.outcomes("ok")), (2, 1));
    // And begins anew, behind the other.
    let before = cluster.count("lock");
    eventually("stands for the lock", || cluster.count("lock") > before).await;
    assert!(other.is_leader() && !frozen.is_leader());
}

/// The same, where it finds out before it writes anything.
#[tokio::test]
async fn a_frozen_one_cannot_begin_anything() {
    let cluster = cluster().await;
    let frozen = Peer::start(&cluster, Pace { lease: Duration::from_millis(500), ping: FOREVER, ..pace() }).await;
    frozen.sees(&["a/t/s"]);
    eventually("is written", || frozen.outcomes("ok") == 1).await;
    let other = Peer::start(&cluster, pace()).await;
    other.sees(&["new/t/s"]);
    other.leads().await;
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["new/t/s"])).await;
    frozen.sees(&["stale/t/s"]);
    eventually("learns that it lost the lock", || !frozen.is_leader()).await;
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["new/t/s"]);
    assert_eq!(cluster.writes(SERVICES), 2);
}

#[tokio::test]
async fn a_writer_whose_transaction_is_ended_by_hand_starts_over() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    for transaction in cluster.transactions() {
        cluster.abort_transaction(transaction);
    }
    eventually("finds out", || peer.outcomes("unchanged") == 1).await;
    assert!(peer.is_leader());
    peer.sees(&["b/t/s"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["b/t/s"])).await;
}

/// Nothing tells a writer that its own way to the cluster is broken but that it fails.
#[tokio::test]
async fn who_can_not_write_lets_others_try() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, Pace { lease: FOREVER, ..pace() }).await;
    first.sees(&["a/t/s"]);
    eventually("is written", || first.outcomes("ok") == 1).await;
    let broken = ClusterError::new(307, "no such column");
    cluster.fail("write_table", 1_000, Fault::Refuse { status: 400, error: broken });
    first.sees(&["b/t/s"]);
    eventually("gives up", || !first.is_leader()).await;
    cluster.clear_faults();
    let second = Peer::start(&cluster, Pace { candidacy: Duration::from_millis(20), ..pace() }).await;
    second.sees(&["b/t/s"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["b/t/s"])).await;
}
