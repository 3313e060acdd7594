//! Where requests go, and where they never go.

use std::path::PathBuf;

use taskgate_test_kit::{ReservedAddress, environment};

use super::site::{Plan, members};
use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, BOB, MALLORY, Service, host};
use crate::support::{Outcome, jobs, soon};

/// Every protocol, with addresses where nobody listens in front.
async fn every_protocol(program: Option<PathBuf>) -> Outcome {
    let (dead, dead_too) = (ReservedAddress::new()?, ReservedAddress::new()?);
    let (job, other) = (jobs::http("A").await?, jobs::http("B").await?);
    let (echo, websocket) = (jobs::grpc("G").await?, jobs::websocket("W").await?);
    let services = [
        Service::http("web").at(job.address()),
        Service::http("other").at(other.address()),
        Service::http("one").at(dead.address()).reserve(job.address()),
        Service::http("two").at(dead.address()).at(dead_too.address()).reserve(job.address()),
        Service::grpc("echo").at(dead.address()).at(dead_too.address()).reserve(echo.address()),
        Service::websocket("ws").at(dead.address()).at(dead_too.address()).reserve(websocket.address()),
        Service::http("none").at(dead.address()),
    ];
    let site = Plan::new(services)?.program(program).start(5, 3).await?;
    let ingress = &site.gateway.ingress;
    for number in 0..10 {
        for task in ["web", "one", "two"] {
            assert_eq!(ingress.visit(task, ALICE).await?.text(), "hello from A\n", "{task}");
            let body = format!("{task} {number}");
            let post = Ask::post(&host(task), "/echo", body.clone()).token(BOB);
            assert_eq!(ingress.send(post).await?.text(), body, "{task}");
        }
        assert_eq!(ingress.visit("other", ALICE).await?.text(), "hello from B\n");
    }
    assert_eq!((job.requests(), job.posts(), other.requests()), (60, 30, 10), "each request arrived once");
    for number in 1..4 {
        let mut client = ingress.grpc("echo").await?;
        let reply = soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner();
        assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"));
        let mut socket = ingress.websocket("ws", ALICE).await?;
        assert_eq!(socket.say("hi").await?, "W: hi");
        assert_eq!((echo.requests(), websocket.requests()), (number, number));
    }
    let answer = ingress.visit("none", ALICE).await?;
    assert_eq!((answer.denial(), answer.header("retry-after")), ((503, ""), "1"));
    // Jobs see nothing of how they were found.
    let seen = ingress.send(Ask::get(&host("two"), "/headers").token(ALICE)).await?.text();
    assert!(!seen.contains("x-taskgate-up") && !seen.contains(&dead.address().to_string()), "{seen}");
    Ok(())
}

#[tokio::test]
async fn every_protocol_reaches_its_job_and_goes_on_to_the_next_address() -> Outcome {
    every_protocol(None).await
}

#[tokio::test]
async fn the_oldest_envoy_does_so_too() -> Outcome {
    every_protocol(Some(environment::envoy_oldest_xds()?)).await
}

#[tokio::test]
async fn an_address_that_envoy_does_not_know_yet_is_nobodys() -> Outcome {
    let (job, new) = (jobs::http("A").await?, jobs::http("B").await?);
    let (echo, new_echo) = (jobs::grpc("G").await?, jobs::grpc("N").await?);
    let services = [
        Service::http("web").at(job.address()).access("public"),
        Service::grpc("echo").at(echo.address()).access("public"),
    ];
    // After the first push the next one is a minute away.
    let plan = Plan::new(services.clone())?.xds(|xds| xds["push_interval_ms"] = 60_000.into());
    let site = plan.start(1, 1).await?;
    let ingress = &site.gateway.ingress;
    let more = [
        Service::http("new").at(new.address()).access("public"),
        Service::http("both").at(new.address()).reserve(job.address()).access("public"),
        Service::grpc("new-echo").at(new_echo.address()).access("public"),
    ];
    site.gateway.publish(&services.into_iter().chain(more).collect::<Vec<_>>())?;
    let ask = |task: &str| Ask::get(&host(task), "/");
    ingress.answers("the filter to know it", || ask("new"), |answer| answer.denial() == (503, "")).await?;
    let before = (job.requests(), echo.requests());
    for _ in 0..20 {
        let answer = ingress.send(ask("new")).await?;
        assert_eq!((answer.denial(), answer.header("retry-after")), ((503, ""), "1"), "{}", answer.text());
        let post = Ask::post(&host("new"), "/echo", "secret");
        assert_eq!(ingress.send(post).await?.denial(), (503, ""));
        let mut client = ingress.grpc("new-echo").await?;
        let called = soon("the call", client.unary(message("secret", ALICE)?)).await?;
        assert_eq!(called.err().map(|status| status.code()), Some(tonic::Code::Unavailable));
    }
    assert_eq!((job.requests(), echo.requests()), before, "no stranger's job got a request");
    // Where one of the addresses is known, that one is taken.
    assert_eq!(ingress.send(ask("both")).await?.text(), "hello from A\n");
    assert_eq!((new.requests(), new_echo.requests()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn a_new_service_is_reached_and_one_that_moved_is_followed() -> Outcome {
    let (job, other) = (jobs::http("A").await?, jobs::http("B").await?);
    let site = Plan::new([Service::http("web").at(job.address())])?.start(1, 0).await?;
    let ingress = &site.gateway.ingress;
    let says = async |task: &str, text: &str| {
        let ask = || Ask::get(&host(task), "/").token(ALICE);
        ingress.answers(&format!("{task} to say {text}"), ask, |answer| answer.text() == text).await
    };
    site.gateway.publish(&[Service::http("web").at(job.address()), Service::http("new").at(other.address())])?;
    says("new", "hello from B\n").await?;
    members(ingress, "taskgate-h1", 2).await?;
    site.gateway.publish(&[Service::http("web").at(other.address())])?;
    says("web", "hello from B\n").await?;
    members(ingress, "taskgate-h1", 1).await?;
    let clusters = ingress.envoy.admin("clusters").await?;
    assert!(!clusters.contains(&job.address().to_string()), "an address that no service has is gone: {clusters}");
    assert_eq!(ingress.visit("new", ALICE).await?.denial(), (404, "unknown-service"));
    Ok(())
}

#[tokio::test]
async fn addresses_that_a_client_sends_are_not_gone_to() -> Outcome {
    let (job, secret) = (jobs::http("A").await?, jobs::http("S").await?);
    let (echo, secret_echo) = (jobs::grpc("G").await?, jobs::grpc("S").await?);
    let services = [
        Service::http("web").at(job.address()),
        Service::grpc("echo").at(echo.address()),
        Service::http("secret").at(secret.address()),
        Service::grpc("secret-echo").at(secret_echo.address()),
    ];
    let site = Plan::new(services)?.start(2, 2).await?;
    let ingress = &site.gateway.ingress;
    let addresses =
        [secret.address().to_string(), format!("{0},{0}", secret.address()), secret_echo.address().to_string()];
    for address in addresses {
        for protocol in ["", "h2"] {
            let spoofed = |ask: Ask| {
                let names = ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3", "x-envoy-original-dst-host"];
                let ask = names.into_iter().fold(ask, |ask, name| ask.header(name, &address));
                if protocol.is_empty() { ask } else { ask.header("x-taskgate-protocol", protocol) }
            };
            let mine = spoofed(Ask::get(&host("web"), "/").token(ALICE));
            assert_eq!(ingress.send(mine).await?.text(), "hello from A\n");
            let theirs = spoofed(Ask::get(&host("secret"), "/").token(MALLORY));
            assert_eq!(ingress.send(theirs).await?.denial(), (404, "unknown-service"));
            let nobody = spoofed(Ask::get("elsewhere.example.test", "/"));
            assert!(ingress.send(nobody).await?.status >= 400);
        }
    }
    assert_eq!((secret.requests(), secret_echo.requests()), (0, 0));
    Ok(())
}
