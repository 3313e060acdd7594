//! An address where connecting neither succeeds nor fails, as with a machine that vanished.

use std::time::{Duration, Instant};

use taskgate_test_kit::{BlackHole, wait_until};

use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs, soon};

/// `connect_timeout` of `static.yaml`.
const CONNECT: Duration = Duration::from_millis(500);
/// How many requests follow the first one.
const FOLLOWING: u32 = 40;

#[tokio::test]
async fn it_costs_one_connect_timeout_once() -> Outcome {
    let (hole, job, echo) = (BlackHole::open().await?, jobs::http("A").await?, jobs::grpc("G").await?);
    let services = [
        Service::http("web").at(hole.address()?).reserve(job.address()),
        Service::grpc("echo").at(hole.address()?).reserve(echo.address()),
    ];
    let setup = Setup::new(services).one_worker().configure(|config| config["gate"]["demotion_secs"] = 3600.into());
    let gateway = setup.start().await?;

    let started = Instant::now();
    assert_eq!(gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
    assert!(started.elapsed() >= CONNECT, "the first request waits for the connection, as the test means it to");

    // An address is what failed: another service that has it knows as well.
    let started = Instant::now();
    let mut client = gateway.ingress.grpc("echo").await?;
    for number in 0..FOLLOWING {
        let post = Ask::post(&host("web"), "/echo", "x").token(ALICE);
        assert_eq!(gateway.ingress.send(post).await?.text(), "x", "request {number}");
        assert_eq!(soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner().name, "G");
    }
    let (took, limit) = (started.elapsed(), CONNECT * FOLLOWING / 2);
    assert!(took < limit, "{FOLLOWING} requests took {took:?}: they waited for connections");
    assert_eq!(gateway.ingress.counter("endpoints.failed").await?, 1);
    assert_eq!(job.requests(), u64::from(FOLLOWING) + 1);
    Ok(())
}

#[tokio::test]
async fn after_a_while_it_gets_another_chance() -> Outcome {
    let (hole, job) = (BlackHole::open().await?, jobs::http("A").await?);
    let services = [Service::http("web").at(hole.address()?).reserve(job.address())];
    let setup = Setup::new(services).one_worker().configure(|config| config["gate"]["demotion_secs"] = 1.into());
    let gateway = setup.start().await?;
    let ingress = &gateway.ingress;
    let again = async || {
        let answer = ingress.visit("web", ALICE).await;
        assert!(answer.is_ok_and(|answer| answer.is_ok()));
        ingress.counter("endpoints.failed").await.is_ok_and(|failed| failed >= 2)
    };
    wait_until(PATIENCE, "the address to be tried again", again).await
}
