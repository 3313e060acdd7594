//! Two sidecars behind one address disagree for a while: their tables, lives, keys and clocks differ.

use serde_json::{Value, json};
use taskgate_test_kit::{Sidecar, environment};

use crate::support::ask::Ask;
use crate::support::ingress::Ingress;
use crate::support::service::{self, ALICE, BOB, Service, host};
use crate::support::setup::{Setup, key};
use crate::support::{Outcome, jobs};

/// More rows than a page has, so that a table which begins anew all the time is never whole.
const OTHERS: u16 = 900;

/// The second sidecar beside the first.
fn both(envoy: &mut Value, second: std::net::SocketAddr) -> Outcome {
    let clusters = envoy.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
    for cluster in clusters.into_iter().flatten().filter(|cluster| cluster["name"] == "taskgate-sidecar") {
        let socket = json!({"address": second.ip(), "port_value": second.port()});
        let endpoint = json!({"endpoint": {"address": {"socket_address": socket}}});
        let endpoints = cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints");
        endpoints.and_then(Value::as_array_mut).into_iter().for_each(|endpoints| endpoints.push(endpoint.clone()));
    }
    Ok(())
}

fn with_others(web: Service) -> Vec<Service> {
    let at = |number: u16| std::net::SocketAddr::from(([127, 0, 0, 9], 10_000 + number));
    let others = (0..OTHERS).map(|number| Service::http(&format!("other-{number}")).at(at(number)));
    std::iter::once(web).chain(others).collect()
}

/// How many tables two sidecars began to tell anew.
async fn resets(sidecars: [&Sidecar; 2]) -> anyhow::Result<u64> {
    let mut resets = 0;
    for sidecar in sidecars {
        let metrics = sidecar.metrics().await?;
        let count = metrics.lines().find_map(|line| line.strip_prefix("taskgate_feed_resets_total "));
        resets += count.unwrap_or("0").parse::<u64>()?;
    }
    Ok(resets)
}

async fn status(ingress: &Ingress, token: &str) -> anyhow::Result<u16> {
    Ok(ingress.send(Ask::get(&host("web"), "/").token(token)).await?.status)
}

#[tokio::test]
async fn nobody_is_let_in_by_the_others_rules_and_it_settles() -> Outcome {
    let (job_a, job_b) = (jobs::http("A").await?, jobs::http("B").await?);
    // One says that Bob may come in, to job A; the other that he may not, and that the job is B.
    let open = Service::http("web").at(job_a.address());
    let closed = Service::http("web").at(job_b.address()).without_grants();
    let first = Setup::new(with_others(open));
    let second = Setup::new(with_others(closed.clone())).configure(|config| {
        config["keys"] = json!([{"id": "k9", "secret": key('D')}]);
    });
    let sidecar_a = first.start_sidecar().await?;
    let library = environment::faketime()?;
    let preload = format!("LD_PRELOAD={}", library.display());
    let ahead = second.home()?.launched_by(["env", &preload, "FAKETIME=+2h", "FAKETIME_DONT_FAKE_MONOTONIC=1"]);
    let sidecar_b = ahead.start(&second.config().to_string()).await?;
    let address_b = sidecar_b.internal_address();
    let ingress = first.start_envoy_with(sidecar_a.internal_address(), |envoy| both(envoy, address_b)).await?;
    ingress.wait_for_table().await?;

    let mut answered = std::collections::BTreeMap::<u16, usize>::new();
    for _ in 0..150 {
        *answered.entry(status(&ingress, BOB).await?).or_default() += 1;
        assert_eq!(job_b.connections(), 0, "Bob came to a job by rules that are another's: {answered:?}");
        let mallory = status(&ingress, "nobodys-token").await?;
        assert!(matches!(mallory, 401 | 503), "{mallory}");
    }
    assert!(answered.keys().all(|status| [200, 403, 404, 503].contains(status)), "{answered:?}");

    // They agree again: each worker comes to the same end, whichever of them it follows.
    for sidecar in [&sidecar_a, &sidecar_b] {
        sidecar.home().write("services.yaml", &service::file(&with_others(closed.clone())))?;
    }
    let alice = || Ask::get(&host("web"), "/").token(ALICE);
    ingress.answers("all to agree on the job", alice, |answer| answer.text() == "hello from B\n").await?;
    let served_by_a = job_a.requests();
    for _ in 0..50 {
        assert!([403, 404, 503].contains(&status(&ingress, BOB).await?));
        assert_eq!(ingress.visit("web", ALICE).await?.text(), "hello from B\n");
    }
    assert_eq!(job_a.requests(), served_by_a);
    // Three pollers; each met a stranger now and then, and none of them began anew with every page.
    let resets = resets([&sidecar_a, &sidecar_b]).await?;
    assert!(resets < 400, "tables were begun {resets} times");
    eprintln!("Bob's answers: {answered:?}; tables begun: {resets}");
    Ok(())
}
