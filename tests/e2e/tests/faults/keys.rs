//! Keys are rotated while the gateway runs.

use serde_json::{Value, json};
use taskgate_test_kit::wait_for;

use crate::support::gateway::Gateway;
use crate::support::service::Service;
use crate::support::setup::{Setup, key};
use crate::support::{Outcome, PATIENCE, jobs};

fn keys(ids: &[&str]) -> Value {
    let secret = |id: &str| key(if id == "k1" { 'B' } else { 'C' });
    ids.iter().map(|id| json!({"id": id, "secret": secret(id)})).collect()
}

/// Waits until a session gets that answer from every worker.
async fn answers(gateway: &Gateway, session: &str, status: u16, denial: &str) -> Outcome {
    let is_so =
        async || gateway.ingress.visit("web", session).await.is_ok_and(|answer| answer.denial() == (status, denial));
    gateway.ingress.everywhere(&format!("sessions to get {status} {denial}"), is_so).await
}

#[tokio::test]
async fn a_session_lives_as_long_as_its_key_is_in_the_ring() -> Outcome {
    let job = jobs::http("A").await?;
    let mut gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let old = gateway.session("web").await?;
    assert!(old.contains(".k1."), "sealed with the first key");
    answers(&gateway, &old, 200, "").await?;

    gateway.reconfigure(|config| config["keys"] = keys(&["k2", "k1"]))?;
    let sealed_anew = async || gateway.session("web").await.ok().filter(|session| session.contains(".k2."));
    let new = wait_for(PATIENCE, "sessions under the second key", sealed_anew).await?;
    answers(&gateway, &new, 200, "").await?;
    for _ in 0..24 {
        assert!(gateway.ingress.visit("web", &old).await?.is_ok(), "the old session still works");
    }

    gateway.reconfigure(|config| config["keys"] = keys(&["k2"]))?;
    // A token under a key that is gone is a token of nobody's.
    answers(&gateway, &old, 401, "credential-rejected").await?;
    for _ in 0..24 {
        assert!(gateway.ingress.visit("web", &new).await?.is_ok(), "the new session still works");
    }
    Ok(())
}
