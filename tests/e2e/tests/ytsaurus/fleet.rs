//! Two sidecars in front of one cluster.

use std::collections::BTreeSet;

use taskgate_test_kit::{Sidecar, wait_until};

use crate::support::cluster::{self, EVERY_PORT, job, operation};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

const TABLE: &str = "//sys/task_proxies/services";
const ROBOTS: [&str; 2] = ["robot-one", "robot-two"];

async fn leads(sidecar: &Sidecar) -> bool {
    let metrics = sidecar.metrics().await.unwrap_or_default();
    metrics.lines().any(|line| line.starts_with("taskgate_ytsaurus_table_leader{") && line.ends_with(" 1"))
}

#[tokio::test]
async fn one_sidecar_writes_and_another_takes_over_when_it_is_killed() -> Outcome {
    let (cluster, handle) = (cluster::start().await?, jobs::http_on(2, "A").await?);
    let add = || {
        let id = cluster.add_operation(operation(EVERY_PORT)?);
        anyhow::Ok(cluster.add_job(id, job("web", &handle)))
    };
    let has_rows = async |count: usize| {
        let holds = async || cluster.rows(TABLE).is_some_and(|rows| rows.len() == count);
        wait_until(PATIENCE, &format!("{count} rows in the table"), holds).await
    };
    let writers =
        || -> BTreeSet<String> { cluster.seen("write_table").into_iter().filter_map(|call| call.user).collect() };
    add()?;
    let mut sidecars = Vec::new();
    for robot in ROBOTS {
        cluster.add_user(robot, robot);
        let setup = Setup::cluster(&cluster).provider(|provider| provider["token"] = robot.into());
        sidecars.push((robot, setup.start_sidecar().await?));
    }
    for count in 1..4 {
        has_rows(count).await?;
        add()?;
    }
    has_rows(4).await?;
    assert_eq!(writers().len(), 1, "{:?}", writers());
    let is_leader = [leads(&sidecars[0].1).await, leads(&sidecars[1].1).await];
    assert_eq!(is_leader.iter().filter(|leads| **leads).count(), 1);
    let at = usize::from(is_leader[1]);
    let (writer, mut killed) = sidecars.remove(at);
    assert_eq!(writers().into_iter().collect::<Vec<_>>(), [writer]);

    let locks = cluster.transactions();
    killed.kill()?;
    // The cluster notices by itself after half a minute of silence.
    for lock in locks {
        cluster.abort_transaction(lock);
    }
    let written = cluster.writes(TABLE);
    add()?;
    has_rows(5).await?;
    assert!(cluster.writes(TABLE) > written && writers().len() == 2);
    assert!(leads(&sidecars[0].1).await);
    Ok(())
}
