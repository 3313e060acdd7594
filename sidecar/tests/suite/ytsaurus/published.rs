//! From a cluster through a whole sidecar to the table that proxies read.

use std::time::Duration;

use serde_json::Value;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, Operation, Ytsaurus, codes};
use tokio::time::Instant;

use crate::kit::{Reader, Sidecar};
use crate::ytsaurus::support::{cluster, config, guid, yson};

/// Two services of task `web` that want the same short id, [`SHORT_ID`]; found by searching, as anybody
/// could. The one that is searched for comes first by name.
const FORGED: (&str, &str) = ("1-1-3e8-1", "s63382");
const FIRST: (&str, &str) = ("2-1-3e8-1", "s45610");
const SHORT_ID: &str = "ce205392";

/// A sidecar that looks as often as it may.
async fn sidecar(cluster: &Ytsaurus, rest: &str) -> Sidecar {
    let rest = format!(", jobs_secs: 1, operations_secs: 1{rest}");
    Sidecar::start_in(tempfile::tempdir().expect("a directory"), &config(&cluster.url(), &rest)).await
}

fn named(service: &str) -> String {
    format!("{{task_proxy={{enabled=%true; tasks_info={{web={{{service}={{protocol=http; port_index=0}}}}}}}}}}")
}

fn run(cluster: &Ytsaurus, id: &str, service: &str, node: u8) -> Guid {
    let operation = Operation::new("alice").id(guid(id)).annotations(yson(&named(service)));
    let id = cluster.add_operation(operation);
    cluster.add_job(id, Job::new("web").address(&format!("10.0.0.{node}:9012")).ports([27001]));
    id
}

/// Where a service is, by one of its labels.
fn endpoints(reader: &Reader, label: &str) -> Option<Vec<String>> {
    let service = reader.table.service(label)?;
    Some(service.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect())
}

fn at(node: u8) -> Option<Vec<String>> {
    Some(vec![format!("10.0.0.{node}:27001")])
}

/// How the provider is.
async fn provider(sidecar: &Sidecar) -> Value {
    let (_, text) = sidecar.get(sidecar.internal("/internal/problems")).await;
    let problems: Value = serde_json::from_str(&text).expect("JSON");
    problems["providers"][0].clone()
}

/// Waits until the provider says that it can't look.
async fn failure(sidecar: &Sidecar) -> String {
    let failure = async {
        loop {
            if let Some(failure) = provider(sidecar).await["failure"].as_str() {
                return failure.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), failure).await.expect("is reported")
}

/// A cluster where that happens to every listing is asked no more often than so.
async fn in_trouble(fault: Fault, most: u64) {
    let cluster = cluster().await;
    run(&cluster, FIRST.0, FIRST.1, 1);
    let sidecar = sidecar(&cluster, ", round_secs: 1").await;
    assert_eq!(endpoints(&sidecar.table().await, SHORT_ID), at(1));
    cluster.fail("list_operations", u64::MAX, fault.clone());
    let reported = failure(&sidecar).await;
    assert!(reported.contains("operations can't be listed"), "{reported}");
    // A time in which there could be a round every second.
    cluster.reset_calls();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(endpoints(&sidecar.table().await, SHORT_ID), at(1), "{fault:?}");
    }
    let calls = cluster.calls();
    assert!((1..=most).contains(&calls.values().sum::<u64>()), "{fault:?}: {calls:?}");
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
}

#[tokio::test]
async fn a_cluster_in_trouble_keeps_its_table_and_is_asked_less_and_less() {
    let refused = Fault::Refuse { status: 400, error: ClusterError::generic("in trouble") };
    // Two calls a round; one, for it says when; as many as fit into a second with growing waits.
    tokio::join!(
        in_trouble(refused, 4),
        in_trouble(Fault::Unavailable { retry_after_secs: 60 }, 2),
        in_trouble(Fault::Close, 24)
    );
}

#[tokio::test]
async fn discovery_goes_on_when_the_trouble_is_over() {
    let cluster = cluster().await;
    let operation = run(&cluster, FIRST.0, FIRST.1, 1);
    let sidecar = sidecar(&cluster, "").await;
    let mut reader = sidecar.table().await;
    cluster.fail("list_operations", 2, Fault::Refuse { status: 400, error: ClusterError::generic("in trouble") });
    failure(&sidecar).await;
    cluster.add_job(operation, Job::new("web").address("10.0.0.2:9012").ports([27001]));
    sidecar.next_page(&mut reader).await;
    assert_eq!(endpoints(&reader, SHORT_ID).map(|endpoints| endpoints.len()), Some(2));
    assert!(provider(&sidecar).await["failure"].is_null());
}

#[tokio::test]
async fn a_sidecar_that_starts_in_trouble_waits() {
    let cluster = cluster().await;
    run(&cluster, FIRST.0, FIRST.1, 1);
    cluster.set_reachable(false);
    let sidecar = sidecar(&cluster, ", round_secs: 1, timeout_ms: 300").await;
    let reported = failure(&sidecar).await;
    assert!(reported.contains("operations can't be listed"), "{reported}");
    let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
    assert!(status == 503 && text.contains("provider ytsaurus"), "{text}");
    cluster.set_reachable(true);
    assert_eq!(endpoints(&sidecar.table().await, SHORT_ID), at(1));
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
}

#[tokio::test]
async fn a_restart_that_is_partly_blind_takes_nothing_away() {
    const TABLE: &str = "//sys/task_proxies/services";
    let cluster = cluster().await;
    let operation = Operation::new("alice").annotations(yson("{task_proxy={enabled=%true}}"));
    let operation = cluster.add_operation(operation);
    cluster.add_job(operation, Job::new("web").address("10.0.0.1:9012").ports([27001]));
    let rows = || cluster.rows(TABLE).map_or(0, |rows| rows.len());
    let before = sidecar(&cluster, ", table: {}").await;
    let written = async {
        while rows() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("is written");
    drop(before);
    let away = || Fault::Refuse { status: 400, error: ClusterError::new(codes::UNAVAILABLE, "away") };
    cluster.fail("execute_batch/get", u64::MAX, away());
    let after = sidecar(&cluster, ", table: {}").await;
    let reported = failure(&after).await;
    assert!(reported.contains("could not be looked at"), "{reported}");
    let (status, text) = after.get(after.operations("/readyz")).await;
    assert!(status == 503 && text.contains("could not be looked at"), "{text}");
    assert_eq!(rows(), 1);
    cluster.clear_faults();
    let reader = after.table().await;
    assert_eq!((reader.table.len(), reader.table.is_complete(), rows()), (1, true, 1));
}

#[tokio::test]
async fn a_name_that_was_searched_for_takes_nobodys_place() {
    let cluster = cluster().await;
    let forger = run(&cluster, FORGED.0, "harmless", 9);
    let first = run(&cluster, FIRST.0, FIRST.1, 1);
    let sidecar = sidecar(&cluster, "").await;
    let mut reader = sidecar.table().await;
    assert_eq!(endpoints(&reader, SHORT_ID), at(1));
    // A running operation changes its mind, to the name that has the other's id.
    cluster.set_annotations(forger, yson(&named(FORGED.1)));
    sidecar.next_page(&mut reader).await;
    assert_eq!((reader.table.len(), endpoints(&reader, SHORT_ID)), (2, at(1)));
    let problems = provider(&sidecar).await["problems"].to_string();
    assert!(problems.contains(FORGED.1) && problems.contains("short id"), "{problems}");
    let (_, listed) = sidecar.get(sidecar.internal("/internal/services")).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let longer = listed["services"][0]["id"].as_str().expect("an id").to_owned();
    assert!(longer.len() > 8 && longer.ends_with(SHORT_ID), "{longer}");
    assert_eq!(endpoints(&reader, &longer), at(9));
    // Nor once the place is empty.
    cluster.finish_operation(first);
    while reader.table.len() > 1 {
        sidecar.next_page(&mut reader).await;
    }
    assert_eq!((endpoints(&reader, SHORT_ID), endpoints(&reader, &longer)), (None, at(9)));
}

#[tokio::test]
async fn other_names_and_aliases_lead_to_the_same_service() {
    let cluster = cluster().await;
    let annotations = yson("{task_proxy={enabled=%true}}");
    let operation = Operation::new("alice").id(guid(FIRST.0)).alias("*my-app").annotations(annotations);
    let operation = cluster.add_operation(operation);
    cluster.add_job(operation, Job::new("web").address("10.0.0.1:9012").ports([27001]));
    let sidecar = sidecar(&cluster, "").await;
    let mut reader = sidecar.table().await;
    let (id, labels, epoch) = {
        let service = reader.table.service("my-app-web-port_0").expect("a service");
        (service.id.to_owned(), service.labels.join(" "), service.epoch)
    };
    let digest = |name: &str| taskgate_core::naming::ServiceDigest::of(FIRST.0, "web", name).suffix(8);
    assert_eq!(Some(id.as_str()), digest("port_0").as_ref().map(|label| label.as_str()));
    for label in [digest("port0").expect("an id").as_str(), "my-app-web-port0", &id] {
        assert_eq!(endpoints(&reader, label), at(1), "{label} is not among {labels}");
    }
    // Another access list voids what was decided by the old one.
    cluster.set_acl(operation, yson("[{action=allow; subjects=[bob]; permissions=[read]}]"));
    sidecar.next_page(&mut reader).await;
    assert_ne!(reader.table.service(&id).expect("a service").epoch, epoch);
}

#[tokio::test]
async fn an_alias_that_only_looks_like_anothers_takes_no_label() {
    let cluster = cluster().await;
    let run = |id: &str, alias: &str, node: u8| {
        let annotations = yson("{task_proxy={enabled=%true}}");
        let operation = Operation::new("someone").id(guid(id)).alias(alias).annotations(annotations);
        let id = cluster.add_operation(operation);
        cluster.add_job(id, Job::new("web").address(&format!("10.0.0.{node}:9012")).ports([27001]));
    };
    // Their ids come first, so on a fresh start they would be asked first.
    run("1-1-3e8-1", "**demo", 7);
    run("1-1-3e8-2", "*Demo", 8);
    run("2-1-3e8-1", "*demo", 1);
    let sidecar = sidecar(&cluster, "").await;
    let reader = sidecar.table().await;
    assert_eq!((reader.table.len(), endpoints(&reader, "demo-web-port_0")), (3, at(1)));
    let problems = provider(&sidecar).await["problems"].to_string();
    assert_eq!(problems.matches("its alias is left out").count(), 2, "{problems}");
}
