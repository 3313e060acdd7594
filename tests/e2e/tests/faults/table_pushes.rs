//! The table changes all the time under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::support::ask::Ask;
use crate::support::load::Load;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

const SOCKETS: usize = 50;
/// How often the services file changes, and how many services change each time.
const PUSHES: u16 = 40;
const CHANGES: u16 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_websocket_is_dropped_and_no_request_fails() -> Outcome {
    let (job, echo) = (jobs::http("A").await?, jobs::websocket("W").await?);
    let services = |push: u16| {
        // Some come and go, some change; those in use get another address in reserve each time.
        let elsewhere = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 9], 10_000 + port));
        let web = Service::http("web").at(job.address()).reserve(elsewhere(push));
        let websocket = Service::websocket("ws").at(echo.address()).reserve(elsewhere(push));
        let marker = Service::http(&format!("push-{push}")).at(job.address());
        let others = (0..CHANGES).map(move |number| match number % 2 {
            0 => Service::http(&format!("changing-{number}")).at(elsewhere(push * CHANGES + number)),
            _ => Service::http(&format!("passing-{push}-{number}")).at(elsewhere(number)),
        });
        [web, websocket, marker].into_iter().chain(others).collect::<Vec<_>>()
    };
    let gateway = Setup::new(services(0)).start().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut sockets = JoinSet::new();
    for number in 0..SOCKETS {
        let (mut socket, stop) = (gateway.ingress.websocket("ws", ALICE).await?, Arc::clone(&stop));
        sockets.spawn(async move {
            let mut said = 0;
            while !stop.load(Ordering::SeqCst) {
                let text = format!("{number} {said}");
                let heard = socket.say(&text).await?;
                anyhow::ensure!(heard == format!("W: {text}"), "socket {number} heard {heard}");
                said += 1;
            }
            Ok(said)
        });
    }
    let load = Load::start(gateway.ingress.address, 2, || Ask::get(&host("web"), "/").token(ALICE));
    for push in 1..=PUSHES {
        gateway.publish(&services(push))?;
        let marker = format!("push-{push}");
        let arrived = async || gateway.ingress.visit(&marker, ALICE).await.is_ok_and(|answer| answer.is_ok());
        taskgate_test_kit::wait_until(crate::support::PATIENCE, "a push to arrive", arrived).await?;
    }
    stop.store(true, Ordering::SeqCst);
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.total() > usize::from(PUSHES), "{} requests", tally.total());
    let mut open = 0;
    while let Some(said) = sockets.join_next().await {
        let said: i32 = said??;
        assert!(said > 10, "a socket said only {said} things");
        open += 1;
    }
    assert_eq!((open, echo.connections()), (SOCKETS, SOCKETS as u64));
    // The end of the table is the last push, everywhere.
    let last = async || {
        let old = gateway.ingress.visit("push-1", ALICE).await.is_ok_and(|answer| answer.status == 404);
        old && gateway.ingress.visit(&format!("push-{PUSHES}"), ALICE).await.is_ok_and(|answer| answer.is_ok())
    };
    gateway.ingress.everywhere("the last push", last).await
}
