//! What is open ends when the right to it does.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use serde_json::json;
use taskgate_jobs::grpc::EchoRequest;

use crate::support::ask::{Ask, next_part};
use crate::support::gateway::Gateway;
use crate::support::ingress::{Socket, handshake, with_token};
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs, soon};

use super::{end_sessions, with_access};

/// How soon everything has to be over.
const BOUND: Duration = Duration::from_secs(10);

/// A WebSocket of a session.
async fn with_session(gateway: &Gateway, session: &str) -> anyhow::Result<Socket> {
    let mut request = handshake("ws", None)?;
    request.headers_mut().insert("cookie", format!("taskgate={session}").parse()?);
    Ok(soon("a WebSocket", gateway.ingress.websocket_with(request)).await??)
}

/// Waits until a WebSocket that says something now and then is cut off; how long that took.
async fn ended(socket: &mut Socket, since: Instant) -> anyhow::Result<Duration> {
    while since.elapsed() < BOUND * 3 {
        if socket.say("still there").await.is_err() {
            return Ok(since.elapsed());
        }
    }
    anyhow::bail!("still open after {:?}", since.elapsed())
}

#[tokio::test]
async fn a_session_that_is_ended_takes_its_websocket_along_and_no_other() -> Outcome {
    let job = jobs::websocket("W").await?;
    let gateway = with_access(Setup::new([Service::websocket("ws").at(job.address())])).start().await?;
    let (first, second) = (gateway.session("ws").await?, gateway.session("ws").await?);
    let mut socket = with_session(&gateway, &first).await?;
    let mut other = gateway.ingress.websocket("ws", BOB).await?;
    assert_eq!(socket.say("a").await?, "W: a");
    assert_eq!(other.say("b").await?, "W: b");

    let since = Instant::now();
    end_sessions(&gateway, json!({"actor": "alice"})).await?;
    let took = ended(&mut socket, since).await?;
    assert!(took < BOUND, "it took {took:?}");
    assert!(with_session(&gateway, &second).await.is_err(), "all of that person's");
    assert_eq!(other.say("c").await?, "W: c", "nobody else's");
    Ok(())
}

#[tokio::test]
async fn a_grant_that_goes_ends_websocket_grpc_and_events_and_leaves_those_who_stay() -> Outcome {
    let (socket_job, grpc_job, mut events_job) =
        (jobs::websocket("W").await?, jobs::grpc("G").await?, Stage::open().await?);
    let addresses = [socket_job.address(), grpc_job.address(), events_job.address()];
    let services = |grant: bool| {
        let services = [
            Service::websocket("ws").at(addresses[0]),
            Service::grpc("echo").at(addresses[1]),
            Service::http("web").at(addresses[2]),
        ];
        services.map(|service| if grant { service } else { service.without_grants() })
    };
    let gateway = with_access(Setup::new(services(true))).start().await?;
    let mut owners = gateway.ingress.websocket("ws", ALICE).await?;
    let mut socket = gateway.ingress.websocket("ws", BOB).await?;
    assert_eq!(socket.say("a").await?, "W: a");
    let mut client = gateway.ingress.grpc("echo").await?;
    let request = EchoRequest { message: "tick".to_owned(), repeat: 100_000, every_ms: 50 };
    let mut ticks = soon("the stream", client.server_stream(with_token(request, BOB)?)).await??.into_inner();
    assert!(soon("a message", ticks.message()).await??.is_some());
    let mut link = gateway.ingress.http1().await?;
    let ask = Ask::get(&host("web"), "/events").token(BOB);
    let (answer, visit) = tokio::join!(link.open(ask), async {
        let mut visit = events_job.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("data: 1\n\n").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut body, _visit) = (answer?.into_body(), visit?);
    assert_eq!(next_part(&mut body).await?, &b"data: 1\n\n"[..]);

    let since = Instant::now();
    gateway.publish(&services(false))?;
    let took = ended(&mut socket, since).await?;
    let over = async { while matches!(ticks.message().await, Ok(Some(_))) {} };
    tokio::time::timeout(BOUND, over).await?;
    let over = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    tokio::time::timeout(BOUND, over).await?;
    assert!(took < BOUND && since.elapsed() < BOUND, "it took {took:?} and {:?}", since.elapsed());
    assert_eq!(owners.say("b").await?, "W: b", "the owner notices nothing");
    assert!(gateway.ingress.counter("streams.ended").await? >= 3);
    Ok(())
}

#[tokio::test]
async fn a_service_that_goes_takes_its_streams_along() -> Outcome {
    let job = jobs::websocket("W").await?;
    let services = [Service::websocket("ws").access("public").at(job.address()), Service::http("web")];
    let gateway = with_access(Setup::new(services.clone())).start().await?;
    let mut socket = soon("a WebSocket", gateway.ingress.websocket_with(handshake("ws", None)?)).await??;
    assert_eq!(socket.say("a").await?, "W: a");
    let since = Instant::now();
    gateway.publish(&services[1..])?;
    let took = ended(&mut socket, since).await?;
    assert!(took < BOUND, "it took {took:?}");
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_dies_ends_nothing() -> Outcome {
    let job = jobs::websocket("W").await?;
    let gateway = with_access(Setup::new([Service::websocket("ws").at(job.address())])).start().await?;
    let session = gateway.session("ws").await?;
    let mut socket = with_session(&gateway, &session).await?;
    assert_eq!(socket.say("a").await?, "W: a");
    let Gateway { ingress, mut sidecar, .. } = gateway;
    sidecar.kill()?;
    let fresh = Ask::get(&host("ws"), "/ws").header("cookie", format!("taskgate={session}"));
    assert_ne!(ingress.send(fresh).await?.status, 401, "sessions are verified without it");
    assert_eq!(socket.say("b").await?, "W: b");
    Ok(())
}
