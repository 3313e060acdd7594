//! From running operations to services.

mod changes;
mod failures;
mod hanging;
mod remembered;

use taskgate::discovery::inventory::Inventory;
use taskgate::ytsaurus::discovery::Discovery;
use taskgate_core::service::Protocol;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Job, Operation, Ytsaurus};

use crate::ytsaurus::support::{cluster, discovery, entries, reasons, services, yson};

const SHORT: &str = "{task_proxy={enabled=%true}}";

/// A cluster with one operation, and discovery in it.
struct Stage {
    cluster: Ytsaurus,
    discovery: Discovery,
    operation: Guid,
}

impl Stage {
    async fn new(annotations: &str) -> Self {
        Self::with(annotations, "").await
    }

    async fn with(annotations: &str, rest: &str) -> Self {
        let cluster = cluster().await;
        let operation = cluster.add_operation(Operation::new("alice").annotations(yson(annotations)));
        let discovery = discovery(&cluster, rest);
        Self { cluster, discovery, operation }
    }

    /// A job of the task `web` on the node with that number, with these ports.
    fn job(&self, node: u8, ports: impl IntoIterator<Item = u16>) -> Guid {
        self.cluster.add_job(self.operation, job(node).ports(ports))
    }

    async fn round(&mut self) -> Inventory {
        self.discovery.round().await.expect("a round")
    }

    /// What is seen of the operation.
    async fn seen(&mut self) -> Vec<String> {
        services(&self.round().await, self.operation)
    }

    async fn reasons(&mut self) -> String {
        reasons(&self.round().await, self.operation)
    }
}

fn job(node: u8) -> Job {
    Job::new("web").address(&format!("10.0.0.{node}:9012"))
}

fn tasks_info(services: &str) -> String {
    format!("{{task_proxy={{enabled=%true; tasks_info={{web={{{services}}}}}}}}}")
}

#[tokio::test]
async fn the_short_form_names_every_port_of_every_task() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001, 27002]);
    stage.job(2, [27003, 27004]);
    stage.cluster.add_job(stage.operation, Job::new("head").address("[2001:db8::1]:9012").ports([27001]));
    stage.cluster.add_job(stage.operation, Job::new("silent").address("10.0.0.3:9012"));
    let inventory = stage.round().await;
    assert_eq!(
        services(&inventory, stage.operation),
        [
            "head/port_0: [2001:db8::1]:27001",
            "web/port_0: 10.0.0.1:27001, 10.0.0.2:27003",
            "web/port_1: 10.0.0.1:27002, 10.0.0.2:27004",
        ]
    );
    for entry in entries(&inventory, stage.operation) {
        assert_eq!(entry.alternatives, [entry.key.service.replace('_', "")]);
        assert_eq!((entry.protocol, entry.policy.owner.as_deref()), (Protocol::Http, Some("alice")));
        assert!(!entry.forward_credential);
    }
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn options_say_how_services_are_called_and_where_they_are() {
    let mut stage = Stage::with(SHORT, ", port_names: port0, network: fast").await;
    let fast = Yson::map([("default", "10.0.0.1:9012"), ("fast", "10.9.0.1:9012")]);
    stage.cluster.add_job(stage.operation, job(1).ports([27001]).field("addresses", fast));
    let slow = stage.job(2, [27001]);
    let inventory = stage.round().await;
    // Its ports are at the node's own name all the same.
    assert_eq!(services(&inventory, stage.operation), ["web/port0: 10.9.0.1:27001"]);
    let entry = entries(&inventory, stage.operation).next().expect("a service");
    assert_eq!(entry.alternatives, ["port_0"]);
    let reasons = reasons(&inventory, stage.operation);
    assert!(reasons.contains(&slow.to_string()) && reasons.contains("`network`"), "{reasons}");
}

#[tokio::test]
async fn operations_of_other_types_are_looked_at_where_that_is_asked_for() {
    let annotated = |kind: &str| Operation::new("alice").kind(kind).annotations(yson(SHORT));
    for (rest, expected) in [("", vec!["vanilla"]), (", operation_types: all", vec!["map", "vanilla"])] {
        let mut stage = Stage::with("{}", rest).await;
        let operations = ["map", "vanilla"].map(|kind| (kind, stage.cluster.add_operation(annotated(kind))));
        for (_, operation) in operations {
            stage.cluster.add_job(operation, job(1).ports([27001]));
        }
        let inventory = stage.round().await;
        let seen: Vec<_> =
            operations.iter().filter(|(_, id)| !services(&inventory, *id).is_empty()).map(|(kind, _)| *kind).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn credentials_are_passed_on_where_operation_and_operator_agree() {
    let annotations = tasks_info("a={port_index=0; forward_credential=%true}; b={port_index=0}");
    for (rest, expected) in [("", [true, false]), (", forward_credential: never", [false, false])] {
        let mut stage = Stage::with(&annotations, rest).await;
        stage.job(1, [27001]);
        let inventory = stage.round().await;
        let mut forwards: Vec<_> = entries(&inventory, stage.operation)
            .map(|entry| (entry.key.service.clone(), entry.forward_credential))
            .collect();
        forwards.sort();
        assert_eq!(forwards, [("a".to_owned(), expected[0]), ("b".to_owned(), expected[1])]);
        assert_eq!(!rest.is_empty(), reasons(&inventory, stage.operation).contains("`forward_credential: never`"));
    }
}

#[tokio::test]
async fn protocols_and_ports_are_those_of_the_annotation() {
    let annotations = tasks_info(
        "api={protocol=grpc; port_index=1}; ui={protocol=http; port_index=0}; \
         live={protocol=websocket; port_index=0}; old={protocol=gopher; port_index=0}",
    );
    let mut stage = Stage::new(&annotations).await;
    stage.job(1, [27001, 27002]);
    stage.job(2, [27003]);
    let inventory = stage.round().await;
    assert_eq!(
        services(&inventory, stage.operation),
        [
            "web/api: 10.0.0.1:27002",
            "web/live: 10.0.0.1:27001, 10.0.0.2:27003",
            "web/ui: 10.0.0.1:27001, 10.0.0.2:27003",
        ]
    );
    let protocols: Vec<_> = entries(&inventory, stage.operation).map(|entry| entry.protocol).collect();
    assert_eq!(protocols, [Protocol::Grpc, Protocol::WebSocket, Protocol::Http]);
    let reasons = reasons(&inventory, stage.operation);
    assert!(reasons.contains("gopher") && reasons.contains("1 jobs have no port 1"), "{reasons}");
}

#[tokio::test]
async fn ports_that_are_none_cost_themselves_alone() {
    let mut stage = Stage::new(SHORT).await;
    let ports = yson("[0; 70000; -1; \"27001\"; #; 1.5; [27001]; %true; 27001]");
    stage.cluster.add_job(stage.operation, job(1).ports_as(ports));
    let inventory = stage.round().await;
    let mut expected: Vec<String> = (0..8).map(|index| format!("web/port_{index}:")).collect();
    expected.push("web/port_8: 10.0.0.1:27001".into());
    assert_eq!(services(&inventory, stage.operation), expected);
    let reasons = reasons(&inventory, stage.operation);
    assert_eq!(reasons.lines().filter(|line| line.contains("that is none")).count(), 8, "{reasons}");
    // No list at all.
    for ports in ["#", "{}", "text", "7"] {
        let mut stage = Stage::new(SHORT).await;
        stage.job(1, [27001]);
        stage.cluster.add_job(stage.operation, job(2).ports_as(yson(ports)));
        let inventory = stage.round().await;
        assert_eq!(services(&inventory, stage.operation), ["web/port_0: 10.0.0.1:27001"], "{ports}");
        assert!(self::reasons(&inventory, stage.operation).contains("can't be"), "{:?}", inventory.problems);
    }
}
