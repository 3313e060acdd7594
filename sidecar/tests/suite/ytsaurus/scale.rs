//! Many operations, many jobs, and pages that don't fit together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use taskgate_emulators::ytsaurus::{Fault, Guid, Job, Operation, Ytsaurus};

use crate::kit::serve;
use crate::ytsaurus::support::{client_with, cluster, discovery, entries, reasons, services, settings, yson};
use taskgate::ytsaurus::discovery::Discovery;

/// When operations start, microseconds since 1970.
const START: i64 = 1_767_225_600_000_000;
const SHORT: &str = "{task_proxy={enabled=%true}}";

/// Starts so many operations that offer something, seven in each microsecond.
fn run(cluster: &Ytsaurus, count: i64) -> Vec<Guid> {
    let run = |number: i64| {
        let operation = Operation::new("alice").annotations(yson(SHORT)).started_micros(START + number / 7);
        let id = cluster.add_operation(operation);
        cluster.add_job(id, Job::new("web").address("10.0.0.1:9012").ports([27001]));
        id
    };
    (0..count).map(run).collect()
}

#[tokio::test]
async fn every_operation_of_every_page_is_seen_once() {
    for is_inclusive in [false, true] {
        let cluster = cluster().await;
        cluster.set_cursor_inclusive(is_inclusive);
        let operations = run(&cluster, 2_500);
        let mut discovery = discovery(&cluster, "");
        let inventory = discovery.round().await.expect("a round");
        let seen: BTreeSet<&str> = inventory.services.iter().map(|entry| entry.key.operation.as_str()).collect();
        assert_eq!((seen.len(), inventory.services.len()), (operations.len(), operations.len()), "{is_inclusive}");
        assert!(inventory.services.iter().all(|entry| entry.endpoints.len() == 1), "{is_inclusive}");
        assert_eq!(inventory.problems, []);
        // Three pages, jobs and ports two hundred at a time.
        assert_eq!(cluster.count("list_operations"), 3);
        assert_eq!(cluster.count("execute_batch"), 2 * 13);
        assert_eq!((cluster.count("list_jobs"), cluster.count("get")), (0, 0));
        assert!(cluster.peak_concurrency() <= 4, "{}", cluster.peak_concurrency());
        cluster.reset_calls();
        discovery.round().await.expect("a round");
        assert_eq!((cluster.count("list_operations"), cluster.count("execute_batch")), (3, 13));
        assert_eq!(cluster.count("execute_batch/get"), 0, "ports are known");
    }
}

#[tokio::test]
async fn operations_that_end_between_pages_cost_no_others() {
    let cluster = cluster().await;
    let operations = run(&cluster, 2_100);
    cluster.fail("list_operations", u64::MAX, Fault::Delay(Duration::from_millis(200)));
    let mut discovery = discovery(&cluster, "");
    let ended: BTreeSet<Guid> = operations.iter().copied().step_by(3).collect();
    let ending = async {
        // While the second page is waited for.
        while cluster.count("list_operations") < 2 {
            tokio::task::yield_now().await;
        }
        for id in &ended {
            cluster.finish_operation(*id);
        }
    };
    let (inventory, ()) = tokio::join!(discovery.round(), ending);
    let inventory = inventory.expect("a round");
    for id in operations.iter().filter(|id| !ended.contains(id)) {
        assert_eq!(services(&inventory, *id), ["web/port_0: 10.0.0.1:27001"]);
    }
    // Those of the first page are gone with the next listing.
    let inventory = discovery.round().await.expect("a round");
    assert_eq!(inventory.services.len(), operations.len() - ended.len());
}

/// Rounds with a cluster that has the same page for everybody who asks for operations: what comes of
/// it, and how often it was asked.
async fn with_page(page: &'static str) -> (String, u32) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let answer = move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        page
    };
    let proxy = serve(Router::new().fallback(any(answer))).await;
    let settings = settings(&proxy, "");
    let client = client_with(settings.cluster.clone());
    let error = Discovery::new(Arc::new(settings), client).round().await.expect_err("no round");
    (error.to_string(), calls.load(Ordering::Relaxed))
}

#[tokio::test]
async fn pages_that_never_end_are_noticed_soon() {
    for page in [
        r#"{"operations": [], "incomplete": true}"#,
        r#"{"operations": [{}, {"id": 7}], "incomplete": true}"#,
        r#"{"operations": [{"id": "1-1-1-1", "start_time": "2026-01-01T00:00:00.000001Z"}], "incomplete": true}"#,
    ] {
        let (error, calls) = with_page(page).await;
        assert!(error.contains("does not end") && calls <= 4, "{error}, {calls} calls");
    }
    for page in ["{}", "[]", "", "null", r#"{"operations": 7, "incomplete": false}"#] {
        let (error, calls) = with_page(page).await;
        assert!(error.contains("can't be listed") && calls <= 4, "{page}: {error}, {calls} calls");
    }
}

#[tokio::test]
async fn an_operation_may_have_thousands_of_jobs() {
    let cluster = cluster().await;
    let named = "{task_proxy={enabled=%true; tasks_info={master={ui={port_index=1}}}}}";
    let id = cluster.add_operation(Operation::new("alice").annotations(yson(named)));
    let every = cluster.add_operation(Operation::new("alice").annotations(yson(SHORT)));
    for number in 0..2_300_u32 {
        let node = format!("10.{}.{}.1:9012", number / 200, number % 200);
        cluster.add_job(id, Job::new("worker").address(&node).ports([27001]));
        cluster.add_job(every, Job::new("worker").address(&node).ports([27002]));
    }
    cluster.add_job(id, Job::new("master").address("10.99.0.1:9012").ports([1, 27001]).cookie(0));
    cluster.add_job(id, Job::new("master").address("10.99.0.2:9012").ports([1, 27001]).cookie(1));
    let mut discovery = discovery(&cluster, "");
    let inventory = discovery.round().await.expect("a round");
    assert_eq!(services(&inventory, id), ["master/ui: 10.99.0.1:27001, 10.99.0.2:27001"]);
    assert_eq!(reasons(&inventory, id), "");
    // No more than a service may have, and always the same ones.
    let endpoints = |inventory| {
        let endpoints: Vec<_> = entries(inventory, every).flat_map(|entry| entry.endpoints.clone()).collect();
        endpoints
    };
    let first = endpoints(&inventory);
    assert_eq!(first.len(), 64);
    assert!(reasons(&inventory, every).contains("has 2300 jobs"), "{}", reasons(&inventory, every));
    // Nobody asks for ports that make no difference, or twice.
    assert_eq!(cluster.count("execute_batch/get"), 64 + 2);
    assert_eq!(cluster.count("execute_batch/list_jobs"), 2 * 3);
    let inventory = discovery.round().await.expect("a round");
    assert_eq!(endpoints(&inventory), first);
    assert_eq!(cluster.count("execute_batch/get"), 64 + 2);
}

#[tokio::test]
async fn batches_are_as_large_as_they_may_be() {
    let cluster = cluster().await;
    let operations = run(&cluster, 25);
    let mut discovery = discovery(&cluster, ", batch_commands: 10");
    let inventory = discovery.round().await.expect("a round");
    assert_eq!(inventory.services.len(), operations.len());
    assert_eq!(cluster.count("execute_batch"), 2 * 3);
    let sizes: Vec<usize> = cluster
        .seen("execute_batch")
        .iter()
        .map(|call| call.parameters.find("requests").and_then(|requests| requests.as_list()).map_or(0, <[_]>::len))
        .collect();
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
}
