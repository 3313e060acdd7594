//! What happens when something fails, and that nothing gets through then.

use super::gate::{self, at_once};
use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::{Outcome, jobs};

/// A port of loopback that nothing listens on.
fn nowhere() -> anyhow::Result<std::net::SocketAddr> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

#[tokio::test]
async fn a_dead_job_is_passed_over_and_a_body_goes_to_the_next() -> Outcome {
    let job = jobs::http("A").await?;
    let service = Service::http("web").at(nowhere()?).reserve(job.address());
    let dead = Service::http("dead").at(nowhere()?);
    let Some(mut gate) = gate::start([service, dead]).await? else { return Ok(()) };
    for size in [0_usize, 300_000] {
        let seen = gate.send(Ask::post(&host("web"), "/x", vec![b'x'; size]).token(ALICE)).await?;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert!(seen.text().contains("\"alice\""), "identity goes along: {}", seen.text());
    }
    assert_eq!(gate.send(Ask::get(&host("dead"), "/").token(ALICE)).await?.status, 502);
    gate.assert_alive().await
}

#[tokio::test]
async fn nobody_gets_through_while_many_wait_over_connections_that_stay() -> Outcome {
    let job = jobs::http("A").await?;
    let Some(mut gate) = gate::start([Service::http("web").at(job.address())]).await? else { return Ok(()) };
    // Bad tokens, each new to the filter: every request waits for the sidecar. Good ones between them.
    let ask = |round: usize, nth: usize| {
        let ask = Ask::get(&host("web"), "/");
        if nth.is_multiple_of(4) { ask.token(ALICE) } else { ask.token(&format!("bad-{round}-{nth}")) }
    };
    let statuses = at_once(gate.address(), 40, 10, ask).await?;
    for (place, status) in statuses.iter().enumerate() {
        assert_eq!(*status, if (place % 40).is_multiple_of(4) { 200 } else { 401 }, "request {place}");
    }
    gate.assert_alive().await
}

#[tokio::test]
async fn without_a_sidecar_what_is_known_goes_on_and_nothing_else() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let Some(mut gate) = gate::start(services).await? else { return Ok(()) };
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?.status, 200);
    gate.sidecar.kill()?;
    assert_eq!(gate.send(Ask::get(&host("open"), "/")).await?.status, 200);
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?.status, 200, "its verdict is known");
    let answer = gate.send(Ask::get(&host("web"), "/").token("another")).await?;
    assert_eq!(answer.denial(), (503, "verdict-unavailable"));
    gate.assert_alive().await
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_does_no_harm() -> Outcome {
    let job = jobs::http("A").await?;
    let Some(mut gate) = gate::start([Service::http("web").at(job.address())]).await? else { return Ok(()) };
    for nth in 0..50 {
        let mut client = crate::support::wire::Wire::connect(gate.address()).await?;
        let token = format!("Authorization: Bearer new-{nth}\r\n");
        client.write(format!("GET / HTTP/1.1\r\nHost: {}\r\n{token}\r\n", host("web"))).await?;
        client.reset()?;
    }
    assert_eq!(gate.send(Ask::get(&host("web"), "/").token(ALICE)).await?.status, 200);
    gate.assert_alive().await
}
