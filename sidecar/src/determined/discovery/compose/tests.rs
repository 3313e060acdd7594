use serde_json::{Value, json};

use super::*;
use crate::config::determined::DeterminedProviderConfig;
use crate::config::resolve::Files;

const TASK: &str = "1f0e2d3c-4b5a-4978-8655-0a1b2c3d4e5f";

fn settings(more: Value) -> DeterminedSettings {
    let mut config = json!({"master": "http://127.0.0.1:8080", "token": "t", "addresses": ["10.0.0.0/8"]});
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    let config: DeterminedProviderConfig = serde_json::from_value(config).expect("a configuration");
    DeterminedSettings::resolve("p", config, &mut Files::new(std::path::Path::new("/"))).expect("settings")
}

fn seen(settings: &DeterminedSettings, allocations: Value, items: Value) -> (Vec<Entry>, Vec<Problem>) {
    let allocations: Vec<Allocation> = serde_json::from_value(allocations).expect("allocations");
    let items: Vec<Item> = serde_json::from_value(items).expect("items");
    let items: HashMap<&str, &Item> = items.iter().map(|item| (item.id.as_str(), item)).collect();
    let master = ["10.0.0.5:8080".parse().expect("an address")];
    let mut problems = Vec::new();
    let seen = Composing { settings, items: &items, master: &master }.services(&allocations, &mut problems);
    (seen.services, problems)
}

fn addresses(entry: &Entry) -> Vec<String> {
    entry.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

fn notebook() -> (Value, Value) {
    let ports = json!([{"serviceId": TASK, "port": 2900, "proxyTcp": false, "unauthenticated": false}]);
    let item = json!({"id": TASK, "state": "STATE_RUNNING", "username": "alice", "addresses": null,
        "serviceAddress": format!("/proxy/{TASK}/?token=s3cret")});
    (json!([{"taskId": TASK, "proxyPorts": ports, "resources": null}]), json!([item]))
}

#[test]
fn a_notebook_is_reached_through_the_master_below_its_path() {
    let (allocations, items) = notebook();
    let (services, problems) = seen(&settings(json!({})), allocations, items);
    assert!(problems.is_empty(), "{problems:?}");
    let [entry] = &services[..] else { panic!("{services:?}") };
    assert_eq!((entry.key.service.as_str(), &entry.alternatives[..]), ("2900", &["default".to_owned()][..]));
    assert_eq!(entry.path.as_deref(), Some(format!("/proxy/{TASK}/").as_str()));
    assert_eq!(addresses(entry), ["10.0.0.5:8080"]);
    assert_eq!((entry.protocol, entry.policy.access), (Protocol::Http, AccessLevel::CanRead));
    assert_eq!(entry.policy.owner.as_deref(), Some("alice"));
    assert!(entry.forward_credential && !format!("{services:?}").contains("s3cret"));
}

#[test]
fn what_is_not_up_has_a_name_and_nowhere_to_go() {
    let (allocations, mut items) = notebook();
    items[0]["state"] = "STATE_PULLING".into();
    let (services, _) = seen(&settings(json!({})), allocations.clone(), items);
    assert_eq!(addresses(&services[0]), [""; 0]);
    // What has no list is up when it has something to run on.
    let (services, _) = seen(&settings(json!({})), allocations.clone(), json!([]));
    assert_eq!(addresses(&services[0]), [""; 0]);
    let mut started = allocations;
    started[0]["resources"] = json!([{"started": {"addresses": null}}]);
    let (services, _) = seen(&settings(json!({})), started, json!([]));
    assert_eq!(addresses(&services[0]), ["10.0.0.5:8080"]);
}

fn shell(host_ip: &str) -> (Value, Value) {
    let ports = json!([{"serviceId": TASK, "port": 3200, "proxyTcp": true, "unauthenticated": true}]);
    let address = json!({"container_ip": "172.17.0.2", "container_port": 3200, "host_ip": host_ip, "host_port": 41234});
    let item = json!({"id": TASK, "state": "STATE_RUNNING", "username": "alice", "privateKey": "s3cret",
        "addresses": [address]});
    (json!([{"taskId": TASK, "proxyPorts": ports, "resources": [{"started": null}]}]), json!([item]))
}

#[test]
fn a_shell_is_reached_where_the_master_says_in_networks_of_the_operator() {
    let (allocations, items) = shell("10.0.7.1");
    let (services, _) = seen(&settings(json!({})), allocations, items);
    let entry = &services[0];
    assert_eq!((entry.protocol, addresses(entry)), (Protocol::Tcp, vec!["10.0.7.1:41234".to_owned()]));
    assert!(entry.path.is_none() && !entry.forward_credential && !format!("{entry:?}").contains("s3cret"));
    for host_ip in ["192.0.2.1", "127.0.0.1", "169.254.169.254", "0.0.0.0", "master", ""] {
        let (allocations, items) = shell(host_ip);
        let (services, _) = seen(&settings(json!({})), allocations, items);
        let entry = &services[0];
        assert_eq!((entry.protocol, addresses(entry)), (Protocol::WebSocket, vec!["10.0.0.5:8080".to_owned()]));
        assert_eq!(entry.path.as_deref(), Some(format!("/proxy/{TASK}/").as_str()), "{host_ip}");
    }
}

#[test]
fn what_determined_lets_everybody_reach_is_open_where_the_operator_says_so() {
    let (allocations, items) = shell("10.0.7.1");
    let access = |more: Value| seen(&settings(more), allocations.clone(), items.clone()).0[0].policy.access;
    assert_eq!(access(json!({})), AccessLevel::CanRead);
    assert_eq!(access(json!({"unauthenticated": true})), AccessLevel::Public);
    let (allocations, items) = notebook();
    let (services, _) = seen(&settings(json!({"unauthenticated": true})), allocations, items);
    assert_eq!(services[0].policy.access, AccessLevel::CanRead);
}

#[test]
fn names_that_are_not_the_tasks_own_lead_nowhere() {
    let (_, items) = notebook();
    for (task, id, port) in [
        ("a", "b", 80),
        ("a", "a:81", 80),
        ("a", "a:080", 80),
        ("a", "", 80),
        ("a", "a", 0),
        ("a", "a", 65_536),
        ("a/b", "a/b", 80),
        ("..", "..", 80),
        ("a:1", "a:1", 1),
        ("", "", 80),
    ] {
        let ports = json!([{"serviceId": id, "port": port}]);
        let allocations = json!([{"taskId": task, "proxyPorts": ports, "resources": [{}]}]);
        let (services, problems) = seen(&settings(json!({})), allocations, items.clone());
        assert!(services.is_empty() && problems.len() == 1, "{task} {id} {port}: {services:?} {problems:?}");
    }
}

#[test]
fn one_task_has_so_many_ports_and_no_port_twice() {
    let port = |port: u32| json!({"serviceId": format!("a:{port}"), "port": port});
    let ports: Vec<Value> = (1..=100).map(port).chain([port(1)]).collect();
    let allocation = json!({"taskId": "a", "proxyPorts": ports, "resources": [{}]});
    let (services, problems) = seen(&settings(json!({})), json!([allocation, allocation]), json!([]));
    assert_eq!(services.len(), MAX_OF_TASK);
    assert!(!problems.is_empty());
}
