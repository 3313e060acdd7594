//! Addresses where nobody listens any more.

use http::Method;
use sha2::{Digest as _, Sha256};
use taskgate_test_kit::{BlackHole, ReservedAddress};
use tonic::Code;

use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn every_request_goes_on_to_the_next_address() -> Outcome {
    let (dead, dead_too, job) = (ReservedAddress::new()?, ReservedAddress::new()?, jobs::http("A").await?);
    // Whoever demotes nothing tries the dead ones first each time: each request has to go on.
    let services = [
        Service::http("one").at(dead.address()).reserve(job.address()),
        Service::http("two").at(dead.address()).at(dead_too.address()).reserve(job.address()),
    ];
    let setup = Setup::new(services).configure(|config| config["gate"]["demotion_secs"] = 0.into());
    let gateway = setup.start().await?;
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
    for task in ["one", "two"] {
        for (number, method) in methods.iter().cycle().take(30).enumerate() {
            let body = format!("body {number}");
            let ask = Ask::post(&host(task), "/echo", body.clone()).method(method.clone()).token(ALICE);
            let answer = gateway.ingress.send(ask).await?;
            let expected = if method == Method::HEAD { "" } else { &body };
            assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{task}: {method} {number}");
        }
    }
    assert_eq!((job.requests(), job.posts()), (60, 10), "each request arrived once");
    Ok(())
}

#[tokio::test]
async fn each_attempt_that_failed_is_counted_once() -> Outcome {
    let (dead, dead_too, job) = (ReservedAddress::new()?, ReservedAddress::new()?, jobs::http("A").await?);
    let services = [Service::http("web").at(dead.address()).at(dead_too.address()).reserve(job.address())];
    let setup = Setup::new(services).configure(|config| config["gate"]["demotion_secs"] = 0.into());
    let gateway = setup.start().await?;
    for number in 1..4 {
        assert_eq!(gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
        assert_eq!(gateway.ingress.counter("endpoints.failed").await?, 2 * number);
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_address_is_tried_once_and_then_comes_last() -> Outcome {
    let (dead, job) = (ReservedAddress::new()?, jobs::http("A").await?);
    let services = [Service::http("web").at(dead.address()).reserve(job.address())];
    let setup = Setup::new(services).one_worker().configure(|config| config["gate"]["demotion_secs"] = 3600.into());
    let gateway = setup.start().await?;
    for _ in 0..20 {
        assert_eq!(gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
    }
    assert_eq!(gateway.ingress.counter("endpoints.failed").await?, 1);
    Ok(())
}

#[tokio::test]
async fn without_a_job_that_lives_clients_get_503() -> Outcome {
    let (dead, dead_too) = (ReservedAddress::new()?, ReservedAddress::new()?);
    let services = [
        Service::http("web").at(dead.address()).at(dead_too.address()),
        Service::grpc("echo").at(dead.address()).at(dead_too.address()),
    ];
    let gateway = Setup::new(services).start().await?;
    for _ in 0..5 {
        let answer = gateway.ingress.visit("web", ALICE).await?;
        assert_eq!(answer.denial(), (503, ""), "{}", answer.text());
        let mut client = gateway.ingress.grpc("echo").await?;
        let called = soon("the call", client.unary(message("hi", ALICE)?)).await?;
        assert_eq!(called.err().map(|status| status.code()), Some(Code::Unavailable));
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_of_20_mib_arrives_whole_at_the_next_address() -> Outcome {
    let (dead, hole, job) = (ReservedAddress::new()?, BlackHole::open().await?, jobs::http("A").await?);
    let services = [
        Service::http("dead").at(dead.address()).reserve(job.address()),
        Service::http("hole").at(hole.address()?).reserve(job.address()),
    ];
    let gateway = Setup::new(services).start().await?;
    let body: Vec<u8> = (0..20_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let digest: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    for (number, task) in ["dead", "hole"].into_iter().enumerate() {
        let answer = gateway.ingress.send(Ask::post(&host(task), "/digest", body.clone()).token(ALICE)).await?;
        let seen = answer.json()?;
        let expected = (Some(digest.as_str()), Some(body.len() as u64));
        assert_eq!((seen["sha256"].as_str(), seen["length"].as_u64()), expected, "{task}");
        assert_eq!(job.posts(), number as u64 + 1);
    }
    Ok(())
}

#[tokio::test]
async fn calls_and_websockets_go_on_to_the_next_address_too() -> Outcome {
    let (dead, hole) = (ReservedAddress::new()?, BlackHole::open().await?);
    let (echo, socket) = (jobs::grpc("G").await?, jobs::websocket("W").await?);
    let services = [
        Service::grpc("grpc-dead").at(dead.address()).reserve(echo.address()),
        Service::grpc("grpc-hole").at(hole.address()?).reserve(echo.address()),
        Service::websocket("ws-dead").at(dead.address()).reserve(socket.address()),
        Service::websocket("ws-hole").at(hole.address()?).reserve(socket.address()),
    ];
    let setup = Setup::new(services).configure(|config| config["gate"]["demotion_secs"] = 0.into());
    let gateway = setup.start().await?;
    for task in ["grpc-dead", "grpc-hole"] {
        let mut client = gateway.ingress.grpc(task).await?;
        let reply = soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner();
        assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"), "{task}");
    }
    for task in ["ws-dead", "ws-hole"] {
        let mut client = gateway.ingress.websocket(task, ALICE).await?;
        assert_eq!(client.say("hi").await?, "W: hi", "{task}");
    }
    assert_eq!((echo.requests(), socket.requests()), (2, 2));
    assert_eq!(gateway.ingress.counter("endpoints.failed").await?, 4);
    Ok(())
}
