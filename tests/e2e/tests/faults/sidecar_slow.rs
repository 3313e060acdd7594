//! The sidecar hangs: it takes connections and answers nothing.

use std::time::{Duration, Instant};

use taskgate_test_kit::wait_until;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// The filter's own deadline, `verdict_timeout_ms`, where nothing else is set.
const DEADLINE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn undecided_requests_end_at_the_filters_deadline_and_others_do_not_notice() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let mut gateway = Setup::new(services).default_deadlines().one_worker().start().await?;
    let session = gateway.session("web").await?;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());

    gateway.sidecar.pause().await?;
    let ingress = &gateway.ingress;
    let started = Instant::now();
    let undecided = async {
        let answer = ingress.visit("web", BOB).await;
        (answer, started.elapsed())
    };
    let decided = async {
        for _ in 0..10 {
            assert!(ingress.visit("web", ALICE).await?.is_ok());
            assert!(ingress.visit("web", &session).await?.is_ok());
            assert!(ingress.send(Ask::get(&host("open"), "/")).await?.is_ok());
        }
        Ok::<_, anyhow::Error>(started.elapsed())
    };
    let ((answer, waited), took) = tokio::join!(undecided, decided);
    let answer = answer?;
    assert_eq!((answer.denial(), answer.header("retry-after")), ((503, "verdict-unavailable"), "2"));
    assert!(waited >= DEADLINE / 2 && waited < DEADLINE * 4, "the refusal came after {waited:?}");
    assert!(took? < DEADLINE * 10, "30 requests that need no sidecar waited for it");
    assert_eq!(job.requests(), 31);

    gateway.sidecar.resume()?;
    let ingress = &gateway.ingress;
    let bob = async || ingress.visit("web", BOB).await.is_ok_and(|answer| answer.is_ok());
    wait_until(PATIENCE, "Bob to be let in when the sidecar goes on", bob).await?;
    assert!(ingress.visit("web", ALICE).await?.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_verdict_past_its_time_holds_on_within_the_grace() -> Outcome {
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]).default_deadlines().one_worker();
    let setup = setup.configure(|config| config["verdicts"]["allow_lifetime_secs"] = 1.into());
    let mut gateway = setup.start().await?;
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    gateway.sidecar.pause().await?;
    let asked = gateway.ingress.counter("verdicts.asked").await?;
    let ingress = &gateway.ingress;
    let past = async || {
        let answer = ingress.visit("web", ALICE).await;
        assert!(answer.is_ok_and(|answer| answer.is_ok()), "access was lost with the sidecar");
        ingress.counter("verdicts.asked").await.is_ok_and(|now| now >= asked + 2)
    };
    wait_until(PATIENCE, "the verdict to be past its time", past).await
}
