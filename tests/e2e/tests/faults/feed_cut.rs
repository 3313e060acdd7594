//! The way between Envoy and the sidecar is bad: the table that was there last serves, and the next one comes when it
//! can.

use taskgate_test_kit::{ChaosProxy, Weather};

use crate::support::ask::Ask;
use crate::support::load::Load;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// More than two pages.
const OTHERS: u16 = 900;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_table_serves_and_the_next_one_comes_by_itself() -> Outcome {
    let job = jobs::http("A").await?;
    let services = |turn: usize| {
        let elsewhere = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 9], 10_000 + port));
        // All of the others change each time, so that it takes pages to say so.
        let moved = move |number: u16| {
            Service::http(&format!("other-{number}")).at(elsewhere(number)).reserve(elsewhere(turn as u16))
        };
        let ours = [Service::http("web").at(job.address()), Service::http(&format!("turn-{turn}")).at(job.address())];
        ours.into_iter().chain((0..OTHERS).map(moved)).collect::<Vec<_>>()
    };
    let setup = Setup::new(services(0)).line("poll_wait_ms = 500");
    let mut sidecar = setup.start_sidecar().await?;
    let way = ChaosProxy::open(sidecar.internal_address()).await?;
    let ingress = setup.start_envoy(way.address()).await?;
    ingress.wait_for_table().await?;
    let load = Load::start(ingress.address, 2, || Ask::get(&host("web"), "/").token(ALICE));
    load.reached(20).await?;

    let storms = [
        Weather::Cut(0),
        Weather::Cut(10),
        Weather::Cut(9_000),
        Weather::Cut(20_000),
        Weather::Noise(3),
        Weather::Noise(500),
        Weather::Noise(9_001),
        Weather::Drizzle,
        Weather::Frozen(0),
        Weather::Frozen(12_345),
    ];
    for (turn, storm) in (1..).zip(storms) {
        way.set(storm);
        let file = crate::support::service::file(&services(turn));
        sidecar.home().write("services.yaml", &file)?;
        if turn % 4 == 0 {
            // Another life begins in the middle of it: all of the table is to come anew.
            sidecar.restart().await?;
        }
        let (done, connections) = (load.done(), way.connections());
        load.reached(done + 30).await?;
        if matches!(storm, Weather::Cut(_)) {
            let again = async || way.connections() > connections + 2;
            taskgate_test_kit::wait_until(PATIENCE, "connections to break", again).await?;
        }
        way.set(Weather::Fair);
        let task = format!("turn-{turn}");
        let new = || Ask::get(&host(&task), "/").token(ALICE);
        ingress.answers(&format!("{task} after {storm:?}"), new, |answer| answer.text() == "hello from A\n").await?;
        let task = format!("turn-{}", turn - 1);
        let old = || Ask::get(&host(&task), "/").token(ALICE);
        ingress.answers(&format!("{task} to go after {storm:?}"), old, |answer| answer.status == 404).await?;
    }
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert_eq!(tally.answered("hello from A\n"), tally.total());
    Ok(())
}
