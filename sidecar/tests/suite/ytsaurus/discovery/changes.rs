//! Operations, jobs and annotations that change are followed.

use std::sync::Arc;

use taskgate::ytsaurus::discovery::Discovery;
use taskgate_emulators::ytsaurus::{Guid, NodeOutage, Operation, Ytsaurus};

use super::{SHORT, Stage, job, tasks_info};
use crate::ytsaurus::support::{client_with, cluster, discovery, entries, services, settings, yson};

/// Discovery as it is configured by default: jobs are looked at more often than operations.
fn discovery_that_lists_once(cluster: &Ytsaurus) -> Discovery {
    let settings = settings(&cluster.url(), "");
    let client = client_with(settings.cluster.clone());
    Discovery::new(Arc::new(settings), client)
}

#[tokio::test]
async fn a_job_that_moves_is_followed() {
    let mut stage = Stage::new(SHORT).await;
    let first = stage.job(1, [27001]);
    let second = stage.cluster.add_job(stage.operation, job(2).ports([27002]).cookie(1));
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001, 10.0.0.2:27002"]);
    // A new job in the place of the first one: so is its endpoint.
    stage.cluster.finish_job(first, "aborted");
    let third = stage.cluster.add_job(stage.operation, job(3).ports([27003]).cookie(0));
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.3:27003, 10.0.0.2:27002"]);
    // The same job on another node.
    stage.cluster.move_job(second, "10.0.0.4:9012");
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.3:27003, 10.0.0.4:27002"]);
    // No job at all: the service is known, and where it is is not.
    stage.cluster.finish_job(second, "failed");
    stage.cluster.remove_job(third);
    assert_eq!(stage.seen().await, ["web/port_0:"]);
    stage.cluster.add_job(stage.operation, job(5).ports([27005]));
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.5:27005"]);
    assert_eq!(stage.reasons().await, "");
}

#[tokio::test]
async fn an_annotation_that_changes_is_followed() {
    let mut stage = Stage::new(&tasks_info("ui={port_index=0}; api={port_index=1}")).await;
    stage.job(1, [27001, 27002]);
    assert_eq!(stage.seen().await, ["web/api: 10.0.0.1:27002", "web/ui: 10.0.0.1:27001"]);
    for (annotations, expected) in [
        (tasks_info("ui={port_index=1; protocol=grpc}"), vec!["web/ui: 10.0.0.1:27002"]),
        (SHORT.to_owned(), vec!["web/port_0: 10.0.0.1:27001", "web/port_1: 10.0.0.1:27002"]),
        (tasks_info("port_0={port_index=0}"), vec!["web/port_0: 10.0.0.1:27001"]),
        ("{task_proxy={enabled=%false}}".to_owned(), vec![]),
        (SHORT.to_owned(), vec!["web/port_0: 10.0.0.1:27001", "web/port_1: 10.0.0.1:27002"]),
        ("{}".to_owned(), vec![]),
    ] {
        stage.cluster.set_annotations(stage.operation, yson(&annotations));
        assert_eq!(stage.seen().await, expected, "{annotations}");
        assert_eq!(stage.reasons().await, "", "{annotations}");
    }
    // What was right before does not stay when it is wrong now.
    stage.cluster.set_annotations(stage.operation, yson(SHORT));
    stage.cluster.set_annotations(stage.operation, yson("{task_proxy={enabled=yes}}"));
    assert_eq!(stage.seen().await, [] as [String; 0]);
    assert!(stage.reasons().await.contains("neither %true nor %false"));
}

#[tokio::test]
async fn an_operation_that_ends_takes_its_services_with_it() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    assert_eq!(stage.seen().await.len(), 1);
    stage.cluster.finish_operation(stage.operation);
    let inventory = stage.round().await;
    assert_eq!((inventory.services.len(), inventory.problems.len()), (0, 0));
    // One that is gone altogether between the listing of operations and that of jobs.
    let settled = Stage::new(SHORT).await;
    settled.job(1, [27001]);
    let mut discovery = discovery_that_lists_once(&settled.cluster);
    let inventory = discovery.round().await.expect("a round");
    assert_eq!(services(&inventory, settled.operation).len(), 1);
    settled.cluster.remove_operation(settled.operation);
    let inventory = discovery.round().await.expect("a round");
    assert_eq!((inventory.services.len(), inventory.problems.len()), (0, 0));
    settled.cluster.reset_calls();
    discovery.round().await.expect("a round");
    assert_eq!((settled.cluster.count("list_operations"), settled.cluster.count("execute_batch")), (0, 0));
}

#[tokio::test]
async fn names_owners_and_rights_are_those_of_the_operation() {
    let cluster = cluster().await;
    let operation = Operation::new("alice é").alias("*my-app").title("t").annotations(yson(SHORT));
    let operation = cluster.add_operation(operation);
    let job = cluster.add_job(operation, job(1).ports([27001]));
    let mut discovery = discovery(&cluster, "");
    let mut look = async || {
        let inventory = discovery.round().await.expect("a round");
        entries(&inventory, operation).next().cloned().expect("a service")
    };
    let before = look().await;
    assert_eq!((before.alias.as_deref(), before.policy.owner.as_deref()), (Some("my-app"), Some("alice é")));
    assert_eq!(look().await.epoch(), before.epoch());
    // Where it runs is no matter of who may see it.
    cluster.move_job(job, "10.0.0.2:9012");
    assert_eq!(look().await.epoch(), before.epoch());
    cluster.set_acl(operation, yson("[{action=allow; subjects=[bob]; permissions=[read]}]"));
    let shared = look().await;
    assert_ne!(shared.epoch(), before.epoch());
    // Nor does it count without jobs alone.
    cluster.finish_job(job, "completed");
    cluster.set_acl(operation, yson("[]"));
    let closed = look().await;
    assert!(closed.endpoints.is_empty());
    assert_eq!(closed.epoch(), before.epoch());
}

#[tokio::test]
async fn jobs_keep_their_order_whatever_order_they_are_listed_in() {
    let id = |text: &str| -> Guid { text.parse().expect("an id") };
    let mut stage = Stage::new(SHORT).await;
    // Ids, and so the order of the listing, run against the jobs' numbers.
    for (number, node) in [(0, 1_u8), (1, 2), (2, 3), (3, 4)] {
        let job = job(node).ports([27001]).cookie(number).id(id(&format!("1-1-384-{:x}", 9 - number)));
        stage.cluster.add_job(stage.operation, job);
    }
    let expected = ["web/port_0: 10.0.0.1:27001, 10.0.0.2:27001, 10.0.0.3:27001, 10.0.0.4:27001"];
    assert_eq!(stage.seen().await, expected);
    stage.cluster.finish_job(id("1-1-384-8"), "failed");
    stage.cluster.add_job(stage.operation, job(5).ports([27001]).cookie(1).id(id("1-1-384-1")));
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001, 10.0.0.5:27001, 10.0.0.3:27001, 10.0.0.4:27001"]);
}

#[tokio::test]
async fn every_round_asks_once_for_all_and_ports_once_for_ever() {
    let mut stage = Stage::new(SHORT).await;
    for node in 1..=20 {
        stage.job(node, [27001]);
    }
    for _ in 0..3 {
        stage.round().await;
    }
    let calls = stage.cluster.calls();
    let count = |command: &str| calls.get(command).copied().unwrap_or(0);
    assert_eq!((count("list_operations"), count("execute_batch")), (3, 3 + 1));
    assert_eq!((count("execute_batch/list_jobs"), count("execute_batch/get")), (3, 20));
    assert_eq!(calls.keys().filter(|command| !command.contains('/')).count(), 2, "{calls:?}");
    // A job whose node is away is asked for again, and costs no call of its own.
    stage.cluster.set_node_offline("10.0.0.99:9012", NodeOutage::Unreachable);
    stage.job(99, [27001]);
    stage.cluster.reset_calls();
    for _ in 0..3 {
        stage.round().await;
    }
    assert_eq!((stage.cluster.count("execute_batch"), stage.cluster.count("execute_batch/get")), (6, 3));
}
