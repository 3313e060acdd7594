//! Jobs that are not listed any more, and whose ports someone else may have by now.

use taskgate::discovery::inventory::Inventory;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, NodeOutage, Operation, codes};

use super::{SHORT, Stage, job};
use crate::ytsaurus::support::{reasons, services, yson};

/// An operation with one job, which was seen, has ended since, and whose listing says that it is not whole.
async fn ended() -> (Stage, Guid) {
    let mut stage = Stage::new(SHORT).await;
    let ended = stage.job(1, [27001]);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001"]);
    stage.cluster.finish_job(ended, "completed");
    stage.cluster.set_listing_errors(stage.operation, vec![ClusterError::new(codes::UNAVAILABLE, "an agent is away")]);
    (stage, ended)
}

/// Another user's job at the very same address.
fn successor(stage: &Stage) -> Guid {
    let other = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    stage.cluster.add_job(other, job(1).ports([27001]));
    other
}

fn of_both(stage: &Stage, other: Guid, inventory: &Inventory) -> [Vec<String>; 2] {
    [services(inventory, stage.operation), services(inventory, other)]
}

#[tokio::test]
async fn a_job_that_its_node_does_not_know_any_more_is_over() {
    let (mut stage, _) = ended().await;
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0:"]);
    assert!(reasons(&inventory, stage.operation).contains("has just ended"), "{:?}", inventory.problems);
}

#[tokio::test]
async fn a_job_whose_node_can_t_be_asked_keeps_its_ports() {
    let (mut stage, _) = ended().await;
    stage.cluster.set_node_offline("10.0.0.1:9012", NodeOutage::Unreachable);
    for _ in 0..2 {
        assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001"]);
    }
}

#[tokio::test]
async fn a_port_that_another_operation_was_given_is_not_used_any_more() {
    let (mut stage, job) = ended().await;
    // Its node has not noticed.
    stage.cluster.set_job_active(job, true);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001"]);
    let other = successor(&stage);
    for _ in 0..2 {
        let inventory = stage.round().await;
        let expected = [vec!["web/port_0:".to_owned()], vec!["web/port_0: 10.0.0.1:27001".to_owned()]];
        assert_eq!(of_both(&stage, other, &inventory), expected);
        assert!(reasons(&inventory, stage.operation).contains("other operations' jobs have their ports"));
    }
}

#[tokio::test]
async fn an_operation_that_keeps_the_robot_out_has_no_jobs() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001"]);
    let refusal = Fault::Refuse { status: 400, error: ClusterError::new(codes::ACCESS_DENIED, "no") };
    stage.cluster.fail("execute_batch/list_jobs", 1, refusal);
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0:"]);
    assert!(reasons(&inventory, stage.operation).contains("none is used"), "{:?}", inventory.problems);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.1:27001"]);
}

#[tokio::test]
async fn a_robot_that_lost_its_right_takes_nothing_away() {
    let mut stage = Stage::new(SHORT).await;
    stage.job(1, [27001]);
    let other = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    stage.cluster.add_job(other, job(2).ports([27002]));
    stage.round().await;
    let refused = || Fault::Refuse { status: 400, error: ClusterError::new(codes::ACCESS_DENIED, "no") };
    stage.cluster.fail("execute_batch/list_jobs", 2, refused());
    let error = stage.discovery.round().await.expect_err("no round").to_string();
    assert!(error.contains("the right to read operations"), "{error}");
    // One operation's owner can do that to his own alone.
    stage.cluster.fail("execute_batch/list_jobs", 1, refused());
    let inventory = stage.round().await;
    let seen = of_both(&stage, other, &inventory);
    assert_eq!(seen.iter().flatten().filter(|line| line.contains("10.0.0.")).count(), 1, "{seen:?}");
}
