//! The sidecar starts again, with another epoch and smaller numbers, and finds other services.

use crate::support::ask::Ask;
use crate::support::gateway::Gateway;
use crate::support::load::Load;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_follows_and_nobody_notices() -> Outcome {
    let job = jobs::http("A").await?;
    let service = |task: &str| Service::http(task).at(job.address());
    let mut gateway = Setup::new([service("stays"), service("goes")]).start().await?;
    let answers = async |gateway: &Gateway, task: &str, wanted: u16| {
        let is_so = async || gateway.ingress.visit(task, ALICE).await.is_ok_and(|answer| answer.status == wanted);
        gateway.ingress.everywhere(&format!("{task} to answer {wanted}"), is_so).await
    };
    // Its numbers rise far above where the next one will begin.
    for number in 0..10 {
        gateway.publish(&[service("stays"), service("goes"), service(&format!("new-{number}"))])?;
        answers(&gateway, &format!("new-{number}"), 200).await?;
    }
    answers(&gateway, "stays", 200).await?;
    answers(&gateway, "goes", 200).await?;

    let load = Load::start(gateway.ingress.address, 2, || Ask::get(&host("stays"), "/").token(ALICE));
    load.reached(50).await?;
    gateway.sidecar.kill()?;
    gateway.publish(&[service("stays"), service("comes")])?;
    load.reached(100).await?;
    gateway.sidecar.restart().await?;
    answers(&gateway, "comes", 200).await?;
    answers(&gateway, "goes", 404).await?;
    answers(&gateway, "new-9", 404).await?;
    // It goes on from there: what changes in the new life arrives as well.
    gateway.publish(&[service("stays"), service("later")])?;
    answers(&gateway, "later", 200).await?;
    answers(&gateway, "comes", 404).await?;
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.answered("hello from A\n") > 100, "{tally:?}");
    Ok(())
}
