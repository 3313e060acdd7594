//! Jobs that take no connections.

use taskgate_test_kit::{BlackHole, ReservedAddress};

use super::job::{Caller, Job};
use super::site::Plan;
use crate::support::Outcome;
use crate::support::service::Service;

#[tokio::test]
async fn every_connection_reaches_a_job_that_lives() -> Outcome {
    let (dead, dead_too, hole) = (ReservedAddress::new()?, ReservedAddress::new()?, BlackHole::open().await?);
    let (job, other) = (Job::start(b'A').await?, Job::start(b'B').await?);
    let open = |task: &str| Service::tcp(task).access("public");
    let site = Plan::new(
        [
            open("one").at(dead.address()).at(job.address()),
            open("two").at(dead.address()).at(dead_too.address()).at(job.address()),
            open("reserve").at(dead.address()).reserve(job.address()),
            open("hole").at(hole.address()?).at(job.address()),
            open("kept").at(job.address()).reserve(other.address()),
        ],
        16,
    )?
    .start()
    .await?;
    for task in ["one", "two", "reserve", "hole", "kept"] {
        let address = site.address(task).await?;
        let calls = (0..40).map(|_| Caller::connect(address));
        for called in futures_util::future::join_all(calls).await {
            let (mut caller, name) = called?;
            assert_eq!(name, b'A', "{task}");
            caller.echo("hello\n").await?;
        }
    }
    assert_eq!(other.connections(), 0, "a reserve is for when the others fail");
    drop(job);
    let (_, name) = site.call("kept").await?;
    assert_eq!(name, b'B');
    Ok(())
}

#[tokio::test]
async fn a_service_that_moves_keeps_its_port_and_its_connections() -> Outcome {
    let (job, other) = (Job::start(b'A').await?, Job::start(b'B').await?);
    let site = Plan::new([Service::tcp("moves").access("public").at(job.address())], 8)?.start().await?;
    let address = site.address("moves").await?;
    let (mut open, _) = site.call("moves").await?;
    site.publish(&[Service::tcp("moves").access("public").at(other.address())])?;
    let moved = async || Caller::connect(address).await.is_ok_and(|(_, name)| name == b'B');
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "the new job to answer", moved).await?;
    open.echo("still at the old one\n").await?;
    assert_eq!(site.address("moves").await?, address);
    Ok(())
}
