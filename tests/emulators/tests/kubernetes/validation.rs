use serde_json::json;
use taskgate_emulators::kubernetes::Profile;

use super::{GATEWAYS, SERVICES, SETS, Site, gateway, listener};

#[tokio::test]
async fn a_gateway_has_1_to_64_listeners() {
    let site = Site::start().await;
    let listeners: Vec<_> = (0..65).map(|number| listener(&format!("l{number}"), 1_000 + number)).collect();
    assert_eq!(site.post(GATEWAYS, &gateway("full", &listeners[..64])).await.0, 201);
    let (status, message) = site.refused(GATEWAYS, &gateway("tcp", &listeners)).await;
    let expected = "Gateway.gateway.networking.k8s.io \"tcp\" is invalid: spec.listeners: Too many: 65: must have at most \
                    64 items";
    assert_eq!((status, message.as_str()), (422, expected));
    assert_eq!(site.refused(GATEWAYS, &gateway("tcp", &[])).await.0, 422);
    let raised = Site::start_with(Profile { max_listeners: 128, ..Profile::default() }).await;
    assert_eq!(raised.post(GATEWAYS, &gateway("tcp", &listeners)).await.0, 201);
    let (status, definition) =
        raised.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.gateway.networking.k8s.io").await;
    let limit =
        definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/listeners/maxItems");
    assert_eq!((status, limit), (200, Some(&json!(128))));
}

#[tokio::test]
async fn what_breaks_a_rule_of_listeners_is_refused_with_its_words() {
    let site = Site::start().await;
    let with_tls = json!({"name": "a", "port": 1000, "protocol": "TCP", "tls": {"mode": "Terminate"}});
    let with_name = json!({"name": "a", "port": 1000, "protocol": "TCP", "hostname": "x.example.test"});
    let cases = [
        (
            vec![listener("a", 1000), listener("b", 1000)],
            "Combination of port, protocol and hostname must be unique for each listener",
        ),
        (vec![listener("a", 1000), listener("a", 1001)], "Listener name must be unique within the Gateway"),
        (vec![listener("a", 70_000)], "should be less than or equal to 65535"),
        (vec![listener("a", 0)], "should be greater than or equal to 1"),
        (vec![with_tls], "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"),
        (vec![with_name], "hostname must not be specified for protocols ['TCP', 'UDP']"),
        (vec![json!({"name": "a", "port": "1000", "protocol": "TCP"})], "must be of type integer: \"string\""),
        (vec![json!({"port": 1000, "protocol": "TCP"})], "spec.listeners[0].name: Required value"),
    ];
    for (listeners, expected) in cases {
        let (status, message) = site.refused(GATEWAYS, &gateway("tcp", &listeners)).await;
        assert!(status == 422 && message.contains(expected), "{status} {message}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_filled_in_and_what_is_unknown_is_dropped() {
    let site = Site::start().await;
    let mut sent = gateway("tcp", &[listener("a", 1000)]);
    sent["spec"]["unheardOf"] = json!(1);
    sent["status"] = json!({"conditions": []});
    let (status, kept) = site.post(GATEWAYS, &sent).await;
    assert_eq!(status, 201);
    assert_eq!(kept["spec"]["listeners"][0]["allowedRoutes"], json!({"namespaces": {"from": "Same"}}));
    assert_eq!((&kept["spec"]["unheardOf"], &kept["status"]), (&json!(null), &json!(null)));
    assert_eq!(kept["metadata"]["generation"], 1);
    let body = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let (_, service) = site.post(SERVICES, &body).await;
    assert_eq!(service["spec"]["ports"][0], json!({"port": 80, "protocol": "TCP", "targetPort": 80}));
}

#[tokio::test]
async fn endpoints_are_where_a_node_takes_nothing_for_itself() {
    let site = Site::start().await;
    let slices = "/apis/discovery.k8s.io/v1/namespaces/edge/endpointslices";
    let slice = |name: &str, family: &str, address: &str| {
        json!({
            "metadata": {"name": name}, "addressType": family,
            "endpoints": [{"addresses": [address]}], "ports": [{"name": "tcp", "port": 1}],
        })
    };
    assert_eq!(site.post(slices, &slice("a", "IPv4", "10.0.0.1")).await.0, 201);
    assert_eq!(site.post(slices, &slice("b", "IPv6", "fd00::1")).await.0, 201);
    let wrong = [
        ("IPv4", "127.0.0.1"),
        ("IPv4", "169.254.0.1"),
        ("IPv4", "fd00::1"),
        ("IPv6", "::1"),
        ("IPv4", "x"),
        ("X", "10.0.0.1"),
    ];
    for (family, address) in wrong {
        assert_eq!(site.refused(slices, &slice("c", family, address)).await.0, 422, "{family} {address}");
    }
}

#[tokio::test]
async fn names_and_labels_are_those_that_objects_may_have() {
    let site = Site::start().await;
    for name in ["", "A", "a_b", "-a", "a-", &"a".repeat(254)] {
        assert_eq!(site.refused(GATEWAYS, &gateway(name, &[listener("a", 1000)])).await.0, 422, "{name}");
    }
    for (label, value) in [("taskgate/holder", "-x"), ("taskgate/holder", "a/b"), ("a/b/c", "x")] {
        let mut sent = super::set("taskgate-p1", 1000);
        sent["metadata"]["labels"] = json!({label: value});
        assert_eq!(site.refused(SETS, &sent).await.0, 422, "{label} {value}");
    }
}
