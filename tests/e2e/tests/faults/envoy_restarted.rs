//! Envoy starts again while the sidecar is down: a new one knows nothing, and lets nobody in.

use std::time::{Duration, Instant};

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

/// The longest pause between two polls is a second; the rest is for a busy machine.
const MOMENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_refuses_until_the_sidecar_is_back_and_then_serves_within_a_moment() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let setup = Setup::new(services);
    let mut sidecar = setup.start_sidecar().await?;
    let first = setup.start_envoy(sidecar.internal_address()).await?;
    first.wait_for_table().await?;
    assert!(first.visit("web", ALICE).await?.is_ok());
    let served = job.requests();

    sidecar.kill()?;
    first.envoy.stop().await?;
    let second = setup.start_envoy(sidecar.internal_address()).await?;
    // Polls that failed again and again change nothing.
    let failed = async || second.counter("table.poll_failed").await.is_ok_and(|failed| failed >= 5);
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "polls to fail", failed).await?;
    for _ in 0..20 {
        for ask in [Ask::get(&host("web"), "/").token(ALICE), Ask::get(&host("open"), "/")] {
            let answer = second.send(ask).await?;
            assert_eq!((answer.denial(), answer.header("retry-after")), ((503, "table-loading"), "1"));
        }
    }
    assert_eq!(job.requests(), served, "nothing went through");

    sidecar.restart().await?;
    let back = Instant::now();
    second.wait_for_table().await?;
    assert!(second.visit("web", ALICE).await?.is_ok());
    assert!(second.send(Ask::get(&host("open"), "/")).await?.is_ok());
    assert!(back.elapsed() < MOMENT, "it served {:?} after the sidecar was ready", back.elapsed());
    Ok(())
}
