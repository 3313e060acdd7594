use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use taskgate_emulators::kubernetes::Profile;

use super::{GATEWAYS, SERVICES, SETS, Site, gateway, listener, set};

#[tokio::test]
async fn only_what_is_served_is_there() {
    let routes = |version: &str| format!("/apis/gateway.networking.k8s.io/{version}/namespaces/edge/tcproutes");
    for (served, expected) in
        [(vec!["v1"], [200, 404]), (vec!["v1alpha2"], [404, 200]), (vec!["v1", "v1alpha2"], [200, 200])]
    {
        let site = Site::start_with(Profile { routes: served, listener_sets: false, ..Profile::default() }).await;
        assert_eq!([site.get(&routes("v1")).await.0, site.get(&routes("v1alpha2")).await.0], expected);
        assert_eq!(site.get(SETS).await.0, 404);
        assert_eq!(site.get("/apis").await.0, 404, "it has no index");
    }
}

#[tokio::test]
async fn the_end_of_an_owner_is_the_end_of_what_it_owns() {
    let site = Site::start().await;
    let (_, owner) = site.post(SETS, &set("taskgate-p1000", 1000)).await;
    let reference = |uid: &Value| json!([{"apiVersion": "v1", "kind": "ListenerSet", "name": "x", "uid": uid}]);
    for (name, uid) in [("owned", &owner["metadata"]["uid"]), ("left", &json!("nobody"))] {
        let metadata = json!({"name": name, "ownerReferences": reference(uid)});
        site.post(SERVICES, &json!({"metadata": metadata, "spec": {"ports": [{"port": 80}]}})).await;
    }
    assert_eq!(site.cluster.names("services"), ["owned"]);
    site.ask(Method::DELETE, &format!("{SETS}/taskgate-p1000"), None).await;
    assert_eq!(site.cluster.names("services"), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_comes_in_pages_and_by_labels() {
    let site = Site::start().await;
    for number in 0..7 {
        let mut one = set(&format!("taskgate-p{number}"), 1000 + number);
        one["metadata"]["labels"] = json!({"odd": (number % 2).to_string()});
        site.post(SETS, &one).await;
    }
    let (_, first) = site.get(&format!("{SETS}?limit=4")).await;
    let token = first["metadata"]["continue"].as_str().unwrap().replace('/', "%2F");
    let (_, second) = site.get(&format!("{SETS}?limit=4&continue={token}")).await;
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), &second["metadata"]["continue"]), (4, 3, &json!(null)));
    let (_, odd) = site.get(&format!("{SETS}?labelSelector=odd%3D1")).await;
    assert_eq!(count(&odd), 3);
}

#[tokio::test]
async fn a_watch_tells_what_changes_and_what_is_too_old() {
    let site = Site::start().await;
    site.post(GATEWAYS, &gateway("tcp", &[listener("a", 1000)])).await;
    let (_, list) = site.get(GATEWAYS).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let watch = async |version: &str| {
        let url = format!(
            "{}{GATEWAYS}?watch=true&fieldSelector=metadata.name%3Dtcp&resourceVersion={version}&timeoutSeconds=30",
            site.cluster.url()
        );
        site.client.get(url).send().await.unwrap().bytes_stream()
    };
    let mut changes = watch(&version).await;
    site.post(GATEWAYS, &gateway("other", &[listener("a", 1000)])).await;
    site.cluster.delete("gateways", "edge", "tcp");
    let line = changes.next().await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((event["type"].as_str(), event["object"]["metadata"]["name"].as_str()), (Some("DELETED"), Some("tcp")));
    site.cluster.forget();
    let mut late = watch(&version).await;
    let event: Value = serde_json::from_slice(&late.next().await.unwrap().unwrap()).unwrap();
    assert_eq!((event["type"].as_str(), event["object"]["code"].as_u64()), (Some("ERROR"), Some(410)));
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn who_has_no_token_or_no_right_is_refused() {
    let site = Site::start_with(Profile { token: Some("t".into()), ..Profile::default() }).await;
    let (status, body) = site.get(GATEWAYS).await;
    assert_eq!((status, body["reason"].as_str()), (401, Some("Unauthorized")));
    let site = Site::start().await;
    site.cluster.allow(Some(Vec::new()));
    let (status, body) = site.get(GATEWAYS).await;
    assert_eq!((status, body["reason"].as_str()), (403, Some("Forbidden")));
}
