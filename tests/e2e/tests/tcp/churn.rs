//! Listeners that come and go under traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use taskgate_test_kit::wait_until;

use super::job::{Caller, Job};
use super::site::{Plan, list};
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

/// How many come and go.
const MANY: u16 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_listeners_come_and_go_and_disturb_nobody() -> Outcome {
    let (job, other) = (Job::start(b'A').await?, Job::start(b'B').await?);
    let stays = Service::tcp("stays").access("public").at(job.address());
    let site = Plan::new([stays.clone()], MANY + 100)?.start().await?;
    let address = site.address("stays").await?;
    let (mut open, name) = site.call("stays").await?;
    assert_eq!(name, b'A');

    // One connection on which something is said all the time, and new ones all the time.
    let (stop, said, made) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let talk = {
        let (stop, said) = (Arc::clone(&stop), Arc::clone(&said));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                open.echo(&format!("number {}\n", said.fetch_add(1, Ordering::SeqCst))).await?;
            }
            open.echo("the end\n").await
        })
    };
    let calls = {
        let (stop, made) = (Arc::clone(&stop), Arc::clone(&made));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let (mut caller, name) = Caller::connect(address).await?;
                anyhow::ensure!(name == b'A', "another job");
                caller.echo("hello\n").await?;
                made.fetch_add(1, Ordering::SeqCst);
            }
            anyhow::Ok(())
        })
    };

    let many = (0..MANY).map(|number| Service::tcp(&format!("t{number}")).access("public").at(other.address()));
    let all: Vec<Service> = std::iter::once(stays.clone()).chain(many).collect();
    site.publish(&all)?;
    site.listeners(u64::from(MANY) + 1).await?;
    let announced = async || {
        let listed = list(&site.sidecar).await.unwrap_or_default();
        listed.iter().filter(|service| service["tcp"]["state"] == "announced").count() == usize::from(MANY) + 1
    };
    wait_until(PATIENCE, "all to be announced", announced).await?;
    for number in [0, 1, MANY / 2, MANY - 1] {
        let (_, name) = site.call(&format!("t{number}")).await?;
        assert_eq!(name, b'B', "t{number}");
    }
    let before = (said.load(Ordering::SeqCst), made.load(Ordering::SeqCst));
    site.publish(&[stays])?;
    site.listeners(1).await?;
    assert_eq!(site.address("stays").await?, address);
    let more = async || said.load(Ordering::SeqCst) > before.0 && made.load(Ordering::SeqCst) > before.1;
    wait_until(PATIENCE, "traffic to go on", more).await?;
    stop.store(true, Ordering::SeqCst);
    talk.await??;
    calls.await??;
    for what in ["listener_modified", "listener_in_place_updated", "listener_create_failure", "lds.update_rejected"] {
        assert_eq!(site.envoy.stat(&format!("listener_manager.{what}")).await?, 0, "{what}");
    }
    Ok(())
}
