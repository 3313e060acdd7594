//! Addresses that take no connections.

use std::time::{Duration, Instant};

use serde_json::json;
use taskgate_test_kit::{BlackHole, ReservedAddress};

use super::site::{Plan, members};
use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, Service, host};
use crate::support::{Outcome, jobs, soon};

/// `connect_timeout` of `xds.yaml`.
const CONNECT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_job_that_is_gone_costs_nobody_anything_once_it_is_found_out() -> Outcome {
    let (hole, dead) = (BlackHole::open().await?, ReservedAddress::new()?);
    let (job, echo) = (jobs::http("A").await?, jobs::grpc("G").await?);
    let services = [
        Service::http("web").at(hole.address()?).reserve(job.address()),
        Service::grpc("echo").at(hole.address()?).reserve(echo.address()),
        Service::http("back").at(dead.address()),
    ];
    let checks = json!({"interval_secs": 2, "timeout_ms": 1000, "unhealthy_threshold": 2});
    let site = Plan::new(services)?.xds(|xds| xds["health_checks"] = checks).start(1, 1).await?;
    let ingress = &site.gateway.ingress;
    let started = Instant::now();
    let mut client = ingress.grpc("echo").await?;
    const REQUESTS: u32 = 20;
    for _ in 0..REQUESTS {
        let post = Ask::post(&host("web"), "/echo", "x").token(ALICE);
        assert_eq!(ingress.send(post).await?.text(), "x");
        assert_eq!(soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner().name, "G");
    }
    let took = started.elapsed();
    assert!(took < CONNECT * REQUESTS / 2, "{REQUESTS} requests took {took:?}: they waited for connections");
    assert_eq!(ingress.visit("back", ALICE).await?.denial(), (503, ""));

    let back = jobs::http_at(dead.address(), "B").await?;
    let ask = || Ask::get(&host("back"), "/").token(ALICE);
    ingress.answers("the job that is back", ask, |answer| answer.text() == "hello from B\n").await?;
    assert!(back.requests() > 0);
    members(ingress, "taskgate-h1", 2).await
}

#[tokio::test]
async fn where_most_fail_the_checks_are_not_believed() -> Outcome {
    let (dead, dead_too, job) = (ReservedAddress::new()?, ReservedAddress::new()?, jobs::http("A").await?);
    let services = [Service::http("web").at(dead.address()).at(dead_too.address()).reserve(job.address())];
    let checks = json!({"interval_secs": 2, "timeout_ms": 1000, "unhealthy_threshold": 1});
    let site = Plan::new(services)?.xds(|xds| xds["health_checks"] = checks).start(3, 0).await?;
    let failing = async || {
        let metrics = site.gateway.sidecar.metrics().await.unwrap_or_default();
        metrics.lines().any(|line| line == "taskgate_xds_unhealthy_endpoints 2")
    };
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "the checks", failing).await?;
    members(&site.gateway.ingress, "taskgate-h1", 3).await?;
    assert_eq!(site.gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
    Ok(())
}
