//! Nothing is said to listen before the controller says so.

use std::time::Duration;

use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::{Ledger as _, ReserveError};
use taskgate::gateway::plane::{Plane as _, PlaneError};
use taskgate_emulators::kubernetes::Script;
use taskgate_test_kit::wait_until;

use super::PATIENCE;
use super::stage::{EDGE, MODES, REST, Stage, range, reserve, service, wish};

#[tokio::test]
async fn a_controller_that_never_programs_is_waited_for_and_no_longer() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        stage.cluster.direct(Script::Never);
        let after = Duration::from_secs(2);
        let gateway = stage.life_with(true, after);
        let wish = wish(&gateway, range(1), &service("db", &["10.0.0.1:5432"])).await;
        let Err(PlaneError::NotProgrammed { port, after: waited, reason }) = gateway.program(&wish).await else {
            panic!("it does not listen")
        };
        assert_eq!((port, waited), (20_000, after));
        assert!(reason.contains("is not Programmed (Pending: the data plane was not told yet)"), "{reason}");
        // The keeper gives the port back; it rests as any other.
        gateway.withdraw(&wish.lease).await.expect("withdrawn");
        gateway.release(&wish.lease, REST).await.expect("released");
        let other = service("other", &[]);
        assert_eq!(reserve(&gateway, range(1), &other).await, Err(ReserveError::RangeExhausted(range(1))));
    }
}

#[tokio::test]
async fn a_controller_that_takes_its_time_is_followed() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        stage.cluster.direct(Script::OnDemand);
        let gateway = stage.life();
        let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
        let port = wish.lease.port;
        let program = gateway.program(&wish);
        let controller = async {
            let has_route = async || !stage.cluster.names("tcproutes").is_empty();
            wait_until(PATIENCE, "the route", has_route).await.expect("it is written");
            // Whoever follows is sent away once, as a server does that has forgotten what changed.
            stage.cluster.forget();
            assert_eq!(stage.behind(port), "-");
            stage.cluster.look();
        };
        let (programmed, ()) = tokio::join!(program, controller);
        assert_eq!((programmed, stage.behind(port).as_str()), (Ok(()), "10.0.0.1:5432"), "{mode:?}");
    }
}

#[tokio::test]
async fn a_port_that_conflicts_is_somebody_elses() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    stage.cluster.direct(Script::OnDemand);
    let gateway = stage.life();
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    let port = wish.lease.port;
    // Another tenant gets it in between, by the Gateway itself.
    let listener = serde_json::json!({"name": "theirs", "port": port, "protocol": "TCP"});
    stage.cluster.edit("gateways", EDGE, "tcp", |gateway| {
        gateway["spec"]["listeners"].as_array_mut().expect("a list").push(listener);
    });
    stage.cluster.direct(Script::AtOnce);
    assert_eq!(gateway.program(&wish).await, Err(PlaneError::PortTaken(port)));
}

#[tokio::test]
async fn a_gateway_that_takes_no_sets_says_so_at_once() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    stage.cluster.edit("gateways", EDGE, "tcp", |gateway| {
        gateway["spec"]["allowedListeners"] = serde_json::json!({"namespaces": {"from": "None"}});
    });
    let gateway = stage.life();
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    let Err(PlaneError::Refused(reason)) = gateway.program(&wish).await else { panic!("it is refused") };
    assert!(reason.contains("`spec.allowedListeners`"), "{reason}");
}

#[tokio::test]
async fn a_gateway_that_is_full_says_how_many_it_took() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    let gateway = stage.life();
    let first = wish(&gateway, range(10), &service("first", &["10.0.0.1:5432"])).await;
    gateway.program(&first).await.expect("listens");
    stage.cluster.direct(Script::OnDemand);
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    let name = format!("taskgate-p{}", wish.lease.port);
    stage.cluster.edit("listenersets", EDGE, &name, |set| {
        let full = serde_json::json!({"type": "Accepted", "status": "False", "reason": "TooManyListeners"});
        set["status"]["conditions"] = serde_json::json!([full]);
    });
    assert_eq!(gateway.program(&wish).await, Err(PlaneError::ListenerLimit(2)), "the Gateway's own, and the first");
}

#[tokio::test]
async fn a_cluster_that_is_away_is_no_answer() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
        gateway.program(&wish).await.expect("listens");
        for (verb, plural) in [("get", "services"), ("list", "endpointslices")] {
            stage.cluster.fail(verb, plural, 503);
            assert!(matches!(gateway.program(&wish).await, Err(PlaneError::Unavailable(_))), "{verb} {plural}");
        }
        assert_eq!(stage.behind(wish.lease.port), "10.0.0.1:5432", "what listens goes on");
        stage.cluster.fail("list", "listenersets", 500);
        stage.cluster.fail("get", "gateways", 500);
        let other = service("other", &[]);
        assert!(matches!(reserve(&gateway, range(10), &other).await, Err(ReserveError::Unavailable(_))));
        gateway.program(&wish).await.expect("listens");
    }
}
