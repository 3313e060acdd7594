//! A cluster that fails, or says nonsense.

use std::time::Duration;

use serde_json::json;
use taskgate_emulators::arvados::Fault;

use crate::arvados::support::{Stage, eventually, id, only, reasons};
use crate::kit::{bearer, outcome};

#[tokio::test]
async fn what_passes_is_asked_for_again_and_what_does_not_fails_the_round() {
    let stage = Stage::new().await;
    stage.service("private", json!({}));
    let mut discovery = stage.discovery("");
    for fault in [Fault::Refuse(503), Fault::Refuse(500), Fault::Refuse(429), Fault::Close] {
        stage.cluster.fail("/arvados/v1/", 2, fault.clone());
        assert_eq!(discovery.round().await.map(|seen| seen.services.len()), Ok(1), "{fault:?}");
    }
    for fault in [Fault::Refuse(401), Fault::Refuse(403), Fault::Refuse(422), Fault::Garbage, Fault::Hang] {
        stage.cluster.fail("/arvados/v1/", 100, fault.clone());
        assert!(discovery.round().await.is_err(), "{fault:?}");
        stage.cluster.heal();
    }
    assert_eq!(discovery.round().await.map(|seen| seen.services.len()), Ok(1));
}

#[tokio::test]
async fn a_bad_record_costs_itself_alone() {
    let stage = Stage::new().await;
    stage.service("private", json!({}));
    let (request, _) = stage.service("private", json!({}));
    stage.cluster.change(&request, &stage.alice, json!({"owner_uuid": 7, "properties": [1]}));
    let inventory = stage.discovery("").round().await.expect("a round");
    only(&inventory);
    assert!(reasons(&inventory).contains(&format!("container request `{request}`")), "{}", reasons(&inventory));
}

#[tokio::test]
async fn services_stay_while_the_cluster_is_away_and_nobody_new_is_let_in_or_out() {
    let stage = Stage::new().await;
    let (_, container) = stage.service("private", json!({}));
    let alice = stage.cluster.add_token(&stage.alice);
    let sidecar = stage.sidecar(", round_secs: 2").await;
    let id = id(&sidecar, &container, 8080).await;
    stage.cluster.set_reachable(false);
    assert_eq!(outcome(&sidecar.verdict(&id, bearer(&alice)).await), "unavailable");
    eventually("discovery says that it fails", async || {
        sidecar.running.app.registry.providers().iter().any(|provider| provider.failure.is_some())
    })
    .await;
    assert!(sidecar.running.app.registry.service(&id).is_some());
    stage.cluster.set_reachable(true);
    eventually("the cluster is asked again", async || {
        outcome(&sidecar.verdict(&id, bearer(&alice)).await) == stage.alice
    })
    .await;
}

#[tokio::test]
async fn a_cluster_that_does_not_say_is_never_a_no() {
    let stage = Stage::new().await;
    let (_, container) = stage.service("private", json!({}));
    let alice = stage.cluster.add_token(&stage.alice);
    let sidecar = stage.sidecar("").await;
    let id = id(&sidecar, &container, 8080).await;
    let paths = [
        "/arvados/v1/api_client_authorizations/current",
        "/arvados/v1/users/current",
        "/arvados/v1/container_requests",
    ];
    for path in paths {
        for fault in [Fault::Refuse(500), Fault::Garbage, Fault::Delay(Duration::from_secs(4))] {
            stage.cluster.fail(path, 2, fault.clone());
            assert_eq!(outcome(&sidecar.verdict(&id, bearer(&alice)).await), "unavailable", "{path} {fault:?}");
            stage.cluster.heal();
        }
    }
    assert_eq!(outcome(&sidecar.verdict(&id, bearer(&alice)).await), stage.alice);
}

#[tokio::test]
async fn a_record_that_is_too_large_costs_itself_alone() {
    let stage = Stage::new().await;
    stage.service("private", json!({}));
    let (large, _) = stage.service("private", json!({"text": "x".repeat(9 << 20)}));
    let (larger, _) = stage.service("private", json!({"text": "x".repeat(300 << 10)}));
    let (_, last) = stage.service("private", json!({}));
    let inventory = stage.patient_discovery("").round().await.expect("a round");
    assert_eq!(inventory.services.len(), 2, "{}", reasons(&inventory));
    assert!(inventory.services.iter().any(|entry| entry.key.operation == last));
    for request in [large, larger] {
        assert!(reasons(&inventory).contains(&format!("container request `{request}`: the record is larger")));
    }
}

#[tokio::test]
async fn names_stay_where_links_can_not_be_read() {
    let stage = Stage::new().await;
    let (request, _) = stage.service("private", json!({}));
    let _ = stage.cluster.name_port(&stage.alice, "ollama", &request, 8080);
    let mut discovery = stage.discovery("");
    discovery.round().await.expect("a round");
    for fault in [Fault::Refuse(403), Fault::Refuse(503), Fault::Garbage, Fault::Hang] {
        stage.cluster.fail("/arvados/v1/links", 100, fault.clone());
        let inventory = discovery.round().await.expect("a round");
        assert!(only(&inventory).names.contains(&"ollama".to_owned()), "{fault:?}");
        assert!(reasons(&inventory).contains("stay as they were"), "{fault:?}");
        stage.cluster.heal();
    }
}
