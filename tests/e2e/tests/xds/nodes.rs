//! Proxies that the sidecar does not talk to.

use serde_json::json;
use taskgate_test_kit::wait_until;

use super::site::Plan;
use crate::support::service::{ALICE, Service};
use crate::support::{Outcome, PATIENCE, jobs};

#[tokio::test]
async fn a_proxy_of_another_name_gets_no_address() -> Outcome {
    let job = jobs::http("A").await?;
    let plan = Plan::new([Service::http("web").at(job.address())])?;
    let plan = plan.xds(|xds| xds["node_ids"] = json!(["another", "edge-*"]));
    let (sidecar, ingress) = plan.launch().await?;
    ingress.wait_for_table().await?;
    let denied = async || {
        let metrics = sidecar.metrics().await.unwrap_or_default();
        metrics.lines().any(|line| line.strip_prefix("taskgate_xds_denied_total ").is_some_and(|count| count != "0"))
    };
    wait_until(PATIENCE, "the refusal", denied).await?;
    assert!(sidecar.log().contains("xds.node_ids"), "{}", sidecar.log());
    assert_eq!(ingress.envoy.stat("cluster.taskgate-h1.membership_total").await?, 0);
    let answer = ingress.visit("web", ALICE).await?;
    assert_eq!((answer.denial(), job.requests()), ((503, ""), 0));
    Ok(())
}
