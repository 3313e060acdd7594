//! What the cluster waits for in vain costs itself alone.

use taskgate_emulators::ytsaurus::{Guid, Operation};

use super::{SHORT, Stage, job};
use crate::ytsaurus::support::{reasons, services, yson};

/// One request may take three seconds.
const BRIEF: &str = ", timeout_ms: 3000, round_secs: 60";
const BAD: &str = "10.0.0.99:9012";

/// Operations with a job each, on nodes of their own from that one on.
fn others(stage: &Stage, first: u8) -> Vec<Guid> {
    let run = |node| {
        let operation = stage.cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
        stage.cluster.add_job(operation, job(node).ports([27001]));
        operation
    };
    (first..first + 12).map(run).collect()
}

#[tokio::test]
async fn a_node_that_hangs_costs_its_own_jobs_alone() {
    let mut stage = Stage::with(SHORT, BRIEF).await;
    stage.job(99, [27001]);
    stage.job(1, [27001]);
    let first = others(&stage, 10);
    stage.cluster.set_hanging(BAD, true);
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0: 10.0.0.1:27001"]);
    assert!(reasons(&inventory, stage.operation).contains("no answer within"), "{:?}", inventory.problems);
    assert!(first.iter().all(|other| services(&inventory, *other).len() == 1), "{:?}", inventory.problems);
    assert_eq!(inventory.problems.len(), 1);
    // From now on it is asked apart, in two calls at most: new jobs don't wait for it.
    let second = others(&stage, 30);
    stage.cluster.reset_calls();
    let inventory = stage.round().await;
    assert!(second.iter().all(|other| services(&inventory, *other).len() == 1), "{:?}", inventory.problems);
    assert_eq!(stage.cluster.count("execute_batch/list_jobs"), 25);
    assert_eq!(stage.cluster.count("execute_batch/get"), 12);
    stage.cluster.set_hanging(BAD, false);
    assert_eq!(stage.seen().await, ["web/port_0: 10.0.0.99:27001, 10.0.0.1:27001"]);
}

#[tokio::test]
async fn operations_whose_jobs_are_listed_in_vain_cost_no_other() {
    let mut stage = Stage::with(SHORT, BRIEF).await;
    stage.job(1, [27001]);
    let others = others(&stage, 10);
    stage.round().await;
    let hanging = [others[3], others[8]];
    for operation in hanging {
        stage.cluster.set_hanging(&operation.to_string(), true);
    }
    stage.job(2, [27002]);
    let inventory = stage.round().await;
    assert_eq!(services(&inventory, stage.operation), ["web/port_0: 10.0.0.1:27001, 10.0.0.2:27002"]);
    for other in &others {
        assert_eq!(services(&inventory, *other).len(), 1);
        let is_hanging = reasons(&inventory, *other).contains("no answer within");
        assert_eq!(is_hanging, hanging.contains(other), "{:?}", inventory.problems);
    }
}
