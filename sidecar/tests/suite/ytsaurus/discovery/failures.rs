//! What can't be looked at costs itself alone, and what was known of it stays.

use taskgate::discovery::inventory::Inventory;
use taskgate_core::service::Protocol;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, NodeOutage, Operation, codes};

use super::{SHORT, Stage, job, tasks_info};
use crate::ytsaurus::support::{entries, reasons, services, within, yson};

fn refusal(code: i64) -> Fault {
    Fault::Refuse { status: 400, error: ClusterError::new(code, "no") }
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
    assert!(reasons(&inventory, lost).contains("known stay for 5 minutes"), "{:?}", inventory.problems);
    assert_eq!(reasons(&inventory, kept), "");
    // Nobody forgot the ports that were known.
    stage.cluster.reset_calls();
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, lost).first().map(|line| line.matches("10.0.0").count()), Some(2));
    assert_eq!(stage.cluster.count("execute_batch/get"), 1);
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn a_batch_that_fails_costs_no_other_batch() {
    let mut stage = Stage::with(SHORT, ", batch_commands: 1").await;
    let other = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    for (id, node) in [(stage.operation, 1), (other, 7)] {
        stage.cluster.add_job(id, job(node).ports([27001]));
    }
    stage.round().await;
    for (id, node) in [(stage.operation, 2), (other, 8)] {
        stage.cluster.add_job(id, job(node).ports([27001]));
    }
    stage.cluster.fail("execute_batch", 1, refusal(1));
    let inventory = stage.round().await;
    let mut counts: [usize; 2] =
        [stage.operation, other].map(|id| entries(&inventory, id).map(|one| one.endpoints.len()).sum());
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "{inventory:?}");
    assert_eq!(inventory.problems.len(), 1);
    assert_eq!(stage.round().await.problems, []);
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
    // One is not in the list and runs, one was replaced, and the list says that it is not whole.
    stage.cluster.finish_job(jobs[0], "completed");
    stage.cluster.set_job_active(jobs[0], true);
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
async fn a_first_look_without_ports_is_not_the_whole_truth() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    stage.cluster.fail("execute_batch/get", 1, refusal(codes::UNAVAILABLE));
    let blind = stage.round().await;
    assert_eq!(services(&blind, stage.operation), [] as [String; 0]);
    assert!(blind.partial.is_some_and(|reason| reason.contains("1 operations could not be looked at")));
    let whole = stage.round().await;
    assert_eq!((services(&whole, stage.operation).len(), whole.partial), (1, None));
}

#[tokio::test]
async fn what_a_user_can_spoil_does_not_make_a_look_partial() {
    let mut stage = Stage::new(SHORT).await;
    let gone = stage.job(1, [27001]);
    stage.cluster.set_job_active(gone, false);
    let denied = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    stage.cluster.add_job(denied, job(2).ports([27002]));
    stage.cluster.fail("execute_batch/list_jobs", 1, refusal(codes::ACCESS_DENIED));
    assert_eq!(stage.round().await.partial, None);
}

#[tokio::test]
async fn tasks_with_names_that_no_service_can_have_are_left_out_and_not_quoted() {
    let mut stage = Stage::new(SHORT).await;
    for name in [&*"x".repeat(100_000), "x\u{1b}[2Jx", "x\nx"] {
        for _ in 0..30 {
            stage.cluster.add_job(stage.operation, Job::new(name).address("10.0.0.1:9012").ports([27001]));
        }
    }
    stage.job(2, [27002]);
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0: 10.0.0.2:27002"]);
    let reasons = reasons(&inventory, stage.operation);
    assert!(reasons.lines().count() == 1 && reasons.contains("left out") && !reasons.contains("xx"), "{reasons}");
}

#[tokio::test]
async fn services_of_one_operation_are_bounded_however_many_it_had() {
    let mut stage = Stage::new(SHORT).await;
    let mut last = Inventory::default();
    for task in 0..12 {
        let jobs: Vec<Guid> = (0..20)
            .map(|number| {
                let job = Job::new(&format!("t{task}_{number}")).address("10.0.0.1:9012").ports([27001]);
                stage.cluster.add_job(stage.operation, job)
            })
            .collect();
        last = stage.round().await;
        for job in jobs {
            stage.cluster.remove_job(job);
        }
    }
    let seen = services(&last, stage.operation);
    assert_eq!(seen.len(), 200);
    // Those that have jobs come first.
    assert_eq!(seen.iter().filter(|line| line.contains("10.0.0.1:27001")).count(), 20, "{seen:?}");
    let reasons = reasons(&last, stage.operation);
    assert!(reasons.contains("more than 200 services"), "{reasons}");
}
