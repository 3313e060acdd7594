//! What an earlier life of the sidecar left, where the cluster collects nothing.

use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::Ledger as _;
use taskgate::gateway::plane::Plane as _;

use super::stage::{EDGE, MODES, REST, Stage, TCP, held, label, range, reserve, service, wish};

#[tokio::test]
async fn a_sidecar_that_starts_knows_what_is_held_and_what_listens() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let first = stage.life();
        let programmed = wish(&first, range(10), &service("db", &["10.0.0.1:5432"])).await;
        first.program(&programmed).await.expect("listens");
        let reserved = wish(&first, range(10), &service("other", &["10.0.0.2:5432"])).await;
        drop(first);
        let second = stage.life();
        let mut ports = vec![programmed.lease.port, reserved.lease.port];
        ports.sort_unstable();
        assert_eq!(held(&second).await, ports);
        assert_eq!(second.observe().await, Ok(vec![(programmed.lease.port, label("db"))]));
        assert_eq!(stage.behind(programmed.lease.port), "10.0.0.1:5432", "it was not disturbed");
    }
}

#[tokio::test]
async fn ports_stay_where_they_are_when_the_gateway_begins_to_take_sets() {
    let stage = Stage::start(KubernetesGatewayMode::Auto).await;
    let takes = |from: &str| {
        stage.cluster.edit("gateways", EDGE, TCP, |gateway| {
            gateway["spec"]["allowedListeners"] = serde_json::json!({"namespaces": {"from": from}});
        });
    };
    takes("None");
    let first = stage.life();
    let before = wish(&first, range(10), &service("db", &["10.0.0.1:5432"])).await;
    first.program(&before).await.expect("listens");
    takes("Same");
    let second = stage.life();
    assert_eq!(held(&second).await, [before.lease.port]);
    assert_eq!(reserve(&second, range(10), &before.service).await, Ok(before.lease.clone()));
    second.release(&before.lease, REST).await.expect("released");
    // It rests there, too; then nothing is known there that would be lost.
    reserve(&stage.life(), range(1), &service("other", &[])).await.expect("a port");
    assert_eq!(stage.cluster.names("listenersets"), Vec::<String>::new());
    let other = wish(&second, range(1), &service("other", &[])).await;
    second.release(&other.lease, REST).await.expect("released");
    stage.clock.advance(REST);
    wish(&stage.life(), range(10), &service("db", &[])).await;
    assert_eq!(stage.cluster.names("listenersets").len(), 1);
}

#[tokio::test]
async fn what_belongs_to_no_reservation_is_taken_away_and_nothing_else() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    stage.cluster.collect(false);
    let gateway = stage.life();
    let left = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    gateway.program(&left).await.expect("listens");
    let kept = wish(&gateway, range(10), &service("kept", &["10.0.0.2:5432"])).await;
    gateway.program(&kept).await.expect("listens");
    let theirs = serde_json::json!({
        "metadata": {"name": "theirs", "labels": {"app.kubernetes.io/managed-by": "taskgate", "taskgate/port": "20009"}},
        "spec": {"ports": [{"port": 1}]},
    });
    stage.cluster.add("services", EDGE, &theirs);
    stage.cluster.delete("listenersets", EDGE, &format!("taskgate-p{}", left.lease.port));
    assert_eq!(stage.life().observe().await, Ok(vec![(kept.lease.port, label("kept"))]));
    let name = format!("taskgate-p{}", kept.lease.port);
    assert_eq!(stage.cluster.names("tcproutes"), std::slice::from_ref(&name));
    assert_eq!(stage.cluster.names("services"), [name, "theirs".to_owned()], "it is for no Gateway of ours");
    assert_eq!(stage.behind(kept.lease.port), "10.0.0.2:5432");
}

#[tokio::test]
async fn a_port_that_is_reserved_anew_waits_for_nobody_who_collects() {
    // What a reservation left is in the way of the next one's, for the cluster's collector is slow.
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    stage.cluster.collect(false);
    let gateway = stage.life();
    let one = range(1);
    let first = wish(&gateway, one, &service("db", &["10.0.0.1:5432"])).await;
    gateway.program(&first).await.expect("listens");
    stage.cluster.delete("listenersets", EDGE, "taskgate-p20000");
    let second = wish(&gateway, one, &service("other", &["10.0.0.2:5432"])).await;
    gateway.program(&second).await.expect("listens");
    assert_eq!(stage.behind(20_000), "10.0.0.2:5432");
    gateway.release(&second.lease, REST).await.expect("released");
}

#[tokio::test]
async fn a_listener_that_somebody_took_out_comes_back() {
    let stage = Stage::start(KubernetesGatewayMode::Gateway).await;
    let gateway = stage.life();
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    gateway.program(&wish).await.expect("listens");
    stage.cluster.edit("gateways", EDGE, "tcp", |gateway| {
        gateway["spec"]["listeners"].as_array_mut().expect("a list").truncate(1);
    });
    assert_eq!(stage.behind(wish.lease.port), "-");
    gateway.program(&wish).await.expect("listens");
    assert_eq!(stage.behind(wish.lease.port), "10.0.0.1:5432");
}
