use super::*;

fn gateway() -> Document {
    Document::new(json!({
        "metadata": {"name": "edge", "generation": 3, "annotations": {"note": "of somebody else"}},
        "spec": {
            "gatewayClassName": "c",
            "unknown": {"kept": true},
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP"},
                {"name": "taskgate-20009", "port": 20009, "protocol": "TCP"},
            ],
        },
    }))
}

fn lease(port: u16, generation: u64) -> Lease {
    let holder = Holder::parse(&"12345678".repeat(4)).expect("a holder");
    Lease { port, holder, service: Label::parse(b"ae5cf6f5").expect("a label"), generation }
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

#[test]
fn a_port_is_held_then_rests_and_then_is_forgotten() {
    let mut document = gateway();
    document.hold(&lease(20_000, u64::MAX));
    document.hold(&lease(20_000, u64::MAX));
    assert_eq!(document.slots(), [Slot::Held(lease(20_000, u64::MAX))]);
    assert_eq!(document.ports(), [80, 20_009, 20_000]);
    document.rest(20_000, at(10));
    document.tidy(at(9));
    assert_eq!(document.slots(), [Slot::Resting { port: 20_000, until: at(10) }]);
    assert_eq!(document.ports(), [80, 20_009]);
    document.tidy(at(10));
    assert_eq!(document.as_value(), gateway().as_value(), "nothing is left, and nothing of others was touched");
}

#[test]
fn what_others_made_stays_even_where_it_is_called_like_ours() {
    let mut document = gateway();
    document.unlisten(20_009);
    document.unlisten(80);
    document.tidy(at(u64::MAX));
    assert_eq!(document.as_value(), gateway().as_value());
}

#[test]
fn the_last_listener_stays_until_there_is_another() {
    let mut document = gateway();
    document.hold(&lease(20_000, 1));
    document.0["spec"]["listeners"].as_array_mut().expect("a list").drain(..2);
    document.rest(20_000, at(10));
    document.tidy(at(11));
    assert_eq!((document.ports(), document.slots().len()), (vec![20_000], 1));
    document.hold(&lease(20_001, 2));
    document.tidy(at(11));
    assert_eq!(document.ports(), [20_001]);
    assert_eq!(document.slots(), [Slot::Held(lease(20_001, 2))]);
}

#[test]
fn notes_that_somebody_wrote_over_say_nothing() {
    for text in ["", "{}", "[]", r#"{"holder":"x","service":"a","generation":"1"}"#, r#"{"resting_until":-1}"#] {
        let mut document = gateway();
        document.0["metadata"]["annotations"]["taskgate/port-20009"] = json!(text);
        assert_eq!((document.slots(), document.slot(20_009)), (vec![], None), "{text}");
        document.unlisten(20_009);
        assert!(document.has_listener(20_009), "{text}");
    }
}

#[test]
fn a_limit_is_read_from_the_definition_or_from_a_refusal() {
    let schema = json!({"openAPIV3Schema": {"properties": {"spec": {"properties": {"listeners": {"maxItems": 128}}}}}});
    let definition = |name: &str, served: bool| {
        json!({"spec": {"versions": [
            {"name": "v1beta1", "served": true, "schema": {}},
            {"name": name, "served": served, "schema": schema},
        ]}})
    };
    assert_eq!(limit_of(&definition("v1", true)), Some(128));
    for other in [definition("v1", false), definition("v2", true), json!({}), json!(null)] {
        assert_eq!(limit_of(&other), None);
    }
    let text = "Gateway.gateway.networking.k8s.io \"edge\" is invalid: spec.listeners: Too many: 65: must have at most \
                64 items";
    assert_eq!(limit_of_refusal(text), Some(64));
    assert_eq!(limit_of_refusal("spec.addresses: Too many: 17: must have at most 16 items"), None);
}

#[test]
fn sets_are_taken_where_the_gateway_says_so() {
    let takes = |allowed: &Value| {
        let mut document = gateway();
        document.0["spec"]["allowedListeners"] = allowed.clone();
        document.takes_sets()
    };
    assert!(takes(&json!({"namespaces": {"from": "Same"}})) && takes(&json!({"namespaces": {"from": "All"}})));
    for closed in [json!(null), json!({}), json!({"namespaces": {}}), json!({"namespaces": {"from": "None"}})] {
        assert!(!takes(&closed), "{closed}");
    }
}

#[test]
fn ports_are_tried_from_one_that_is_the_holders_own() {
    let range = PortRange::new(20_000, 20_003).expect("a range");
    let from = |digit: &str| {
        let holder = Holder::parse(&digit.repeat(32)).expect("a holder");
        ports(range, &holder).collect::<Vec<_>>()
    };
    assert_eq!(from("0"), [20_000, 20_001, 20_002, 20_003]);
    assert_eq!(from("5"), [20_001, 20_002, 20_003, 20_000], "0x55555555 is 1 more than a multiple of 4");
    let one = PortRange::new(1025, 1025).expect("a range");
    assert_eq!(ports(one, &Holder::parse(&"f".repeat(32)).expect("a holder")).collect::<Vec<_>>(), [1025]);
}
