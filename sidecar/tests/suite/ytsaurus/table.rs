//! The services table in Cypress: what stands in it, and who writes it.

mod claims;
mod handover;
mod names;
mod peer;
mod trouble;
mod whole;

use std::time::Duration;

use serde_json::{Value, json};
use taskgate::discovery::inventory::Inventory;
use taskgate::discovery::publisher::Report;
use taskgate::telemetry::metrics::Metrics;
use taskgate::ytsaurus::commands::tables::Lines;
use taskgate::ytsaurus::table::claims::{read_claims, revision};
use taskgate::ytsaurus::table::pace::Pace;
use tokio::time::Instant;

use crate::ytsaurus::support::cluster;
use crate::ytsaurus::table::peer::{NAMES, Peer, SERVICES, client, entry, eventually, pace, rows, settings};

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn what_is_published_stands_in_both_tables() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["b/t/s", "a/t/ui"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["a/t/ui", "b/t/s"]);
    assert_eq!(rows(&cluster, NAMES).expect("rows"), ["a/t/ui", "b/t/s"]);
    let row = cluster.rows(SERVICES).expect("rows")[0].clone();
    assert_eq!(row.field("protocol").and_then(|value| value.as_str()), Some("http"));
    let domain = row.field("domain").and_then(|value| value.as_str()).expect("a domain");
    assert!(domain.ends_with(".tasks.example.test") && domain.len() == 8 + ".tasks.example.test".len(), "{domain}");
    assert_eq!(row.as_map().expect("a row").len(), 5);
    peer.sees(&[]);
    eventually("is emptied", || rows(&cluster, SERVICES).is_some_and(|rows| rows.is_empty())).await;
    assert_eq!(rows(&cluster, NAMES).expect("rows"), [""; 0]);
}

#[tokio::test]
async fn a_sidecar_that_knows_nothing_yet_writes_nothing() {
    let cluster = cluster().await;
    let first = Peer::start(&cluster, pace()).await;
    first.sees(&["a/t/s"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    first.stop().await;
    cluster.reset_calls();

    let peer = Peer::start(&cluster, pace()).await;
    peer.report("file", Report::Sees(Inventory::default()));
    peer.report("yt", Report::Failed("the cluster is down".into()));
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(600)).await;
    tokio::time::resume();
    assert!(cluster.calls().is_empty(), "{:?}", cluster.calls());
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["a/t/s"]);
    // A round that failed afterwards takes nothing back.
    peer.sees(&["a/t/s"]);
    peer.leads().await;
    peer.report("yt", Report::Failed("the cluster is down".into()));
    eventually("looks", || peer.outcomes("unchanged") == 1).await;
    assert_eq!(cluster.writes(SERVICES), 1);
}

#[tokio::test]
async fn a_burst_of_changes_is_few_rewrites_and_none_is_lost() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, Pace { rest: Duration::from_millis(300), ..pace() }).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    for number in 0..200 {
        peer.sees(&[&format!("a/t/s{number}")]);
    }
    eventually("is the last", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["a/t/s199"])).await;
    assert!(cluster.writes(SERVICES) <= 3, "{}", cluster.writes(SERVICES));
}

#[tokio::test]
async fn changes_of_other_providers_are_none() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    let services = vec![entry("local/t/s").into()];
    peer.report("file", Report::Sees(Inventory { services, ..Inventory::default() }));
    eventually("looks", || peer.outcomes("unchanged") == 1).await;
    assert_eq!((cluster.writes(SERVICES), cluster.writes(NAMES)), (1, 1));
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["a/t/s"]);
}

#[tokio::test]
async fn a_table_that_is_there_is_left_as_it_is_but_for_its_rows() {
    let cluster = cluster().await;
    let client = client(&cluster, &Metrics::new().into());
    // As Task proxy makes it: without a schema.
    client.create("table", SERVICES, json!({}), None, deadline()).await.expect("is made");
    let lease = Duration::from_secs(60);
    let transaction = client.start_transaction("other", lease, None, deadline()).await.expect("starts");
    let old = [json!({"domain": "old", "operation_id": "old", "task_name": "t", "service": "s", "protocol": "http"})];
    client.write_table(SERVICES, &Lines::of(&old), &transaction, deadline()).await.expect("is written");
    client.commit_transaction(&transaction, None, deadline()).await.expect("is committed");
    let id = cluster.get(&format!("{SERVICES}/@id"));

    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    assert_eq!(rows(&cluster, SERVICES).expect("rows"), ["a/t/s"]);
    assert_eq!(cluster.get(&format!("{SERVICES}/@id")), id);
    assert_eq!(cluster.get(&format!("{SERVICES}/@schema_mode")).expect("a mode").as_str(), Some("weak"));
    assert_eq!(cluster.get(&format!("{NAMES}/@schema_mode")).expect("a mode").as_str(), Some("strong"));
}

#[tokio::test]
async fn what_others_do_to_the_tables_is_found_and_undone() {
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, Pace { audit: Duration::from_millis(50), ..pace() }).await;
    peer.sees(&["a/t/s"]);
    eventually("is written", || rows(&cluster, SERVICES).is_some()).await;
    cluster.remove(SERVICES).expect("is removed");
    eventually("is there again", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["a/t/s"])).await;

    let client = client(&cluster, &Metrics::new().into());
    let lease = Duration::from_secs(60);
    let transaction = client.start_transaction("other", lease, None, deadline()).await.expect("starts");
    client.write_table(SERVICES, &Lines::default(), &transaction, deadline()).await.expect("is written");
    client.commit_transaction(&transaction, None, deadline()).await.expect("is committed");
    eventually("is whole again", || rows(&cluster, SERVICES).is_some_and(|rows| rows == ["a/t/s"])).await;
}

/// Readers poll while rows are replaced, all of them each time.
#[tokio::test]
async fn readers_see_whole_tables() {
    const ROWS: usize = 50;
    const REWRITES: u64 = 40;
    let cluster = cluster().await;
    let peer = Peer::start(&cluster, Pace { rest: Duration::from_millis(1), ..pace() }).await;
    let publish = |version: u64| {
        let services: Vec<String> = (0..ROWS).map(|number| format!("op{version}/t/s{number}")).collect();
        peer.sees(&services.iter().map(String::as_str).collect::<Vec<_>>());
    };
    publish(0);
    eventually("is written", || rows(&cluster, NAMES).is_some()).await;
    let client = client(&cluster, &Metrics::new().into());
    let reader = tokio::spawn(async move {
        let mut versions = std::collections::BTreeSet::new();
        loop {
            for path in [SERVICES, NAMES] {
                let rows = client.read_table(path, deadline()).await.expect("rows");
                let rows: Vec<Value> = rows.values().collect();
                assert_eq!(rows.len(), ROWS, "{path}");
                let version = rows[0]["operation_id"].as_str().expect("text").to_owned();
                assert!(rows.iter().all(|row| row["operation_id"] == version.as_str()), "{path}");
                versions.insert(version);
            }
            if versions.contains(&format!("op{REWRITES}")) {
                return versions.len();
            }
        }
    });
    for version in 1..=REWRITES {
        publish(version);
        eventually("is written", || cluster.writes(NAMES) == version + 1).await;
    }
    let seen = tokio::time::timeout(Duration::from_secs(20), reader).await.expect("ends").expect("no bad table");
    assert!(seen > 2, "{seen}");
}

#[tokio::test]
async fn ids_are_read_back_and_only_when_they_changed() {
    let cluster = cluster().await;
    let client = client(&cluster, &Metrics::new().into());
    let claims = async || {
        let mut claims: Vec<String> = read_claims(&client, &settings(&cluster), deadline())
            .await
            .expect("claims")
            .claims
            .into_iter()
            .map(|claim| format!("{} {} {} {}", claim.key.operation, claim.key.task, claim.key.service, claim.id))
            .collect();
        claims.sort();
        claims
    };
    let now = async || revision(&client, &settings(&cluster), deadline()).await.expect("a revision");
    assert_eq!((claims().await, now().await), (Vec::new(), None));

    let peer = Peer::start(&cluster, pace()).await;
    peer.sees(&["a6e04b98-bf982394-5103e8-55754a49/master/ui"]);
    eventually("is written", || peer.outcomes("ok") == 1).await;
    let first = now().await;
    assert!(first.is_some());
    assert_eq!(claims().await, ["a6e04b98-bf982394-5103e8-55754a49 master ui 2ef4261c"]);
    assert_eq!(now().await, first);

    peer.sees(&["a6e04b98-bf982394-5103e8-55754a49/master/ui", "a6e04b98-bf982394-5103e8-55754a49/history/ui"]);
    eventually("is written", || peer.outcomes("ok") == 2).await;
    assert_ne!(now().await, first);
    let both = [
        "a6e04b98-bf982394-5103e8-55754a49 history ui 51a6d485",
        "a6e04b98-bf982394-5103e8-55754a49 master ui 2ef4261c",
    ];
    assert_eq!(claims().await, both);

    // Without the table of names, the main one says it as well.
    peer.stop().await;
    cluster.remove(NAMES).expect("is removed");
    assert_eq!(claims().await, both);
    assert!(now().await.is_some());
}
