//! The limit that ends requests which wait for nothing ends no request that was permitted.

use std::time::{Duration, Instant};

use crate::support::ask::{Ask, next_part};
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs};

/// The limit of the last route in `static.yaml`.
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn whatever_was_permitted_lives_beyond_the_limit_of_what_still_waits() -> Outcome {
    let mut job = Stage::open().await?;
    let echo = jobs::websocket("W").await?;
    let mut platform = Stage::open().await?;
    let services = [Service::http("web").at(job.address()), Service::websocket("ws").at(echo.address())];
    let setup = Setup::new(services).one_worker().platform(platform.address());
    let gateway = setup.start().await?;
    let ingress = &gateway.ingress;

    // Four requests of the kinds that last: events, an answer that takes long, an upload that trickles,
    // a WebSocket. Their verdicts are given at once.
    let (mut events, mut slow) = (ingress.http1().await?, ingress.http1().await?);
    let ask = |path: &str| Ask::get(&host("web"), path).token(ALICE);
    let (answer, visit) = tokio::join!(events.open(ask("/events")), async {
        platform.next().await?.identify("alice").await?;
        let mut visit = job.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("first").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut events, mut source) = (answer?.into_body(), visit?);
    assert_eq!(next_part(&mut events).await?, "first");
    let slow_answer = tokio::spawn({
        let ask = ask("/slow");
        async move { slow.send(ask).await }
    });
    let slow_visit = job.next().await?;
    let mut upload = Wire::connect(ingress.address).await?;
    let head = format!("POST /up HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\n", host("web"));
    upload.write(head + "Content-Length: 6\r\n\r\nabc").await?;
    let mut upload_visit = job.next().await?;
    let (socket, answered) =
        tokio::join!(ingress.websocket("ws", ALICE), async { platform.next().await?.identify("alice").await });
    answered?;
    let mut socket = socket?;
    assert_eq!(socket.say("before").await?, "W: before");

    // A request whose verdict never comes marks the time: it ends when the limit is over.
    let started = Instant::now();
    let unanswered = ingress.send(ask("/").header("x-taskgate-authorization", "Bearer other"));
    let (ended, _question) = tokio::join!(unanswered, platform.next());
    let ended = ended?;
    assert_eq!(ended.denial(), (504, ""));
    let took = started.elapsed();
    assert!(took >= LIMIT * 4 / 5 && took < LIMIT * 4, "it took {took:?}");

    source.wire.write_chunk("second").await?;
    assert_eq!(next_part(&mut events).await?, "second");
    slow_visit.answer("200 OK", "", "at last").await?;
    assert_eq!(slow_answer.await??.text(), "at last");
    upload.write("def").await?;
    assert_eq!(upload_visit.wire.read_exact(6).await?, b"abcdef");
    upload_visit.answer("200 OK", "", "").await?;
    assert_eq!(upload.read_head().await?.line, "HTTP/1.1 200 OK");
    assert_eq!(socket.say("after").await?, "W: after");
    Ok(())
}
