//! Services that are gone.

use std::time::{Duration, Instant};

use taskgate_test_kit::wait_until;
use tokio::net::TcpStream;

use super::job::Job;
use super::site::Plan;
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

/// `close_after_secs`, the drain time that the tests' Envoy has, and what a busy machine may add.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn connections_to_a_service_that_is_gone_end_and_the_others_go_on() -> Outcome {
    let job = Job::start(b'A').await?;
    let open = |task: &str| Service::tcp(task).access("public").at(job.address());
    let site = Plan::new([open("goes"), open("stays")], 8)?.start().await?;
    let address = site.address("goes").await?;
    let ((mut gone, _), (mut kept, _)) = (site.call("goes").await?, site.call("stays").await?);
    gone.echo("before\n").await?;
    site.publish(&[open("stays")])?;
    let started = Instant::now();
    gone.ends().await?;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let refused = async || TcpStream::connect(address).await.is_err();
    wait_until(PATIENCE, "nothing to listen", refused).await?;
    kept.echo("still there\n").await?;
    // The port rests: a stranger does not get it at once.
    site.publish(&[open("stays"), open("stranger")])?;
    assert_ne!(site.address("stranger").await?, address);
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_closed_stops_listening() -> Outcome {
    let job = Job::start(b'A').await?;
    let service = Service::tcp("closes").at(job.address());
    let site = Plan::new([service.clone().access("public")], 8)?.start().await?;
    let address = site.address("closes").await?;
    let (open, _) = site.call("closes").await?;
    // Without client certificates no other level can be checked.
    site.publish(&[service.access("owner")])?;
    open.ends().await?;
    let refused = async || TcpStream::connect(address).await.is_err();
    wait_until(PATIENCE, "nothing to listen", refused).await
}
