use k8s_openapi::api::core::v1::{Container, PodSpec, PodStatus};

use super::*;

fn containers(names: &[&str]) -> Vec<Container> {
    names.iter().map(|name| Container { name: (*name).into(), ..Container::default() }).collect()
}

fn pod(names: &[&str]) -> Pod {
    let spec =
        PodSpec { containers: containers(names), init_containers: Some(containers(&["init"])), ..PodSpec::default() };
    Pod { spec: Some(spec), ..Pod::default() }
}

#[test]
fn a_container_is_one_of_the_pods() {
    let pod = |annotation: Option<&str>| {
        let mut pod = pod(&["a", "b"]);
        let annotation = annotation.map(|name| [(DEFAULT_CONTAINER.to_owned(), name.to_owned())].into());
        pod.metadata.annotations = annotation;
        pod
    };
    for (annotation, wanted, found) in [
        (None, Some("b"), Some("b")),
        (None, Some("init"), Some("init")),
        (None, Some("c"), None),
        (None, Some(""), None),
        (None, None, Some("a")),
        (Some("b"), None, Some("b")),
        (Some("b"), Some("a"), Some("a")),
        (Some("gone"), None, Some("a")),
    ] {
        assert_eq!(container(&pod(annotation), wanted).as_deref(), found, "{annotation:?} {wanted:?}");
    }
    assert_eq!(container(&self::pod(&[]), None), None);
    assert_eq!(container(&Pod::default(), None), None);
}

#[test]
fn a_pod_that_runs_is_followed_and_no_other() {
    for phase in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
        let status = PodStatus { phase: Some(phase.into()), ..PodStatus::default() };
        assert_eq!(is_running(&Pod { status: Some(status), ..Pod::default() }), phase == "Running", "{phase}");
    }
    assert!(!is_running(&Pod::default()));
}

#[test]
fn names_are_those_that_kubernetes_gives() {
    let holds = |namespace: &str, pod: &str| {
        let source = PodSource { namespace: namespace.into(), pod: pod.into(), container: None, started_at: None };
        PodPlace::of(&source).is_some()
    };
    for name in ["a", "a-1", "1", "a.b-c.d", &"a".repeat(253)] {
        assert!(holds("p-d", name), "{name}");
    }
    for name in
        ["", ".", "..", "a..b", "../x", "a/b", "a%2fb", "a?b", "a#b", "A", "a_b", "-a", "a-", "a.-b", "ü", "a b", "a\n"]
    {
        assert!(!holds("p-d", name), "{name:?}");
        assert!(!holds(name, "pod"), "{name:?}");
    }
    assert!(!holds("p-d", &"a".repeat(254)) && !holds(&"a".repeat(64), "pod") && !holds("a.b", "pod"));
}

#[test]
fn what_is_written_in_the_second_of_a_start_is_read() {
    let date = start("2026-01-02T03:04:05.900Z").expect("a date");
    assert_eq!(date.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(start("2026-01-02T05:04:05+02:00").expect("a date"), date);
    assert!(matches!(start("yesterday"), Err(DataError::Internal(_))));
}
