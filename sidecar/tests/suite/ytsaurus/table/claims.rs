//! Ids of other sidecars that can't be read, and what that costs.

use std::time::Duration;

use taskgate::ytsaurus::discovery::RoundError;
use taskgate::ytsaurus::table::claims::read_claims;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, codes};
use tokio::time::Instant;

use crate::ytsaurus::support::{cluster, discovery, yson};
use crate::ytsaurus::table::peer::{NAMES, Peer, ROBOT, client, eventually, pace, settings};

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn the_main_table_says_it_where_that_of_names_can_not_be_read() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    peer.stop().await;
    let client = client(&cluster, &taskgate::telemetry::metrics::Metrics::new().into());
    let settings = settings(&cluster);
    let read = async || read_claims(&client, &settings, deadline()).await.expect("claims");
    let whole = read().await;
    assert!(whole.claims.len() == 1 && whole.unread.is_none(), "{whole:?}");

    cluster.deny(ROBOT, "read", NAMES);
    let partial = read().await;
    assert_eq!((partial.claims, partial.unread.map(|(path, _)| path)), (whole.claims.clone(), Some(NAMES.to_owned())));
    cluster.stop_denying(ROBOT, NAMES);
    cluster.remove(NAMES).expect("is removed");
    let main = read().await;
    assert!(main.claims == whole.claims && main.unread.is_none(), "{main:?}");
    cluster.set(NAMES, yson("{a=1}")).expect("is set");
    let partial = read().await;
    assert!(partial.claims == whole.claims && partial.unread.is_some(), "{partial:?}");
}

#[tokio::test]
async fn what_lasts_is_not_waited_for() {
    let cluster = cluster().await;
    cluster.set(NAMES, yson("{a=1}")).expect("is set");
    let mut discovery = discovery(&cluster, ", table: {}");
    let inventory = discovery.round().await.expect("a round");
    assert!(!inventory.claims.are_whole());
    cluster.remove(NAMES).expect("is removed");
    assert!(discovery.round().await.expect("a round").claims.are_whole());
    // From then on it knows what the others knew.
    cluster.set(NAMES, yson("{a=1}")).expect("is set");
    assert!(discovery.round().await.expect("a round").claims.are_whole());
}

#[tokio::test]
async fn what_passes_is_waited_for_but_not_for_long() {
    let cluster = cluster().await;
    let away = || Fault::Refuse { status: 400, error: ClusterError::new(codes::UNAVAILABLE, "away") };
    cluster.fail("read_table", u64::MAX, away());
    let mut discovery = discovery(&cluster, ", table: {}, round_secs: 1");
    let error = discovery.round().await.expect_err("waits");
    assert!(matches!(error, RoundError::Claims(_)), "{error}");
    // However many rounds fit into it.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(20)).await;
    tokio::time::resume();
    let inventory = discovery.round().await.expect("goes on");
    assert!(!inventory.claims.are_whole());
    cluster.clear_faults();
    assert!(discovery.round().await.expect("a round").claims.are_whole());
}
