//! What is left of the configuration where the filter does not run: nothing that reaches a job.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::support::ask::Ask;
use crate::support::service::{Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// A request that says itself where it goes.
fn spoofed(victim: &str) -> Ask {
    ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3"]
        .into_iter()
        .fold(Ask::get(&host("web"), "/"), |ask, name| ask.header(name, victim))
}

fn at<'a>(document: &'a mut Value, pointer: &str) -> anyhow::Result<&'a mut Value> {
    document.pointer_mut(&format!("{MANAGER}{pointer}")).with_context(|| format!("no {pointer}"))
}

#[tokio::test]
async fn a_virtual_host_that_forgot_to_turn_the_filter_on_answers_503() -> Outcome {
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]);
    let sidecar = setup.start_sidecar().await?;
    // Either both of its filters are off, or the one that decides.
    for forgotten in [&["taskgate", "taskgate.candidates"][..], &["taskgate"]] {
        let forget = |document: &mut Value| {
            let filters = at(document, "/route_config/virtual_hosts/0/typed_per_filter_config")?;
            let filters = filters.as_object_mut().context("no filters are turned on")?;
            for name in forgotten {
                filters.remove(*name).with_context(|| format!("{name} is not turned on"))?;
            }
            Ok(())
        };
        let ingress = setup.start_envoy_with(sidecar.internal_address(), forget).await?;
        for protocol in ["h1", "h2"] {
            let ask = spoofed(&job.address().to_string()).header("x-taskgate-protocol", protocol);
            let answer = ingress.send(ask).await?;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{forgotten:?} {protocol}");
        }
    }
    assert_eq!(job.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn not_even_a_filter_that_fails_open_sends_a_client_where_it_likes() -> Outcome {
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]).one_worker().mortal()?;
    let sidecar = setup.start_sidecar().await?;
    // Nobody should do this; if somebody does, the damage is bounded.
    let fail_open = |document: &mut Value| {
        *at(document, "/http_filters/0/typed_config/config/failure_policy")? = json!("FAIL_OPEN");
        Ok(())
    };
    let ingress = setup.start_envoy_with(sidecar.internal_address(), fail_open).await?;
    ingress.wait_for_table().await?;
    let victim = job.address().to_string();
    for _ in 0..5 {
        let answer = ingress.send(spoofed(&victim).header("x-fault", "trap")).await?;
        assert_eq!(answer.status, 503);
        assert_eq!(
            ingress.send(spoofed(&victim)).await?.status,
            503,
            "nobody decides any more, and nothing is reached"
        );
    }
    assert_eq!(job.connections(), 0);
    Ok(())
}
