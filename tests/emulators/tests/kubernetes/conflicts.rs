use reqwest::Method;
use serde_json::{Value, json};

use super::{GATEWAYS, SERVICES, SETS, Site, gateway, listener, set};

#[tokio::test]
async fn who_puts_back_what_is_old_is_told() {
    let site = Site::start().await;
    let (_, first) = site.post(GATEWAYS, &gateway("tcp", &[listener("a", 1000)])).await;
    let path = format!("{GATEWAYS}/tcp");
    // The controller wrote its status meanwhile.
    let (status, body) = site.put(&path, &first).await;
    assert_eq!((status, body["reason"].as_str()), (409, Some("Conflict")));
    assert!(body["message"].as_str().unwrap().contains("the object has been modified"), "{body}");
    let (_, mut fresh) = site.get(&path).await;
    assert_eq!(site.put(&path, &fresh).await.0, 200);
    fresh["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let (status, body) = site.put(&path, &fresh).await;
    assert_eq!(status, 422);
    assert!(body["message"].as_str().unwrap().contains("must be specified for an update"), "{body}");
    // Objects of Kubernetes itself may be put without one.
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    site.post(SERVICES, &service).await;
    assert_eq!(site.put(&format!("{SERVICES}/s"), &service).await.0, 200);
}

#[tokio::test]
async fn a_merge_patch_replaces_lists_and_may_say_of_what_it_is() {
    let site = Site::start().await;
    site.post(GATEWAYS, &gateway("tcp", &[listener("a", 1000), listener("b", 1001)])).await;
    let path = format!("{GATEWAYS}/tcp");
    let patch = json!({"spec": {"listeners": [listener("c", 1002)]}});
    let (status, patched) = site.ask(Method::PATCH, &path, Some(&patch)).await;
    assert_eq!((status, patched["spec"]["listeners"].as_array().unwrap().len()), (200, 1));
    assert_eq!(patched["metadata"]["generation"], 2);
    let stale = json!({"metadata": {"resourceVersion": patched["metadata"]["resourceVersion"]}});
    // The controller wrote in between.
    assert_eq!(site.ask(Method::PATCH, &path, Some(&stale)).await.0, 409);
    let note = json!({"metadata": {"annotations": {"a": "b"}}});
    let (_, noted) = site.ask(Method::PATCH, &path, Some(&note)).await;
    assert_eq!(noted["metadata"]["generation"], 2, "what is wanted did not change");
}

#[tokio::test]
async fn a_name_is_one_objects_and_a_port_is_not() {
    let site = Site::start().await;
    site.cluster.add_gateway("edge", "tcp", true);
    assert_eq!(site.post(SETS, &set("taskgate-p50600", 50_600)).await.0, 201);
    let (status, body) = site.post(SETS, &set("taskgate-p50600", 50_600)).await;
    assert_eq!((status, body["reason"].as_str()), (409, Some("AlreadyExists")));
    // Another name with the same port is taken, and the controller says that it conflicts.
    assert_eq!(site.post(SETS, &set("zz", 50_600)).await.0, 201);
    let conflicted = async |name: &str| {
        let (_, found) = site.get(&format!("{SETS}/{name}")).await;
        let conditions = found["status"]["listeners"][0]["conditions"].as_array().unwrap().clone();
        let conflicted = conditions.iter().find(|condition| condition["type"] == "Conflicted").unwrap();
        conflicted["status"] == "True"
    };
    assert_eq!((conflicted("taskgate-p50600").await, conflicted("zz").await), (false, true));
}

#[tokio::test]
async fn who_deletes_may_say_which_one() {
    let site = Site::start().await;
    let (_, made) = site.post(SETS, &set("taskgate-p1000", 1000)).await;
    let path = format!("{SETS}/taskgate-p1000");
    let delete = async |preconditions: Value| {
        let body = json!({"preconditions": preconditions});
        site.ask(Method::DELETE, &path, Some(&body)).await.0
    };
    assert_eq!(delete(json!({"uid": "another"})).await, 409);
    assert_eq!(delete(json!({"uid": made["metadata"]["uid"], "resourceVersion": "1000"})).await, 409);
    assert_eq!(delete(json!({"uid": made["metadata"]["uid"]})).await, 200);
    assert_eq!(delete(json!({})).await, 404);
}
