//! Which versions a cluster serves, and what is made of it.

use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::{LeaseError, Ledger as _};
use taskgate::gateway::plane::{Plane as _, PlaneError};
use taskgate_emulators::kubernetes::Profile;

use super::stage::{EDGE, Stage, TCP, range, service, wish};

/// Puts a service at a port, and says whether that is a set's.
async fn is_a_set(mode: KubernetesGatewayMode, profile: Profile, takes_sets: bool) -> bool {
    let stage = Stage::start_with(mode, profile).await;
    stage.cluster.edit("gateways", EDGE, TCP, |gateway| {
        let from = if takes_sets { "Same" } else { "None" };
        gateway["spec"]["allowedListeners"] = serde_json::json!({"namespaces": {"from": from}});
    });
    let gateway = stage.life();
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    gateway.program(&wish).await.expect("listens");
    assert_eq!(stage.behind(wish.lease.port), "10.0.0.1:5432");
    !stage.cluster.names("listenersets").is_empty()
}

#[tokio::test]
async fn the_best_that_the_cluster_has_is_used() {
    let profile =
        |routes: &[&'static str], listener_sets| Profile { routes: routes.into(), listener_sets, ..Profile::default() };
    let auto = KubernetesGatewayMode::Auto;
    assert!(is_a_set(auto, profile(&["v1"], true), true).await);
    assert!(is_a_set(auto, profile(&["v1", "v1alpha2"], true), true).await);
    assert!(is_a_set(auto, profile(&["v1alpha2"], true), true).await, "Gateway API 1.5");
    assert!(!is_a_set(auto, profile(&["v1alpha2"], false), true).await, "Gateway API 1.4 and before");
    assert!(!is_a_set(auto, profile(&["v1"], true), false).await, "the Gateway takes none");
    assert!(!is_a_set(KubernetesGatewayMode::Gateway, profile(&["v1"], true), true).await);
    let indexed = Profile { has_index: true, ..Profile::default() };
    assert!(is_a_set(auto, indexed, true).await);
}

#[tokio::test]
async fn what_the_cluster_does_not_serve_is_said() {
    let none = Profile { routes: Vec::new(), ..Profile::default() };
    let stage = Stage::start_with(KubernetesGatewayMode::Auto, none).await;
    let gateway = stage.life();
    let wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    let Err(PlaneError::Unavailable(reason)) = gateway.program(&wish).await else { panic!("there are no routes") };
    assert!(reason.contains("serves no `TCPRoute`"), "{reason}");

    let old = Profile { listener_sets: false, ..Profile::default() };
    let stage = Stage::start_with(KubernetesGatewayMode::ListenerSets, old).await;
    let Err(LeaseError::Unavailable(reason)) = stage.life().list().await else { panic!("there are no sets") };
    assert!(reason.contains("serves no `ListenerSet`"), "{reason}");

    let stage = Stage::start(KubernetesGatewayMode::Auto).await;
    stage.cluster.delete("gateways", EDGE, TCP);
    let Err(LeaseError::Unavailable(reason)) = stage.life().list().await else { panic!("there is no Gateway") };
    assert!(reason.contains("no Gateway tcp in namespace edge"), "{reason}");
}
