//! Trouble with the table of names, which the main table must not notice.

use std::time::Duration;

use serde_json::json;
use taskgate::discovery::inventory::Claims;
use taskgate::telemetry::metrics::Metrics;
use taskgate_emulators::ytsaurus::Ytsaurus;
use tokio::time::Instant;

use crate::ytsaurus::support::{cluster, yson};
use crate::ytsaurus::table::peer::{NAMES, Peer, SERVICES, client, eventually, pace, rows};

/// The main table is written with each change, and the names are not.
async fn goes_without_names(cluster: &Ytsaurus, peer: &Peer) {
    for (index, services) in (1..).zip([&["a/t/s"][..], &["b/t/s"], &["c/t/s"]]) {
        peer.sees(services);
        eventually("is written", || rows(cluster, SERVICES).is_some_and(|rows| rows == services)).await;
        eventually("is counted", || peer.outcomes("partial") == index).await;
    }
    assert_eq!((peer.outcomes("ok"), peer.outcomes("error")), (0, 0));
    assert!(peer.is_leader());
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn another_schema_costs_the_names_alone() {
    let cluster = cluster().await;
    let client = client(&cluster, &Metrics::new().into());
    let schema = json!({"schema": [{"name": "strange", "type": "int64"}]});
    client.create("table", NAMES, schema, None, deadline()).await.expect("is made");
    let peer = Peer::start(&cluster, pace()).await;
    goes_without_names(&cluster, &peer).await;
    assert_eq!(rows(&cluster, NAMES).expect("rows"), [""; 0]);
}

#[tokio::test]
async fn what_is_no_table_costs_the_names_alone() {
    let cluster = cluster().await;
    cluster.set(NAMES, yson("{a=1}")).expect("is set");
    let peer = Peer::start(&cluster, pace()).await;
    goes_without_names(&cluster, &peer).await;
    assert_eq!(cluster.get(NAMES), Some(yson("{a=1}")));
}

#[tokio::test]
async fn a_lock_on_the_names_costs_them_alone() {
    let cluster = cluster().await;
    let other = client(&cluster, &Metrics::new().into());
    other.create("table", NAMES, json!({}), None, deadline()).await.expect("is made");
    let lease = Duration::from_secs(60);
    let transaction = other.start_transaction("other", lease, None, deadline()).await.expect("starts");
    other.lock(NAMES, &transaction, deadline()).await.expect("is locked");
    let peer = Peer::start(&cluster, pace()).await;
    goes_without_names(&cluster, &peer).await;
    other.abort_transaction(&transaction, deadline()).await.expect("ends");
    peer.sees(&["d/t/s"]);
    eventually("is written", || rows(&cluster, NAMES).is_some_and(|rows| rows == ["d/t/s"])).await;
}

#[tokio::test]
async fn who_does_not_know_what_others_gave_tells_them_nothing() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, pace()).await;
    first.sees(&["a/t/s"]);
    eventually("is written", || first.outcomes("ok") == 1).await;
    first.stop().await;

    let blind = Peer::start(&cluster, pace()).await;
    blind.sees_with(&["b/t/s"], Claims::default());
    eventually("is written", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["b/t/s"])).await;
    eventually("is counted", || blind.outcomes("partial") == 1).await;
    assert_eq!(rows(&cluster, NAMES).expect("rows"), ["a/t/s"]);
    // Once it knows, it needs no other change.
    blind.sees(&["b/t/s"]);
    eventually("is written", || rows(&cluster, NAMES).is_some_and(|rows| rows == ["b/t/s"])).await;
    assert_eq!(cluster.writes(SERVICES), 2);
}
