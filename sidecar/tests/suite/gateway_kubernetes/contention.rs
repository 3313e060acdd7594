//! Many at once: limits of a Gateway, and sidecars that write at the same time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::{Ledger as _, ReserveError};
use taskgate::gateway::plane::Plane as _;
use taskgate_emulators::kubernetes::Profile;

use super::stage::{EDGE, MODES, REST, Stage, TCP, held, range, reserve, service, wish};

#[tokio::test]
async fn thirty_two_sidecars_at_once_all_get_ports_of_their_own() {
    for mode in MODES {
        let latency = Duration::from_millis(2);
        let stage = Stage::start_with(mode, Profile { latency, ..Profile::default() }).await;
        let lives: Vec<_> = (0..32).map(|_| stage.life()).collect();
        let services: Vec<_> = (0..32).map(|number| service(&format!("task-{number}"), &[])).collect();
        let all = lives.iter().zip(&services).map(|(life, service)| reserve(life, range(32), service));
        let leases = join_all(all).await;
        let ports: BTreeSet<u16> = leases.iter().map(|lease| lease.as_ref().expect("a port").port).collect();
        assert_eq!(ports.len(), 32, "{mode:?}");
        assert_eq!(held(&stage.life()).await, ports.into_iter().collect::<Vec<_>>());
        // And give them back.
        let released = lives.iter().zip(&leases).map(|(life, lease)| life.release(lease.as_ref().expect("one"), REST));
        assert!(join_all(released).await.iter().all(Result::is_ok), "{mode:?}");
        assert_eq!(held(&stage.life()).await, Vec::<u16>::new());
        assert_eq!(stage.cluster.ports(EDGE, TCP), [80]);
    }
}

#[tokio::test]
async fn sidecars_that_reserve_for_one_service_at_once_get_the_same_port() {
    for mode in MODES {
        let latency = Duration::from_millis(2);
        let stage = Stage::start_with(mode, Profile { latency, ..Profile::default() }).await;
        let lives: Vec<_> = (0..8).map(|_| stage.life()).collect();
        let db = service("db", &[]);
        let leases = join_all(lives.iter().map(|life| reserve(life, range(100), &db))).await;
        let first = leases[0].as_ref().expect("a port");
        assert!(leases.iter().all(|lease| lease.as_ref() == Ok(first)), "{mode:?}: {leases:?}");
        assert_eq!(held(&stage.life()).await, [first.port]);
    }
}

#[tokio::test]
async fn sets_have_no_limit_of_64() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    let gateway = stage.life();
    for number in 0..70 {
        let wish = wish(&gateway, range(70), &service(&format!("task-{number}"), &["10.0.0.1:1"])).await;
        gateway.program(&wish).await.expect("listens");
    }
    assert_eq!(held(&gateway).await, range(70).ports().collect::<Vec<_>>());
    let beyond = reserve(&gateway, range(70), &service("one-more", &[])).await;
    assert_eq!(beyond, Err(ReserveError::RangeExhausted(range(70))));
}

#[tokio::test]
async fn the_limit_of_a_gateway_is_read_from_the_cluster() {
    // It may do all that it needs, and not read definitions.
    let rules = super::rights::rules();
    for (limit, rules) in [(64, None), (128, None), (64, Some(rules))] {
        let profile = Profile { max_listeners: limit, ..Profile::default() };
        let stage = Stage::start_with(KubernetesGatewayMode::Gateway, profile).await;
        stage.cluster.allow(rules);
        let gateway = stage.life();
        // One is the Gateway's own.
        for number in 1..limit {
            reserve(&gateway, range(1_000), &service(&format!("task-{number}"), &[])).await.expect("a port");
        }
        let beyond = service("one-more", &[]);
        assert_eq!(reserve(&gateway, range(1_000), &beyond).await, Err(ReserveError::ListenerLimit(limit)));
        // A port that rests takes no listener.
        let first = reserve(&gateway, range(1_000), &service("task-1", &[])).await.expect("a port");
        gateway.release(&first, REST).await.expect("released");
        let lease = reserve(&gateway, range(1_000), &beyond).await.expect("a port");
        assert_ne!(lease.port, first.port);
    }
}

#[tokio::test]
async fn who_changes_the_gateway_meanwhile_loses_nothing() {
    let latency = Duration::from_millis(1);
    let profile = Profile { latency, ..Profile::default() };
    let stage = Stage::start_with(KubernetesGatewayMode::Gateway, profile).await;
    stage.cluster.edit("gateways", EDGE, TCP, |gateway| {
        gateway["spec"]["unheardOf"] = serde_json::json!({"kept": true});
        gateway["metadata"]["annotations"] = serde_json::json!({"theirs": "0"});
    });
    let gateway = stage.life();
    let others = async {
        for number in 0..200 {
            stage.cluster.edit("gateways", EDGE, TCP, |gateway| {
                gateway["metadata"]["annotations"]["theirs"] = serde_json::json!(number.to_string());
            });
            tokio::task::yield_now().await;
        }
    };
    let ours = async {
        for number in 0..20 {
            reserve(&gateway, range(20), &service(&format!("task-{number}"), &[])).await.expect("a port");
        }
    };
    tokio::join!(others, ours);
    let found = stage.cluster.object("gateways", EDGE, TCP).expect("the Gateway");
    assert_eq!(found["metadata"]["annotations"]["theirs"], "199");
    assert_eq!(found["spec"]["listeners"][0]["name"], "http");
    assert_eq!(held(&gateway).await.len(), 20);
}
