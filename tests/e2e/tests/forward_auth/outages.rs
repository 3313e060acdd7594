//! A sidecar that is away, slow, or something else.

use super::front::{Front, Kind};
use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::{Stage, Visit};
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn without_the_sidecar_nothing_passes_and_afterwards_everything_does() -> Outcome {
    for kind in Kind::ALL {
        let job = jobs::http("A").await?;
        let services =
            [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
        let mut front = Front::start(kind, &services).await?;
        front.sidecar.kill()?;
        for mut link in front.links().await? {
            for ask in [Ask::get(&host("web"), "/"), Ask::post(&host("web"), "/", "x"), Ask::get(&host("open"), "/")] {
                let answer = link.send(ask.token(ALICE)).await?;
                assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{kind:?}");
            }
        }
        assert_eq!(job.connections(), 0, "{kind:?}");
        front.sidecar.restart().await?;
        assert_eq!(front.send(Ask::get(&host("web"), "/").token(ALICE)).await?.text(), "hello from A\n", "{kind:?}");
        front.sidecar.pause().await?;
        let answer = front.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
        assert_eq!((answer.status, answer.header("retry-after"), job.requests()), (503, "1", 1), "{kind:?}");
        front.sidecar.resume()?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_none_lets_nobody_in() -> Outcome {
    let job = jobs::http("A").await?;
    let target = job.address();
    for kind in [Kind::Haproxy, Kind::Caddy] {
        // Something else is where the sidecar should be: it says yes, without or with half of what a yes is.
        for (status, headers) in [
            ("200 OK", String::new()),
            ("204 No Content", format!("x-taskgate-upstream: {target}\r\n")),
            ("500 Oh", format!("x-taskgate-upstream: {target}\r\nx-taskgate-uri: /\r\n")),
            ("404 No", format!("x-taskgate-upstream: {target}\r\nx-taskgate-uri: /\r\n")),
            ("302 Found", format!("x-taskgate-upstream: {target}\r\nx-taskgate-uri: /\r\nlocation: /\r\n")),
        ] {
            let stage = Stage::open().await?;
            let impostor = stage.address();
            let _stage = stage.always(move |visit: Visit| {
                let headers = headers.clone();
                async move { visit.answer(status, &headers, "").await }
            });
            let front = Front::asking(kind, &[Service::http("web").at(target)], impostor).await?;
            front.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
            assert_eq!(job.connections(), 0, "{kind:?}: {status}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_wants_a_secret_hears_it_from_the_ingress_alone() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address())];
    for kind in Kind::ALL {
        for is_known in [true, false] {
            let front = Front::start_secret(kind, &services, is_known).await?;
            for name in ["x-own", "x-taskgate-internal"] {
                let ask = Ask::get(&host("web"), "/").token(ALICE).header(name, "made-up");
                let answer = front.send(ask).await?;
                assert_eq!(answer.status == 200, is_known, "{kind:?}: {name}: {} {}", answer.status, answer.text());
            }
            // What the secret opens a client can't say.
            let ask = Ask::get(&host("web"), "/").token(ALICE);
            let answer = front.send(ask.header("x-taskgate-internal", "0123456789abcdef0123456789abcdef")).await?;
            assert_eq!(answer.status == 200, is_known, "{kind:?}: {}", answer.text());
        }
    }
    Ok(())
}
