//! Jobs that are dead, gone, or break off.

use http::Method;
use taskgate_test_kit::{BlackHole, ReservedAddress};

use super::gate::Plan;
use crate::support::ask::Ask;
use crate::support::ingress::handshake;
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn every_request_goes_on_to_the_next_address_and_the_one_after() -> Outcome {
    let (dead, dead_too, job) = (ReservedAddress::new()?, ReservedAddress::new()?, jobs::http("A").await?);
    let services = [
        Service::http("one").at(dead.address()).reserve(job.address()),
        Service::http("two").at(dead.address()).at(dead_too.address()).reserve(job.address()),
    ];
    let gate = Plan::new(services).start().await?;
    for task in ["one", "two"] {
        for mut link in gate.links().await? {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let body = format!("body of {method}");
                let ask = Ask::post(&host(task), "/echo", body.clone()).method(method.clone()).token(ALICE);
                let answer = link.send(ask).await?;
                let expected = if method == Method::HEAD { "" } else { &body };
                assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{task}: {method}");
            }
        }
    }
    assert_eq!((job.requests(), job.posts()), (24, 4), "each request arrived once");
    let large = gate.send(Ask::post(&host("two"), "/digest", vec![b'x'; 300_000]).token(ALICE)).await?;
    assert_eq!(large.json()?["length"], 300_000, "what was held is sent again");
    Ok(())
}

#[tokio::test]
async fn a_machine_that_vanished_is_not_waited_for() -> Outcome {
    let (hole, job) = (BlackHole::open().await?, jobs::http("A").await?);
    let gate = Plan::new([Service::http("web").at(hole.address()?).reserve(job.address())]).start().await?;
    for method in [Method::GET, Method::POST] {
        let ask = Ask::post(&host("web"), "/echo", "x").method(method.clone()).token(ALICE);
        assert_eq!(gate.send(ask).await?.text(), "x", "{method}");
    }
    assert_eq!(job.requests(), 2);
    Ok(())
}

#[tokio::test]
async fn a_websocket_goes_on_to_the_next_address_too() -> Outcome {
    let (dead, job) = (ReservedAddress::new()?, jobs::websocket("W").await?);
    let gate = Plan::new([Service::websocket("ws").at(dead.address()).reserve(job.address())]).start().await?;
    let mut socket = gate.websocket(handshake("ws", Some(ALICE))?).await?;
    assert_eq!(super::gate::say(&mut socket, "hi").await?, "W: hi");
    Ok(())
}

#[tokio::test]
async fn what_a_job_may_have_begun_is_done_once() -> Outcome {
    let (breaking, job) = (Stage::open().await?, jobs::http("A").await?);
    let gate = Plan::new([Service::http("web").at(breaking.address()).reserve(job.address())]).start().await?;
    // It takes the request, whose body may be there or not, and hangs up.
    let breaking = breaking.always(|visit| async move {
        drop(visit);
        Ok(())
    });
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let ask = Ask::post(&host("web"), "/echo", "x").method(method.clone()).token(ALICE);
        assert_eq!(gate.send(ask).await?.status, 502, "{method}");
    }
    assert_eq!((breaking.seen(), job.requests()), (4, 0));
    let answer = gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
    assert_eq!(answer.text(), "hello from A\n", "reading does no harm twice");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_broke_off_does_not_go_on_elsewhere() -> Outcome {
    let (dead, job) = (ReservedAddress::new()?, jobs::http("A").await?);
    let gate = Plan::new([Service::http("web").at(dead.address()).reserve(job.address())]).start().await?;
    let answer = gate.send(Ask::post(&host("web"), "/digest", vec![b'x'; 12 << 20]).token(ALICE)).await?;
    assert_eq!((answer.status, job.requests()), (502, 0), "a part of it would be lost");
    Ok(())
}

#[tokio::test]
async fn a_service_whose_jobs_are_all_dead_says_so() -> Outcome {
    let dead = ReservedAddress::new()?;
    let gate = Plan::new([Service::http("web").at(dead.address())]).start().await?;
    for mut link in gate.links().await? {
        for ask in [Ask::get(&host("web"), "/"), Ask::post(&host("web"), "/", "x")] {
            let answer = link.send(ask.token(ALICE)).await?;
            assert_eq!((answer.status, answer.header("x-taskgate-denial")), (502, ""));
        }
    }
    Ok(())
}
