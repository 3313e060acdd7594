//! What goes wrong on the way, and what operators learn of it.

use taskgate_emulators::ytsaurus::{ClusterError, Fault};

use crate::log_lines::Lines;
use crate::ytsaurus::support::cluster;
use crate::ytsaurus::table::peer::{NAMES, Peer, ROBOT, SERVICES, eventually, pace, rows};

#[tokio::test]
async fn what_passes_is_tried_again() {
    let refuse = |code| Fault::Refuse { status: 400, error: ClusterError::new(code, "later") };
    let faults = [
        Fault::Unavailable { retry_after_secs: 0 },
        refuse(108),
        refuse(904),
        refuse(105),
        Fault::Refuse { status: 500, error: ClusterError::generic("a bug") },
        Fault::Close,
        Fault::LoseAnswer,
        Fault::Truncate,
        Fault::Trailers(ClusterError::new(105, "half way")),
    ];
    // One after the other they would take long.
    futures_util::future::join_all(faults.map(survives)).await;
}

/// A table is written, and written again, though each command goes wrong like this.
async fn survives(fault: Fault) {
    let cluster = cluster().await;
    let is = |services: &[&str]| {
        [SERVICES, NAMES].iter().all(|path| rows(&cluster, path).is_some_and(|rows| rows == services))
    };
    for command in ["start_transaction", "lock", "create", "read_table", "write_table", "commit_transaction"] {
        cluster.fail(command, 2, fault.clone());
    }
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s", "b/t/s"]);
    eventually(&format!("is written after {fault:?}"), || is(&["a/t/s", "b/t/s"])).await;
    cluster.clear_faults();
    cluster.fail("write_table", 1, fault.clone());
    cluster.fail("commit_transaction", 1, fault.clone());
    peer.sees(&["c/t/s"]);
    eventually(&format!("is written again after {fault:?}"), || is(&["c/t/s"])).await;
}

#[tokio::test]
async fn an_outage_costs_the_lock_and_nothing_else() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    cluster.set_reachable(false);
    eventually("loses the lock", || !peer.is_leader()).await;
    peer.sees(&["b/t/s"]);
    cluster.set_reachable(true);
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["b/t/s"])).await;
}

#[tokio::test]
async fn a_missing_permission_is_said_once_with_what_to_grant() {
    let (lines, _guard) = Lines::capture();
    let cluster = cluster().await;
    cluster.deny(ROBOT, "write", "//sys/task_proxies");
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("fails often", || peer.outcomes("error") >= 5).await;
    let said = lines.at("ERROR");
    assert_eq!(said.len(), 1, "{said:?}");
    for part in [
        "//sys/task_proxies/services_writer",
        "code 901",
        "`write`, `create` and `remove` on `//sys/task_proxies`",
        "`sys`",
    ] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    assert!(!peer.is_leader());
    cluster.stop_denying(ROBOT, "//sys/task_proxies");
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    eventually("is said", || lines.at("INFO").iter().any(|line| line.contains("can be written again"))).await;
    assert_eq!(lines.at("ERROR").len(), 1);
}

#[tokio::test]
async fn a_main_table_that_may_not_be_written_is_said_by_its_name() {
    let (lines, _guard) = Lines::capture();
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    cluster.deny(ROBOT, "write", SERVICES);
    peer.sees(&["b/t/s"]);
    eventually("fails often", || peer.outcomes("error") >= 7).await;
    let said = lines.at("ERROR");
    assert!(said.len() == 1 && said[0].contains(&format!("can't write `{SERVICES}`")), "{said:?}");
    // Giving the lock back would help nobody: all sidecars are the same robot.
    assert!(peer.is_leader());
    // The names are not written on their own: the tables are of one moment.
    assert_eq!(rows(&cluster, NAMES).expect("rows"), ["a/t/s"]);
}

#[tokio::test]
async fn names_that_may_not_be_written_do_not_hold_back_services() {
    let (lines, _guard) = Lines::capture();
    let cluster = cluster().await;
    cluster.deny(ROBOT, "write", NAMES);
    let peer = Peer::start(&cluster, pace()).await;
    for services in [&["a/t/s"][..], &["b/t/s"], &["c/t/s"]] {
        peer.sees(services);
        eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == services)).await;
    }
    eventually("is counted", || peer.outcomes("partial") == 3).await;
    assert_eq!((peer.outcomes("ok"), peer.outcomes("error"), rows(&cluster, NAMES)), (0, 0, None));
    let said = lines.at("ERROR");
    assert!(said.len() == 1 && said[0].contains(NAMES) && said[0].contains("code 901"), "{said:?}");

    cluster.stop_denying(ROBOT, NAMES);
    peer.sees(&["d/t/s"]);
    eventually("is written", || rows(&cluster, NAMES).is_some_and(|rows| rows == ["d/t/s"])).await;
}

#[tokio::test]
async fn leadership_is_in_the_log() {
    let (lines, _guard) = Lines::capture();
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    for transaction in cluster.transactions() {
        cluster.abort_transaction(transaction);
    }
    eventually("finds out", || peer.outcomes("unchanged") == 1).await;
    let taken = lines.at("INFO").iter().filter(|line| line.contains("table.leader=true")).count();
    let lost = lines.at("WARN").iter().filter(|line| line.contains("table.leader=false")).count();
    assert_eq!((taken, lost), (2, 1));
}
