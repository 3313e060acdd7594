//! Answers that come in parts arrive in parts; large ones arrive whole.

use http_body_util::BodyExt as _;

use crate::support::ask::{Ask, next_part};
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn events_arrive_one_by_one_over_http1_and_http2() -> Outcome {
    let mut job = Stage::open().await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    for mut link in [gateway.ingress.http1().await?, gateway.ingress.http2().await?] {
        let ask = Ask::get(&host("web"), "/events").token(ALICE).header("accept", "text/event-stream");
        let (answer, visit) = tokio::join!(link.open(ask), async {
            let mut visit = job.next().await?;
            visit.begin("text/event-stream").await?;
            Ok::<_, anyhow::Error>(visit)
        });
        let (mut body, mut visit) = (answer?.into_body(), visit?);
        for number in 0..100 {
            // The next event is not sent before the last one has arrived.
            let event = format!("data: event {number}\n\n");
            visit.wire.write_chunk(&event).await?;
            let mut got = Vec::new();
            while got.len() < event.len() {
                got.extend(next_part(&mut body).await?);
            }
            assert_eq!(String::from_utf8_lossy(&got), event);
        }
        visit.wire.write_chunk("").await?;
        assert!(soon("the end", body.collect()).await??.to_bytes().is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_answer_arrives_whole_and_is_not_held_in_memory() -> Outcome {
    const LENGTH: u64 = 300 << 20;
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let before = gateway.ingress.envoy.memory().await?.resident;
    let mut link = gateway.ingress.http1().await?;
    let mut body =
        link.open(Ask::get(&host("web"), &format!("/stream?bytes={LENGTH}")).token(ALICE)).await?.into_body();
    let mut length = 0;
    while let Some(frame) = soon("more of the answer", body.frame()).await? {
        length += frame?.data_ref().map_or(0, |part| part.len() as u64);
    }
    assert_eq!(length, LENGTH);
    let peak = gateway.ingress.envoy.memory().await?.peak;
    assert!(peak < before + (100 << 20), "Envoy grew from {before} to {peak} bytes");
    Ok(())
}
