//! From running operations to services, while operations, jobs, nodes and annotations change.

use taskgate::discovery::inventory::Inventory;
use taskgate::ytsaurus::discovery::Discovery;
use taskgate_core::service::Protocol;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, NodeOutage, Operation, Ytsaurus, codes};

use crate::ytsaurus::support::{cluster, discovery, entries, reasons, services, within, yson};

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
async fn one_job_that_is_gone_or_can_t_be_asked_costs_no_other() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    // Listed, and over before its node is asked.
    let gone = stage.job(2, [27002]);
    stage.cluster.set_job_active(gone, false);
    let stale = stage.job(3, [27003]);
    stage.cluster.mark_stale(stale);
    let away = stage.job(4, [27004]);
    stage.cluster.set_node_offline("10.0.0.4:9012", NodeOutage::Unreachable);
    let unknown = stage.job(5, [27005]);
    stage.cluster.set_node_offline("10.0.0.5:9012", NodeOutage::Gone);
    let nowhere = stage.cluster.add_job(stage.operation, job(6).ports([27006]).without("address"));
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0: 10.0.0.1:27001"]);
    let reasons = reasons(&inventory, stage.operation);
    for (job, reason) in [
        (gone, "has just ended"),
        (stale, "is stale"),
        (away, "can't be looked up"),
        (unknown, "has just ended, or the node is away"),
        (nowhere, "has no address"),
    ] {
        let line = reasons.lines().find(|line| line.contains(&job.to_string())).unwrap_or_default();
        assert!(line.contains(reason), "{reason} is not said of {job}:\n{reasons}");
    }
    // Nodes that come back are asked again, and only about what is not known.
    stage.cluster.set_node_online("10.0.0.4:9012");
    stage.cluster.set_node_online("10.0.0.5:9012");
    stage.cluster.remove_job(gone);
    stage.cluster.reset_calls();
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001, 10.0.0.4:27004, 10.0.0.5:27005"]);
    assert_eq!(stage.cluster.count("execute_batch/get"), 2);
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

fn refusal(code: i64) -> Fault {
    Fault::Refuse { status: 400, error: ClusterError::new(code, "no") }
}

#[tokio::test]
async fn an_operation_whose_jobs_can_t_be_listed_keeps_them_while_others_change() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    let other = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    stage.cluster.add_job(other, job(7).ports([27007]));
    stage.round().await;
    stage.cluster.add_job(other, job(8).ports([27008]));
    stage.job(2, [27002]);
    stage.cluster.fail("execute_batch/list_jobs", 1, refusal(codes::UNAVAILABLE));
    let inventory = stage.round().await;
    // One of the two.
    let (mut lost, mut kept) = (stage.operation, other);
    if reasons(&inventory, lost).is_empty() {
        std::mem::swap(&mut lost, &mut kept);
    }
    assert_eq!(services(&inventory, lost).first().map(|line| line.matches("10.0.0").count()), Some(1));
    assert_eq!(services(&inventory, kept).first().map(|line| line.matches("10.0.0").count()), Some(2));
    assert!(reasons(&inventory, lost).contains("stays"), "{:?}", inventory.problems);
    assert_eq!(reasons(&inventory, kept), "");
    // Nobody forgot the ports that were known.
    stage.cluster.reset_calls();
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, lost).first().map(|line| line.matches("10.0.0").count()), Some(2));
    assert_eq!(stage.cluster.count("execute_batch/get"), 1);
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn what_changes_about_an_operation_counts_even_while_its_jobs_can_t_be_listed() {
    let mut stage = Stage::new(&tasks_info("a={port_index=0}; b={port_index=0}")).await;
    let steady = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    stage.cluster.add_job(steady, job(7).ports([27007]));
    stage.job(1, [27001]);
    let before = stage.round().await;
    let acl = "[{action=allow; subjects=[bob]; permissions=[read]}]";
    stage.cluster.set_acl(stage.operation, yson(acl));
    stage.cluster.set_annotations(stage.operation, yson(&tasks_info("a={port_index=0; protocol=grpc}")));
    stage.cluster.fail("execute_batch/list_jobs", 2, refusal(codes::UNAVAILABLE));
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/a: 10.0.0.1:27001"]);
    assert_eq!(services(&inventory, steady), ["web/port_0: 10.0.0.7:27007"]);
    let entry = |inventory| entries(inventory, stage.operation).next().cloned().expect("a service");
    assert_eq!(entry(&inventory).protocol, Protocol::Grpc);
    assert_ne!(entry(&inventory).epoch(), entry(&before).epoch());
}

#[tokio::test]
async fn jobs_that_are_listed_in_part_join_those_that_were_known() {
    let mut stage = Stage::new(SHORT).await;
    let jobs: Vec<Guid> = (1..=3).map(|node| stage.job(node, [27000 + u16::from(node)])).collect();
    let all = ["web/port_0: 10.0.0.1:27001, 10.0.0.2:27002, 10.0.0.3:27003"];
    assert_eq!(stage.seen().await, all);
    // One is not in the list, one was replaced, and the list says that it is not whole.
    stage.cluster.remove_job(jobs[0]);
    stage.cluster.finish_job(jobs[1], "aborted");
    stage.cluster.add_job(stage.operation, job(9).ports([27009]).cookie(1));
    stage.cluster.set_listing_errors(stage.operation, vec![ClusterError::new(codes::UNAVAILABLE, "an agent is away")]);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001, 10.0.0.9:27009, 10.0.0.3:27003"]);
    assert!(stage.reasons().await.contains("in part"));
    stage.cluster.set_listing_errors(stage.operation, Vec::new());
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.9:27009, 10.0.0.3:27003"]);
    assert_eq!(stage.reasons().await, "");
}

#[tokio::test]
async fn a_round_in_which_nothing_can_be_had_fails_and_is_forgotten() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    let before = stage.round().await;
    for (command, fault) in [
        ("execute_batch", refusal(1)),
        ("list_operations", refusal(1)),
        ("list_operations", refusal(codes::ACCESS_DENIED)),
    ] {
        stage.cluster.fail(command, u64::MAX, fault);
        let error = stage.discovery.round().await.expect_err("no round").to_string();
        assert!(error.contains("can't be listed") && error.contains("no (code"), "{error}");
        stage.cluster.clear_faults();
    }
    stage.cluster.reset_calls();
    assert_eq!(stage.round().await, before);
    assert_eq!(stage.cluster.count("execute_batch/get"), 0, "ports are still known");
}

#[tokio::test]
async fn a_round_takes_no_longer_than_it_may() {
    let mut stage = Stage::with(SHORT, ", round_secs: 1").await;
    stage.job(1, [27001]);
    for command in ["list_operations", "execute_batch"] {
        stage.cluster.fail(command, u64::MAX, Fault::Hang);
        let deadline = within(2_000);
        stage.discovery.round().await.expect_err("no round");
        assert!(tokio::time::Instant::now() < deadline);
        stage.cluster.clear_faults();
    }
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

/// Discovery as it is configured by default: jobs are looked at more often than operations.
fn discovery_that_lists_once(cluster: &Ytsaurus) -> Discovery {
    let settings = crate::ytsaurus::support::settings(&cluster.url(), "");
    let client = crate::ytsaurus::support::client_with(settings.cluster.clone());
    Discovery::new(std::sync::Arc::new(settings), client)
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
