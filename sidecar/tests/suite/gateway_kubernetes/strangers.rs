//! What others made in the same namespace.

use serde_json::json;
use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::{Ledger as _, ReserveError};
use taskgate::gateway::plane::{Plane as _, PlaneError};

use super::stage::{EDGE, MODES, REST, Stage, TCP, held, range, reserve, service, wish};

#[tokio::test]
async fn an_object_of_somebody_else_is_never_touched_whatever_it_is_called() {
    for mode in MODES {
        for plural in ["services", "tcproutes"] {
            let stage = Stage::start(mode).await;
            let theirs = json!({
                "metadata": {"name": "taskgate-p20000", "labels": {"app.kubernetes.io/managed-by": "Helm"}},
                "spec": {"ports": [{"port": 5432}], "parentRefs": [], "rules": []},
            });
            stage.cluster.add(plural, EDGE, &theirs);
            let before = stage.cluster.object(plural, EDGE, "taskgate-p20000").expect("an object");
            let gateway = stage.life();
            let wish = wish(&gateway, range(1), &service("db", &["10.0.0.1:5432"])).await;
            assert_eq!(gateway.program(&wish).await, Err(PlaneError::PortTaken(20_000)), "{mode:?} {plural}");
            gateway.withdraw(&wish.lease).await.expect("withdrawn");
            gateway.release(&wish.lease, REST).await.expect("released");
            gateway.observe().await.expect("looks");
            let after = stage.cluster.object(plural, EDGE, "taskgate-p20000").expect("an object");
            assert_eq!(before["spec"], after["spec"]);
            assert_eq!(before["metadata"]["labels"], after["metadata"]["labels"]);
        }
    }
}

#[tokio::test]
async fn sets_of_somebody_else_keep_their_ports_and_names() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    let set = |name: &str, gateway: &str, port: u16| {
        json!({
            "metadata": {"name": name},
            "spec": {
                "parentRef": {"name": gateway, "kind": "Gateway"},
                "listeners": [{"name": "x", "port": port, "protocol": "TCP"}],
            },
        })
    };
    stage.cluster.add("listenersets", EDGE, &set("theirs", TCP, 20_000));
    stage.cluster.add("listenersets", EDGE, &set("taskgate-p20001", TCP, 9_999));
    // At another Gateway, the number is free; the name is not.
    stage.cluster.add("listenersets", EDGE, &set("elsewhere", "other", 20_002));
    let gateway = stage.life();
    let lease = reserve(&gateway, range(3), &service("db", &[])).await.expect("a port");
    assert_eq!(lease.port, 20_002);
    let next = reserve(&gateway, range(3), &service("other", &[])).await;
    assert_eq!(next, Err(ReserveError::RangeExhausted(range(3))));
    stage.clock.advance(REST);
    gateway.observe().await.expect("looks");
    assert_eq!(stage.cluster.names("listenersets").len(), 4);
}

#[tokio::test]
async fn two_sidecars_of_two_gateways_in_one_namespace_leave_each_other_alone() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        stage.cluster.add_gateway(EDGE, "second", true);
        let (one, two) = (stage.life(), stage.life_of("second"));
        let first = wish(&one, range(2), &service("db", &["10.0.0.1:5432"])).await;
        one.program(&first).await.expect("listens");
        assert_eq!(two.list().await, Ok(Vec::new()), "{mode:?}");
        two.observe().await.expect("looks");
        let mut second = wish(&two, range(2), &service("db", &["10.0.0.2:5432"])).await;
        if second.lease.port == first.lease.port {
            // Names are the namespace's, so one of them has to go elsewhere.
            assert_eq!(two.program(&second).await, Err(PlaneError::PortTaken(first.lease.port)));
            two.release(&second.lease, REST).await.expect("released");
            let avoid = [first.lease.port];
            let lease = two.reserve(range(2), &second.lease.holder, &second.lease.service, &avoid).await;
            second.lease = lease.expect("a port");
        }
        two.program(&second).await.expect("listens");
        assert_eq!(stage.behind(first.lease.port), "10.0.0.1:5432", "{mode:?}");
        assert_eq!(stage.behind(second.lease.port), "10.0.0.2:5432", "{mode:?}");
        assert_eq!((held(&one).await, held(&two).await), (vec![first.lease.port], vec![second.lease.port]));
    }
}
