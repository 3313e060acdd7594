//! The filter's VM dies, as it would by a defect: `x-fault: trap` in the fault build.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use taskgate_test_kit::{wait_for, wait_until};

use crate::support::ask::{Ask, next_part};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, PATIENCE, jobs, soon};

/// What bounds requests that nobody will answer: the last route of `static.yaml`.
const BOUND: Duration = Duration::from_secs(5);

/// A request that kills the VM.
fn trap() -> Ask {
    Ask::get(&host("open"), "/").header("x-fault", "trap")
}

/// Waits until the whole table is in shared data, from where the next VM takes it. A few parts of it go
/// there at each tick of the filter, so polls that came round three times mean that it was ticks enough.
async fn mirrored(gateway: &Gateway) -> Outcome {
    let pages = async || -> Option<u64> {
        let metrics = gateway.sidecar.metrics().await.ok()?;
        metrics.lines().find_map(|line| line.strip_prefix("taskgate_feed_pages_total "))?.parse().ok()
    };
    let before = pages().await.context("the sidecar counts no pages")?;
    // One worker and the main thread poll.
    wait_until(PATIENCE, "polls to come round", async || pages().await.is_some_and(|now| now >= before + 6)).await
}

#[tokio::test]
async fn the_table_outlives_its_vm_from_the_first_request_on() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("open").at(job.address()).access("public")];
    let mut gateway = Setup::new(services).one_worker().mortal()?.start().await?;
    gateway.sidecar.kill()?;
    assert_eq!(gateway.ingress.send(Ask::get(&host("open"), "/")).await?.text(), "hello from A\n");
    assert_eq!(gateway.ingress.send(trap()).await?.status, 503);
    // A VM that died within the first tenth of a second is not replaced at once.
    let answered = async || {
        let answer = gateway.ingress.send(Ask::get(&host("open"), "/")).await.ok()?;
        let is_of_a_filter = answer.is_ok() || !answer.header("x-taskgate-denial").is_empty();
        is_of_a_filter.then_some(answer)
    };
    let answer = wait_for(PATIENCE, "the next VM", answered).await?;
    assert_eq!(answer.text(), "hello from A\n");
    Ok(())
}

#[tokio::test]
async fn the_next_request_is_served_at_once_and_those_that_waited_end() -> Outcome {
    let job = jobs::http("A").await?;
    let mut streaming = Stage::open().await?;
    let mut platform = Stage::open().await?;
    let services = [
        Service::http("web").at(job.address()),
        Service::http("open").at(job.address()).access("public"),
        Service::http("events").at(streaming.address()).access("public"),
    ];
    let setup = Setup::new(services).one_worker().mortal()?.line("poll_wait_ms = 1000");
    let gateway = setup.platform(platform.address()).start().await?;
    mirrored(&gateway).await?;
    let ingress = &gateway.ingress;
    let session = gateway.session("web").await?;

    let started = Instant::now();
    let paused = tokio::spawn(Ask::get(&host("web"), "/paused").token(ALICE).send(ingress.address));
    let _question = platform.next().await?;
    let mut link = ingress.http1().await?;
    let (events, visit) = tokio::join!(link.open(Ask::get(&host("events"), "/")), async {
        let mut visit = streaming.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("first").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut events, mut source) = (events?.into_body(), visit?);
    assert_eq!(next_part(&mut events).await?, "first");

    let victim = job.address().to_string();
    let trapped = ingress.send(trap().header("x-taskgate-up1", &victim).header("x-taskgate-up2", &victim)).await?;
    assert_eq!((trapped.status, job.connections()), (503, 0), "not even now a client says where it goes");
    // First try, each of them.
    assert_eq!(ingress.send(Ask::get(&host("open"), "/")).await?.text(), "hello from A\n");
    assert_eq!(ingress.visit("web", &session).await?.text(), "hello from A\n");
    assert_eq!(ingress.send(Ask::get(&host("none"), "/")).await?.denial(), (404, "unknown-service"));

    // Envoy ends the streams of a VM that dies.
    source.wire.write_chunk("second").await.ok();
    assert!(soon("the stream to end", next_part(&mut events)).await?.is_err());
    let answer = paused.await??;
    assert!(matches!(answer.status, 503 | 504), "{}", answer.status);
    assert!(started.elapsed() < BOUND * 3, "it ended after {:?}", started.elapsed());
    assert_eq!(job.requests(), 2, "what waited for a verdict reached no job");
    Ok(())
}

#[tokio::test]
async fn the_next_request_is_served_at_once_without_a_sidecar_too() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let setup = Setup::new(services).one_worker().mortal()?.line("poll_wait_ms = 1000");
    let mut gateway = setup.start().await?;
    mirrored(&gateway).await?;
    let session = gateway.session("web").await?;
    gateway.sidecar.kill()?;
    let ingress = &gateway.ingress;
    assert_eq!(ingress.send(trap()).await?.status, 503);
    assert_eq!(ingress.send(Ask::get(&host("open"), "/")).await?.text(), "hello from A\n");
    assert_eq!(ingress.visit("web", &session).await?.text(), "hello from A\n");
    assert_eq!(ingress.visit("web", ALICE).await?.denial(), (503, "verdict-unavailable"), "verdicts died with the VM");
    assert_eq!(ingress.send(Ask::get(&host("none"), "/")).await?.denial(), (404, "unknown-service"));

    gateway.sidecar.restart().await?;
    let ingress = &gateway.ingress;
    let alice = async || ingress.visit("web", ALICE).await.is_ok_and(|answer| answer.is_ok());
    wait_until(PATIENCE, "verdicts to be given again", alice).await?;
    // The filter that took over follows the table as its predecessor did.
    gateway.publish(&[Service::http("later").at(job.address()).access("public")])?;
    let later = async || ingress.send(Ask::get(&host("later"), "/")).await.is_ok_and(|answer| answer.is_ok());
    ingress.everywhere("a new service", later).await
}

#[tokio::test]
async fn a_vm_that_dies_again_and_again_lets_nobody_in_and_recovers() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let gateway = Setup::new(services).mortal()?.start().await?;
    let ingress = &gateway.ingress;
    for number in 0..30 {
        assert_eq!(ingress.send(trap()).await?.status, 503, "trap {number}");
        let anonymous = ingress.send(Ask::get(&host("web"), "/")).await?.status;
        assert!(matches!(anonymous, 401 | 503), "trap {number}: {anonymous}");
    }
    assert_eq!(job.requests(), 0);
    let open = async || ingress.send(Ask::get(&host("open"), "/")).await.is_ok_and(|answer| answer.is_ok());
    ingress.everywhere("every worker to serve again", open).await?;
    assert!(ingress.visit("web", ALICE).await?.is_ok());
    Ok(())
}
