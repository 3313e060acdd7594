//! The most connections of one service.

use serde_json::Value;
use taskgate_test_kit::{wait_for, wait_until};

use super::job::{Caller, Job};
use super::site::Plan;
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

#[tokio::test]
async fn one_service_has_so_many_connections_and_no_more() -> Outcome {
    let job = Job::start(b'A').await?;
    let open = |task: &str| Service::tcp(task).access("public").at(job.address());
    let plan = Plan::new([open("crowded"), open("quiet")], 8)?;
    let two = |config: &mut Value| config["internal_task_gateway"]["envoy"]["max_connections_per_service"] = 2.into();
    let site = plan.configure(two).start().await?;
    let address = site.address("crowded").await?;
    let (mut one, _) = site.call("crowded").await?;
    // The sidecar's own one, by which it tried, is over in a moment.
    let second = wait_for(PATIENCE, "a second one", async || Caller::connect(address).await.ok());
    let (other, _) = second.await?;
    assert!(Caller::connect(address).await.is_err(), "a third one");
    site.call("quiet").await?.0.echo("hello\n").await?;
    one.echo("still there\n").await?;
    drop(other);
    wait_until(PATIENCE, "room for another one", async || Caller::connect(address).await.is_ok()).await
}
