//! The sidecar is killed.

use taskgate_test_kit::wait_until;
use tonic::Code;

use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, BOB, MALLORY, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs, soon};

#[tokio::test]
async fn what_was_decided_goes_on_and_what_was_not_is_told_to_come_again() -> Outcome {
    let (job, echo, socket) = (jobs::http("A").await?, jobs::grpc("G").await?, jobs::websocket("W").await?);
    let services = [
        Service::http("web").at(job.address()),
        Service::http("open").at(job.address()).access("public"),
        Service::grpc("echo").at(echo.address()),
        Service::websocket("ws").at(socket.address()),
    ];
    let mut gateway = Setup::new(services).one_worker().start().await?;
    let session = gateway.session("web").await?;
    let mut websocket = gateway.ingress.websocket("ws", ALICE).await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    soon("a reply", client.unary(message("hi", ALICE)?)).await??;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    assert_eq!(gateway.ingress.visit("web", MALLORY).await?.denial(), (404, "unknown-service"));

    gateway.sidecar.kill()?;
    for _ in 0..20 {
        let ingress = &gateway.ingress;
        assert!(ingress.visit("web", ALICE).await?.is_ok());
        assert_eq!(ingress.visit("web", MALLORY).await?.denial(), (404, "unknown-service"), "so was this");
        assert!(ingress.send(Ask::get(&host("open"), "/")).await?.is_ok());
        assert!(ingress.visit("web", &session).await?.is_ok());
        assert!(
            ingress.send(Ask::get(&host("web"), "/").header("cookie", format!("taskgate={session}"))).await?.is_ok()
        );
        assert_eq!(websocket.say("still here").await?, "W: still here");
        assert!(ingress.websocket("ws", ALICE).await?.say("hi").await.is_ok());
        assert!(soon("a reply", client.unary(message("hi", ALICE)?)).await?.is_ok());

        let undecided = ingress.visit("web", BOB).await?;
        assert_eq!((undecided.denial(), undecided.header("retry-after")), ((503, "verdict-unavailable"), "2"));
        let call = soon("an answer", client.unary(message("hi", BOB)?)).await?;
        assert_eq!(call.err().map(|status| status.code()), Some(Code::Unavailable));
        assert_eq!(ingress.send(Ask::get(&host("web"), "/")).await?.denial(), (401, "credential-missing"));
        assert_eq!(ingress.visit("none", ALICE).await?.denial(), (404, "unknown-service"));
    }
    gateway.sidecar.restart().await?;
    let ingress = &gateway.ingress;
    let bob = async || ingress.visit("web", BOB).await.is_ok_and(|answer| answer.is_ok());
    wait_until(PATIENCE, "Bob to be let in when the sidecar is back", bob).await
}

#[tokio::test]
async fn a_verdict_past_its_time_holds_on_within_the_grace() -> Outcome {
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]).one_worker();
    let setup = setup.configure(|config| config["verdicts"]["allow_lifetime_secs"] = 1.into());
    let mut gateway = setup.start().await?;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    gateway.sidecar.kill()?;
    let asked = gateway.ingress.counter("verdicts.asked").await?;
    let ingress = &gateway.ingress;
    // Questions without an answer mean that the verdict's time is over; two, that it is so for good.
    let past = async || {
        let answer = ingress.visit("web", ALICE).await;
        assert!(answer.is_ok_and(|answer| answer.is_ok()), "access was lost with the sidecar");
        ingress.counter("verdicts.asked").await.is_ok_and(|now| now >= asked + 2)
    };
    wait_until(PATIENCE, "the verdict to be past its time", past).await?;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    assert_eq!(gateway.ingress.visit("web", BOB).await?.denial(), (503, "verdict-unavailable"));
    Ok(())
}

#[tokio::test]
async fn without_a_grace_a_verdict_ends_with_its_time() -> Outcome {
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]).one_worker();
    let setup = setup.configure(|config| {
        config["verdicts"]["allow_lifetime_secs"] = 1.into();
        config["gate"]["verdict_grace_secs"] = 0.into();
    });
    let mut gateway = setup.start().await?;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    gateway.sidecar.kill()?;
    let ingress = &gateway.ingress;
    let ended = async || {
        let answer = ingress.visit("web", ALICE).await;
        answer.is_ok_and(|answer| answer.denial() == (503, "verdict-unavailable"))
    };
    wait_until(PATIENCE, "the verdict to end", ended).await
}

#[tokio::test]
async fn a_table_that_nobody_confirms_expires() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("open").at(job.address()).access("public")];
    // Polls that end often confirm it often.
    let setup = Setup::new(services).line("poll_wait_ms = 200");
    let setup = setup.configure(|config| config["gate"]["table_max_age_secs"] = 2.into());
    let mut gateway = setup.start().await?;
    assert!(gateway.ingress.send(Ask::get(&host("open"), "/")).await?.is_ok());
    gateway.sidecar.kill()?;
    let ingress = &gateway.ingress;
    let expired = async || {
        let answer = ingress.send(Ask::get(&host("open"), "/")).await;
        answer.is_ok_and(|answer| answer.denial() == (503, "table-expired") && answer.header("retry-after") == "5")
    };
    ingress.everywhere("the table to expire", expired).await?;
    gateway.sidecar.restart().await?;
    let ingress = &gateway.ingress;
    let back = async || ingress.send(Ask::get(&host("open"), "/")).await.is_ok_and(|answer| answer.is_ok());
    ingress.everywhere("the table to be back", back).await
}
