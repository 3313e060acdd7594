//! What people are told of TCP services.

use serde_json::{Value, json};

use crate::kit::{Sidecar, config, tokens};

const SERVICES: &str = r#"
services:
- {operation: op1, task: db, service: sql, endpoints: ["10.0.0.1:5432"], access: public, protocol: tcp}
- {operation: op2, task: db, service: sql, endpoints: ["10.0.0.1:5433"], access: can_read, owner: alice, protocol: tcp}
- {operation: op3, task: web, service: ui, endpoints: ["10.0.0.1:80"], access: public}
- {operation: op4, task: db, service: sql, endpoints: ["10.0.0.1:5434"], access: can_read, owner: bob, protocol: tcp}
"#;

async fn told(gateway: &str) -> Value {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let people = tokens(&[("alice", ""), ("bob", "")]);
    let config = config(&format!(
        "keys: [{{id: k1, secret: \"{key}\"}}]\npublic: {{listen: \"127.0.0.1:0\"}}\naccess: {{}}\n\
         state: {{directory: state}}\nxds: {{listen: \"127.0.0.1:0\"}}\n{gateway}\n{people}"
    ));
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let sidecar = Sidecar::start_in(directory, &config).await;
    sidecar.table().await;
    let public = sidecar.running.addresses.public.clone().expect("a listener");
    let request = sidecar.client.get(format!("http://{public}/v1/services")).bearer_auth("token-of-alice");
    let text = request.send().await.expect("an answer").text().await.expect("text");
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let services = list["services"].as_array().expect("a list");
    services.iter().map(|one| (one["operation"].as_str().expect("text").to_owned(), one["tcp"].clone())).collect()
}

#[tokio::test]
async fn who_may_use_a_tcp_service_is_told_how_it_is_reached() {
    let tunnel = |reason: &str| json!({"state": "tunnel-only", "reason": reason});
    let told = told("").await;
    assert_eq!(told, json!({"op1": tunnel("no-gateway"), "op2": tunnel("no-gateway"), "op3": null}));
}

#[tokio::test]
async fn a_service_that_gets_no_port_says_why() {
    let tunnel = |reason: &str| json!({"state": "tunnel-only", "reason": reason});
    let told = told("internal_task_gateway: {gateway_ip: 127.0.0.1}").await;
    let expected = json!({"op1": tunnel("no-source-ranges"), "op2": tunnel("no-client-certificates"), "op3": null});
    assert_eq!(told, expected);
}
