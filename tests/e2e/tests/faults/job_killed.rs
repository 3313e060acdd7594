//! A job dies under load while another one lives.

use crate::support::ask::Ask;
use crate::support::load::Load;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_get_fails() -> Outcome {
    let (first, second) = (jobs::http("A").await?, jobs::http("B").await?);
    let services = [Service::http("web").at(first.address()).at(second.address())];
    let gateway = Setup::new(services).start().await?;
    let load = Load::start(gateway.ingress.address, 8, || Ask::get(&host("web"), "/").token(ALICE));
    load.reached(1_500).await?;
    first.kill().await;
    load.reached(4_500).await?;
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    let (a, b) = (tally.answered("hello from A\n"), tally.answered("hello from B\n"));
    assert!(a > 500 && b > 3_000 && a + b == tally.total(), "{a} answers from A, {b} from B");
    assert!(gateway.ingress.counter("endpoints.failed").await? >= 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_where_each_job_is_replaced_in_turn() -> Outcome {
    let services = |jobs: [std::net::SocketAddr; 2]| jobs.into_iter().fold(Service::http("web"), Service::at);
    let mut first = jobs::http("0").await?;
    let mut second = jobs::http("1").await?;
    let gateway = Setup::new([services([first.address(), second.address()])]).start().await?;
    let load = Load::start(gateway.ingress.address, 4, || Ask::get(&host("web"), "/").token(ALICE));
    for number in 2..8_usize {
        // The table still has the dead one while its successor starts.
        load.reached(number * 300).await?;
        std::mem::replace(&mut first, second).kill().await;
        second = jobs::http(&number.to_string()).await?;
        gateway.publish(&[services([first.address(), second.address()])])?;
        let successor = format!("hello from {number}\n");
        let answers = async || gateway.ingress.visit("web", ALICE).await.is_ok_and(|answer| answer.text() == successor);
        taskgate_test_kit::wait_until(crate::support::PATIENCE, "the successor to answer", answers).await?;
    }
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.answered("hello from 6\n") > 0 && tally.total() > 2_000, "{tally:?}");
    Ok(())
}
