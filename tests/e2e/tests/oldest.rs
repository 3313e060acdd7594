//! The oldest Envoy that is supported. Every other test runs on it too, with `TASKGATE_ENVOY`.

use taskgate_test_kit::{ReservedAddress, environment, wait_until};

use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs, soon};

#[tokio::test]
async fn does_all_that_matters() -> Outcome {
    let program = environment::envoy_oldest()?;
    let dead = ReservedAddress::new()?;
    let (job, echo, websocket) = (jobs::http("A").await?, jobs::grpc("G").await?, jobs::websocket("W").await?);
    let services = [
        Service::http("web").at(dead.address()).reserve(job.address()),
        Service::http("open").at(job.address()).access("public"),
        Service::grpc("echo").at(dead.address()).reserve(echo.address()),
        Service::websocket("ws").at(dead.address()).reserve(websocket.address()),
    ];
    let setup = Setup::new(services).one_worker().mortal()?.program(program);
    let gateway = setup.configure(|config| config["gate"]["demotion_secs"] = 3600.into()).start().await?;
    let ingress = &gateway.ingress;

    for _ in 0..10 {
        assert_eq!(ingress.visit("web", ALICE).await?.text(), "hello from A\n");
        assert_eq!(ingress.send(Ask::post(&host("web"), "/echo", "x").token(ALICE)).await?.text(), "x");
    }
    assert_eq!(ingress.counter("endpoints.failed").await?, 1, "a dead address is tried once");
    let mut client = ingress.grpc("echo").await?;
    assert_eq!(soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner().name, "G");
    let mut socket = ingress.websocket("ws", ALICE).await?;
    assert_eq!(socket.say("hi").await?, "W: hi");
    assert_eq!(ingress.send(Ask::get(&host("web"), "/")).await?.denial(), (401, "credential-missing"));
    let spoofed = Ask::get(&host("none"), "/").header("x-taskgate-up1", job.address().to_string());
    assert_eq!(ingress.send(spoofed.header("x-envoy-attempt-count", "2")).await?.denial(), (404, "unknown-service"));

    let trap = Ask::get(&host("open"), "/").header("x-fault", "trap");
    assert_eq!(ingress.send(trap).await?.status, 503);
    let open = async || ingress.send(Ask::get(&host("open"), "/")).await.is_ok_and(|answer| answer.is_ok());
    wait_until(PATIENCE, "the filter to be back", open).await?;
    gateway.publish(&[Service::http("later").at(job.address()).access("public")])?;
    let later = async || ingress.send(Ask::get(&host("later"), "/")).await.is_ok_and(|answer| answer.is_ok());
    ingress.everywhere("a new service", later).await
}
