use serde_json::{Value, json};

use super::*;

fn object(generation: i64, status: &Value) -> DynamicObject {
    let object = json!({"metadata": {"name": "taskgate-p20000", "generation": generation}, "status": status});
    serde_json::from_value(object).expect("an object")
}

fn condition(kind: &str, status: &str, generation: i64) -> Value {
    json!({"type": kind, "status": status, "reason": "Why", "message": "because", "observedGeneration": generation})
}

fn set(generation: i64, own: &[Value], listener: &[Value]) -> Progress {
    of_set(&object(generation, &json!({"conditions": own, "listeners": [{"name": "tcp", "conditions": listener}]})))
}

#[test]
fn a_set_listens_when_its_controller_says_so_of_what_it_is_now() {
    let good = [condition("Accepted", "True", 2), condition("Programmed", "True", 2)];
    assert_eq!(set(2, &good, &good), Progress::Ready);
    assert_eq!(of_set(&object(2, &json!({"conditions": good}))), Progress::Ready, "nothing is said of its listener");
    for stale in [set(3, &good, &good), set(2, &good[..1], &good), set(2, &[], &[])] {
        assert!(matches!(stale, Progress::Waiting(_)), "{stale:?}");
    }
    let unprogrammed = [condition("Accepted", "True", 2), condition("Programmed", "False", 2)];
    let Progress::Waiting(reason) = set(2, &good, &unprogrammed) else { panic!("it waits") };
    assert_eq!(reason, "its listener is not Programmed (Why: because)");
    for nothing in [json!(null), json!([]), json!({"conditions": "no"}), json!({"conditions": [{"type": 1}]})] {
        assert!(matches!(of_set(&object(1, &nothing)), Progress::Waiting(_)), "{nothing}");
    }
}

#[test]
fn a_set_that_another_one_is_in_the_way_of_is_conflicted() {
    let good = [condition("Accepted", "True", 2), condition("Programmed", "True", 2)];
    assert_eq!(set(2, &good, &[condition("Conflicted", "True", 2)]), Progress::Conflicted);
    assert_eq!(set(2, &[condition("Conflicted", "True", 2)], &good), Progress::Conflicted);
    let before = [&good[..], &[condition("Conflicted", "True", 1)]].concat();
    assert_eq!(set(2, &good, &before), Progress::Ready, "that was before");
}

#[test]
fn a_set_that_its_gateway_never_takes_is_refused_at_once() {
    let refused = json!({"type": "Accepted", "status": "False", "reason": "NotAllowed", "message": "no\nsets"});
    let Progress::Refused(reason) = set(1, &[refused], &[]) else { panic!("it is refused") };
    assert!(reason.contains("allowedListeners") && reason.ends_with("(NotAllowed: no sets)"), "{reason}");
}

#[test]
fn a_gateway_that_takes_no_more_is_full() {
    let full = json!({"type": "Accepted", "status": "False", "reason": "TooManyListeners", "message": "64"});
    assert_eq!(set(1, &[full], &[]), Progress::Full);
}

#[test]
fn a_listener_of_a_gateway_counts_since_it_is_in_it() {
    let good = [condition("Accepted", "True", 7), condition("Programmed", "True", 7)];
    let gateway = |conditions: &[Value]| {
        object(9, &json!({"listeners": [{"name": "http"}, {"name": "taskgate-20000", "conditions": conditions}]}))
    };
    let of = |conditions: &[Value], since| of_listener(&gateway(conditions), "taskgate-20000", Some(since));
    assert_eq!(of(&good, 7), Progress::Ready);
    assert!(matches!(of(&good, 8), Progress::Waiting(_)));
    assert_eq!(of(&[condition("Conflicted", "True", 7)], 7), Progress::Conflicted);
    assert!(matches!(of_listener(&gateway(&good), "taskgate-1", Some(7)), Progress::Waiting(_)));
}

#[test]
fn a_route_counts_at_its_own_parent() {
    let parent = ParentRef::new("ListenerSet", "taskgate-p20000", Some("tcp"));
    let route = |parent: Value, conditions: &[Value]| {
        let status = json!({"parents": [{"parentRef": parent, "conditions": conditions}]});
        of_route(&object(1, &status), &ParentRef::new("ListenerSet", "taskgate-p20000", Some("tcp")))
    };
    let ours = json!({"kind": "ListenerSet", "name": "taskgate-p20000", "sectionName": "tcp"});
    let accepted = condition("Accepted", "True", 1);
    assert_eq!(route(ours.clone(), std::slice::from_ref(&accepted)), Progress::Ready);
    let nowhere = [accepted.clone(), condition("ResolvedRefs", "False", 1)];
    assert!(matches!(route(ours.clone(), &nowhere), Progress::Waiting(reason) if reason.contains("leads nowhere")));
    for other in [json!({"name": "taskgate-p20000"}), json!({"kind": "ListenerSet", "name": "other"})] {
        assert!(matches!(route(other.clone(), std::slice::from_ref(&accepted)), Progress::Waiting(_)), "{other}");
    }
    // Two controllers: one does not take it.
    let both = json!({"parents": [
        {"parentRef": ours, "conditions": [condition("Accepted", "False", 1)]},
        {"parentRef": ours, "conditions": [accepted]},
    ]});
    assert_eq!(of_route(&object(1, &both), &parent), Progress::Ready);
}
