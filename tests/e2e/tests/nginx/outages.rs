//! A sidecar that is away, slow or talks nonsense; a reload under load; connections that are kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskgate_test_kit::{ReservedAddress, wait_until};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::gate::{Gate, Plan};
use crate::support::ask::{Ask, Link};
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::stage::{Stage, Visit};
use crate::support::{Outcome, PATIENCE, jobs};

async fn assert_unavailable(gate: &Gate) -> Outcome {
    let asks = || [Ask::get(&host("web"), "/"), Ask::post(&host("web"), "/", "x"), Ask::get(&host("open"), "/")];
    for ask in asks() {
        // NGINX ends a connection after an error of its own.
        for (mut link, ask) in gate.links().await?.into_iter().zip([ask, Ask::get(&host("web"), "/")]) {
            let answer = link.send(ask.token(ALICE)).await?;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        }
    }
    let refused = gate.grpc("web").await?.unary(crate::support::ingress::message("hi", ALICE)?).await.err();
    assert_eq!(refused.map(|status| status.code()), Some(tonic::Code::Unavailable));
    Ok(())
}

#[tokio::test]
async fn without_the_sidecar_nothing_passes_and_afterwards_everything_does() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let mut gate = Plan::new(services).start().await?;
    gate.sidecar.kill()?;
    assert_unavailable(&gate).await?;
    assert_eq!(job.connections(), 0);
    gate.sidecar.restart().await?;
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?.text(), "hello from A\n");
    gate.sidecar.pause().await?;
    let answer = gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
    assert_eq!((answer.status, answer.header("retry-after"), job.requests()), (503, "1", 1), "it is not waited for");
    gate.sidecar.resume()?;
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?.text(), "hello from A\n");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_none_lets_nobody_in() -> Outcome {
    let job = jobs::http("A").await?;
    let target = job.address();
    // Something else is where the sidecar should be: it says yes, without or with half of what a yes is.
    let stage = Stage::open().await?;
    let impostor = stage.address();
    let answers = Arc::new(AtomicUsize::new(0));
    let turn = Arc::clone(&answers);
    let _stage = stage.always(move |visit: Visit| {
        let number = turn.fetch_add(1, Ordering::SeqCst);
        async move {
            let upstream = format!("x-taskgate-upstream: {target}\r\n");
            match number {
                0 => visit.answer("200 OK", "", "").await,
                1 => visit.answer("204 No Content", "x-taskgate-uri: /\r\n", "").await,
                2 => visit.answer("500 Oh", &upstream, "").await,
                3 => visit.answer("302 Found", &format!("{upstream}location: /\r\n"), "").await,
                4 => visit.answer("404 No", &upstream, "").await,
                5 => visit.answer("200 OK", &format!("{upstream}x-large: {}\r\n", "x".repeat(20_000)), "").await,
                _ => visit.wire.reset(),
            }
        }
    });
    let plan = Plan::new([Service::http("web").at(job.address())]);
    let gate = plan.through(impostor).start().await?;
    for number in 0..7 {
        let answer = gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "answer {number}");
    }
    assert_eq!(job.connections(), 0);
    Ok(())
}

/// Passes connections on and counts them.
async fn relay(to: SocketAddr) -> anyhow::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(to).await {
                    // Either side may hang up.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    Ok((address, count))
}

#[tokio::test]
async fn questions_share_connections() -> Outcome {
    let job = jobs::http("A").await?;
    let asked_at = ReservedAddress::new()?;
    let (relay, connections) = relay(asked_at.address()).await?;
    let plan = Plan::new([Service::http("web").at(job.address())]).through(relay);
    let gate = plan.start_at(asked_at).await?;
    let mut link = Link::http1(gate.nginx.address()).await?;
    for number in 0..30 {
        let (token, status) = if number % 3 == 0 { (BOB, 200) } else { ("wrong", 401) };
        assert_eq!(link.send(Ask::get(&host("web"), "/").token(token)).await?.status, status);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    Ok(())
}

/// How many requests a client makes while NGINX reads its configuration anew.
const REQUESTS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_loses_no_request() -> Outcome {
    let job = jobs::http("A").await?;
    let mut gate = Plan::new([Service::http("web").at(job.address())]).start().await?;
    let (address, done) = (gate.nginx.address(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&done);
    // Each request on a connection of its own: an old worker closes those that it kept, as every client knows.
    let client = tokio::spawn(async move {
        while counter.fetch_add(1, Ordering::SeqCst) < REQUESTS {
            let answer = Ask::get(&host("web"), "/").token(ALICE).send(address).await?;
            anyhow::ensure!(answer.text() == "hello from A\n", "{:?} {}", answer.denial(), answer.text());
        }
        Ok(())
    });
    for round in 1..4 {
        let reached = async || done.load(Ordering::SeqCst) >= round * REQUESTS / 5;
        wait_until(PATIENCE, "requests under load", reached).await?;
        let old = gate.nginx.worker();
        gate.nginx.reload()?;
        wait_until(PATIENCE, "another worker", async || gate.nginx.worker().is_some_and(|new| Some(new) != old))
            .await?;
    }
    client.await??;
    assert_eq!(job.requests(), REQUESTS as u64);
    Ok(())
}

#[tokio::test]
async fn a_decision_that_is_used_again_is_for_equal_requests_alone() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("owners").at(job.address()).access("owner")];
    let gate = Plan::new(services).caching().start().await?;
    for _ in 0..5 {
        for (task, token, status) in [
            ("owners", ALICE, 200),
            ("owners", BOB, 403),
            ("owners", "wrong", 401),
            ("web", BOB, 200),
            ("web", ALICE, 200),
        ] {
            let answer = gate.send(Ask::get(&host(task), "/headers").token(token)).await?;
            assert_eq!(answer.status, status, "{task} {token}");
            let user = format!("[\"x-forwarded-user\",\"{}\"]", if token == ALICE { "alice" } else { "bob" });
            assert_eq!(answer.text().contains(&user), status == 200, "{}", answer.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_was_decided_serves_for_a_second_without_the_sidecar() -> Outcome {
    let job = jobs::http("A").await?;
    let mut gate = Plan::new([Service::http("web").at(job.address())]).caching().start().await?;
    let ask = || Ask::get(&host("web"), "/").token(ALICE);
    assert_eq!(gate.send(ask()).await?.status, 200);
    gate.sidecar.kill()?;
    // However slow the machine is: once it is over it stays over.
    wait_until(PATIENCE, "the decision to be over", async || {
        gate.send(ask()).await.is_ok_and(|answer| answer.status == 503)
    })
    .await?;
    assert_eq!(gate.send(ask()).await?.status, 503);
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(BOB)).await?.status, 503);
    Ok(())
}
