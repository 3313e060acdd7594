//! Verdicts change, are shared, and outlive the requests that asked for them.

use serde_json::json;

use crate::support::ask::Ask;
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::setup::{Setup, token};
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs};

/// Waits until a token gets that answer from every worker.
async fn answers(gateway: &Gateway, token: &str, status: u16, denial: &str) -> Outcome {
    let is_so =
        async || gateway.ingress.visit("web", token).await.is_ok_and(|answer| answer.denial() == (status, denial));
    gateway.ingress.everywhere(&format!("{token} to get {status} {denial}"), is_so).await
}

/// Verdicts that hold far longer than the test takes.
fn lasting(services: Vec<Service>) -> Setup {
    Setup::new(services).configure(|config| {
        config["verdicts"]["allow_lifetime_secs"] = 3600.into();
        config["verdicts"]["deny_lifetime_secs"] = 3600.into();
    })
}

#[tokio::test]
async fn a_token_that_is_taken_out_of_the_configuration_is_refused_long_before_its_verdict_ends() -> Outcome {
    let job = jobs::http("A").await?;
    let mut gateway = lasting(vec![Service::http("web").at(job.address())]).start().await?;
    answers(&gateway, ALICE, 200, "").await?;
    answers(&gateway, BOB, 200, "").await?;
    answers(&gateway, "new-token", 401, "credential-rejected").await?;

    let tokens = json!([token(ALICE, "alice"), token("new-token", "bob")]);
    gateway.reconfigure(|config| config["verdicts"]["sources"][0]["tokens"]["tokens"] = tokens)?;
    answers(&gateway, BOB, 401, "credential-rejected").await?;
    answers(&gateway, "new-token", 200, "").await?;
    answers(&gateway, ALICE, 200, "").await
}

#[tokio::test]
async fn who_loses_access_to_a_service_is_refused_long_before_the_verdict_ends() -> Outcome {
    let job = jobs::http("A").await?;
    let web = || Service::http("web").at(job.address());
    let gateway = lasting(vec![web()]).start().await?;
    let session = gateway.session("web").await?;
    answers(&gateway, BOB, 200, "").await?;
    answers(&gateway, &session, 200, "").await?;
    gateway.publish(&[web().access("owner")])?;
    answers(&gateway, BOB, 403, "access-denied").await?;
    answers(&gateway, ALICE, 200, "").await?;
    // A session is looked at anew, and the owner's stays.
    answers(&gateway, &session, 200, "").await
}

#[tokio::test]
async fn a_configuration_with_an_error_changes_nothing() -> Outcome {
    let job = jobs::http("A").await?;
    let mut gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    gateway.reconfigure(|config| config["gate"]["base_domains"] = json!([]))?;
    let refused = async || gateway.sidecar.log().contains("configuration not taken");
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "the error to be logged", refused).await?;
    answers(&gateway, ALICE, 200, "").await?;
    answers(&gateway, "wrong", 401, "credential-rejected").await
}

#[tokio::test]
async fn requests_with_one_question_share_one_answer_even_if_the_first_one_hangs_up() -> Outcome {
    let job = jobs::http("A").await?;
    let mut platform = Stage::open().await?;
    let services = [Service::http("web").at(job.address())];
    let gateway = Setup::new(services).one_worker().platform(platform.address()).start().await?;
    let address = gateway.ingress.address;
    let ask = move || Ask::get(&host("web"), "/").token(ALICE);

    let leader = tokio::spawn(ask().send(address));
    let question = platform.next().await?;
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        followers.spawn(ask().send(address));
    }
    let active = async || gateway.ingress.envoy.stat("http.taskgate.downstream_rq_active").await.is_ok_and(|n| n == 21);
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "all requests to wait", active).await?;
    leader.abort();
    let gone = async || gateway.ingress.envoy.stat("http.taskgate.downstream_rq_active").await.is_ok_and(|n| n == 20);
    taskgate_test_kit::wait_until(crate::support::PATIENCE, "the first one to be gone", gone).await?;
    question.identify("alice").await?;
    while let Some(answer) = followers.join_next().await {
        assert_eq!(answer??.text(), "hello from A\n");
    }
    assert_eq!((platform.seen(), job.requests()), (1, 20));
    assert!(gateway.ingress.visit("web", ALICE).await?.is_ok());
    assert_eq!(platform.seen(), 1, "the answer was kept");
    Ok(())
}
