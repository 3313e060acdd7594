//! Whole sidecars over one cluster, at the pace that they have.

use std::time::Duration;

use taskgate_emulators::ytsaurus::{Job, Operation, Ytsaurus};

use crate::kit::Sidecar;
use crate::ytsaurus::support::{self, cluster, guid, yson};
use crate::ytsaurus::table::peer::{NAMES, SERVICES, eventually, rows};

const OPERATION: &str = "a6e04b98-bf982394-5103e8-55754a49";

async fn sidecar(cluster: &Ytsaurus) -> Sidecar {
    let directory = tempfile::tempdir().expect("a directory");
    Sidecar::start_in(directory, &support::config(&cluster.url(), ", jobs_secs: 1, operations_secs: 1, table: {}"))
        .await
}

/// An operation with an alias and one service.
fn add_operation(cluster: &Ytsaurus) {
    let annotations = "{task_proxy={enabled=%true;tasks_info={master={ui={protocol=http;port_index=0}}}}}";
    let operation = Operation::new("alice").id(guid(OPERATION)).alias("*greeter").annotations(yson(annotations));
    let operation = cluster.add_operation(operation);
    cluster.add_job(operation, Job::new("master").address("10.0.0.1:9012").ports([27001]));
}

#[tokio::test]
async fn what_a_sidecar_discovers_stands_in_the_tables_and_its_lock_ends_with_it() {
    let cluster = cluster().await;
    add_operation(&cluster);
    let sidecar = sidecar(&cluster).await;
    eventually("is written", || {
        // The registry's clock stands still unless it is moved.
        sidecar.clock.advance(Duration::from_millis(1));
        rows(&cluster, SERVICES).is_some()
    })
    .await;
    let row = cluster.rows(SERVICES).expect("rows")[0].clone();
    assert_eq!(row.field("domain").and_then(|domain| domain.as_str()), Some("2ef4261c.tasks.example.test"));
    let names = cluster.rows(NAMES).expect("rows");
    let domains: Vec<_> =
        names.iter().filter_map(|row| row.field("domain").and_then(|domain| domain.as_str())).collect();
    assert_eq!(domains, ["2ef4261c.tasks.example.test", "greeter-master-ui.tasks.example.test"]);
    assert_eq!(sidecar.metric("taskgate_ytsaurus_table_leader{provider=\"ytsaurus\"}").await, Some(1));
    assert_eq!(sidecar.metric("taskgate_ytsaurus_table_rows{provider=\"ytsaurus\"}").await, Some(1));
    assert!(sidecar.running.end().await);
    assert_eq!(cluster.transactions(), []);
}
