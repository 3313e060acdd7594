//! Jobs that take a request and end the connection without an answer.

use http::Method;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::{Stage, Visit};
use crate::support::{Outcome, jobs};

/// Reads the whole request and resets the connection.
async fn reset(mut visit: Visit) -> Outcome {
    visit.wire.read_exact(visit.head.length().unwrap_or(0)).await?;
    visit.wire.reset()
}

/// Reads the whole request and closes the connection.
async fn close(mut visit: Visit) -> Outcome {
    visit.wire.read_exact(visit.head.length().unwrap_or(0)).await?;
    drop(visit.wire);
    Ok(())
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice_and_what_only_reads_is() -> Outcome {
    let (first, second) = (Stage::open().await?.always(reset), Stage::open().await?.always(close));
    let job = jobs::http("A").await?;
    for (task, broken) in [("reset", first), ("close", second)] {
        let services = [Service::http(task).at(broken.address()).reserve(job.address())];
        let gateway = Setup::new(services).one_worker().start().await?;
        let arrived_before = job.requests();
        let methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        for (number, method) in methods.into_iter().enumerate() {
            let ask = Ask::post(&host(task), "/echo", "pay 10").method(method.clone()).token(ALICE);
            assert_eq!(gateway.ingress.send(ask).await?.denial(), (503, ""), "{task}: {method}");
            assert_eq!(broken.seen(), number + 1, "{task}: {method} arrived once at the first job");
        }
        assert_eq!(job.requests(), arrived_before, "{task}: nothing was sent a second time");
        assert_eq!(gateway.ingress.counter("endpoints.failed").await?, 0);

        assert_eq!(gateway.ingress.visit(task, ALICE).await?.text(), "hello from A\n");
        assert_eq!((broken.seen(), job.requests()), (5, arrived_before + 1), "{task}: GET went on to the second");
        // Who failed comes last, so now this arrives too.
        let ask = Ask::post(&host(task), "/echo", "pay 10").token(ALICE);
        assert_eq!(gateway.ingress.send(ask).await?.text(), "pay 10");
        assert_eq!((broken.seen(), job.requests()), (5, arrived_before + 2));
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_asked_for_again() -> Outcome {
    let broken = Stage::open().await?.always(async |mut visit: Visit| {
        visit.begin("text/plain").await?;
        visit.wire.write_chunk("the first half").await?;
        visit.wire.reset()
    });
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(broken.address()).reserve(job.address())];
    let gateway = Setup::new(services).start().await?;
    let answer = gateway.ingress.visit("web", ALICE).await;
    assert!(answer.is_err(), "the client learns that it has not all of it: {answer:?}");
    assert_eq!((broken.seen(), job.requests()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn errors_that_a_job_answers_are_its_own() -> Outcome {
    let busy = Stage::open().await?.always(|visit: Visit| visit.answer("503 Service Unavailable", "", "busy"));
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(busy.address()).reserve(job.address())];
    let gateway = Setup::new(services).start().await?;
    for number in 1..4 {
        let answer = gateway.ingress.visit("web", ALICE).await?;
        assert_eq!((answer.status, answer.text().as_str()), (503, "busy"));
        assert_eq!((busy.seen(), job.requests()), (number, 0));
    }
    Ok(())
}
