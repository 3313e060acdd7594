//! Changes of the table, and sidecars that come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::ensure;
use taskgate_test_kit::wait_until;

use super::site::{Plan, members};
use crate::support::ask::{Ask, next_part};
use crate::support::ingress::Ingress;
use crate::support::load::Load;
use crate::support::service::{ALICE, Service, host};
use crate::support::stage::Stage;
use crate::support::{Outcome, PATIENCE, jobs};

/// How often the table changes.
const CHANGES: u16 = 30;

fn elsewhere(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 10_000 + port))
}

/// What rises when Envoy replaces listeners, routes or clusters, or drains connections.
async fn disturbances(ingress: &Ingress) -> anyhow::Result<BTreeMap<String, u64>> {
    let names = r"^(listener_manager\.(listener_(added|modified|removed|in_place_updated|create_success)|lds\..*)|cluster_manager\.(cluster_(added|modified|removed)|cds\..*)|http\.taskgate\.(rds\..*|downstream_cx_drain_close))$";
    ingress.envoy.stats(names).await
}

async fn pushes(ingress: &Ingress) -> anyhow::Result<u64> {
    ingress.envoy.stat("cluster.taskgate-h1.update_success").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_table_disturb_nobody() -> Outcome {
    let (job, websocket, mut source) = (jobs::http("A").await?, jobs::websocket("W").await?, Stage::open().await?);
    let services = |number: u16| {
        [
            Service::http("web").at(job.address()).reserve(elsewhere(number)),
            Service::websocket("ws").at(websocket.address()),
            Service::http("download").at(source.address()).reserve(elsewhere(1_000 + number)),
            Service::http(&format!("passing-{number}")).at(elsewhere(2_000 + number)),
            Service::grpc("echo").at(elsewhere(3_000 + number)),
        ]
    };
    let (first, later): (_, Vec<_>) = (services(0), (1..=CHANGES).map(&services).collect());
    let site = Plan::new(first)?.start(6, 1).await?;
    let ingress = &site.gateway.ingress;
    let before = disturbances(ingress).await?;
    let mut socket = ingress.websocket("ws", ALICE).await?;
    assert_eq!(socket.say("before").await?, "W: before");
    let mut link = ingress.http1().await?;
    let (answer, visit) = tokio::join!(link.open(Ask::get(&host("download"), "/").token(ALICE)), async {
        let mut visit = source.next().await?;
        visit.begin("application/octet-stream").await?;
        visit.wire.write_chunk("first").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut download, mut visit) = (answer?.into_body(), visit?);
    assert_eq!(next_part(&mut download).await?, "first");

    let load = Load::start(ingress.address, 2, || Ask::get(&host("web"), "/").token(ALICE));
    for (number, services) in later.iter().enumerate() {
        let known = pushes(ingress).await?;
        site.gateway.publish(services)?;
        let more = async || pushes(ingress).await.is_ok_and(|now| now > known);
        wait_until(PATIENCE, "a push", more).await?;
        let text = number.to_string();
        assert_eq!(socket.say(&text).await?, format!("W: {text}"));
        visit.wire.write_chunk(&text).await?;
        assert_eq!(next_part(&mut download).await?, text);
    }
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.total() > 50, "{tally:?}");
    assert_eq!(disturbances(ingress).await?, before);
    assert_eq!(websocket.connections(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_starts_again_changes_nothing_but_what_changed() -> Outcome {
    let (job, other, websocket) = (jobs::http("A").await?, jobs::http("B").await?, jobs::websocket("W").await?);
    let services = [
        Service::http("web").at(job.address()).access("public"),
        Service::websocket("ws").at(websocket.address()),
        Service::http("goes").at(elsewhere(1)),
    ];
    let mut site = Plan::new(services.clone())?.start(3, 0).await?;
    let gateway = &mut site.gateway;
    let mut socket = gateway.ingress.websocket("ws", ALICE).await?;
    assert_eq!(socket.say("before").await?, "W: before");
    let load = Load::start(gateway.ingress.address, 2, || Ask::get(&host("web"), "/"));
    let connected = async |gateway: &crate::support::gateway::Gateway, state: u64| {
        let is_so =
            async || gateway.ingress.envoy.stat("control_plane.connected_state").await.is_ok_and(|now| now == state);
        wait_until(PATIENCE, "Envoy to notice", is_so).await
    };
    let before = (disturbances(&gateway.ingress).await?, pushes(&gateway.ingress).await?);
    gateway.sidecar.kill()?;
    connected(gateway, 0).await?;
    load.reached(100).await?;
    members(&gateway.ingress, "taskgate-h1", 3).await?;
    gateway.sidecar.restart().await?;
    connected(gateway, 1).await?;
    // The first push of the new life is of what changed since the last one.
    gateway.publish(&[services[0].clone(), services[1].clone(), Service::http("new").at(other.address())])?;
    let says = || Ask::get(&host("new"), "/").token(ALICE);
    gateway.ingress.answers("the new service", says, |answer| answer.text() == "hello from B\n").await?;
    let now = (disturbances(&gateway.ingress).await?, pushes(&gateway.ingress).await?);
    assert_eq!(now, (before.0, before.1 + 1), "what was the same was not sent again");
    let clusters = gateway.ingress.envoy.admin("clusters").await?;
    ensure!(!clusters.contains(&elsewhere(1).to_string()), "{clusters}");
    assert_eq!(socket.say("after").await?, "W: after");
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    Ok(())
}
