//! The sidecar's own service: its label is its own, and it alone is the sidecar itself.

use taskgate_core::label::Label;
use taskgate_core::visitor::OWN_PROVIDER;

use super::*;
use crate::discovery::own::{data_entry, data_key};

const LISTENER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7012);

fn with_own(label: &str) -> Registry {
    let registry = registry(&[OWN_PROVIDER, "file"]);
    registry.reserve(Label::parse(label.as_bytes()).expect("a label"), data_key());
    registry.refuse_endpoints(vec![LISTENER]);
    registry
}

#[test]
fn it_has_its_label_and_may_be_the_sidecar_itself() {
    let registry = with_own("data");
    publish(&registry, OWN_PROVIDER, &[data_entry(&[LISTENER])]);
    let job = Entry { endpoints: vec![Endpoint { address: LISTENER, weight: 1 }], ..entry("op", "ui") };
    publish(&registry, "file", &[job]);
    assert_eq!(operation_at(&registry, "data"), Some("taskgate".into()));
    assert_eq!(registry.services().len(), 1);
    assert!(problems(&registry).contains("is the sidecar itself"), "{}", problems(&registry));
}

#[test]
fn nobody_waits_for_it_to_be_looked_at_again() {
    let registry = with_own("data");
    publish(&registry, OWN_PROVIDER, &[data_entry(&[LISTENER])]);
    publish(&registry, "file", &[entry("op", "ui")]);
    let text = registry.metrics.text().expect("metrics");
    let looked: Vec<&str> = text.lines().filter(|line| line.contains("last_success_timestamp_seconds{")).collect();
    assert!(looked.len() == 1 && looked[0].contains("provider=\"file\""), "{looked:?}");
}

#[test]
fn nobody_else_gets_its_label_or_its_names() {
    // Whoever was there first.
    let registry = with_own("alice-web-ui");
    let alias = |operation: &str| Entry { alias: Some("alice".into()), ..entry(operation, "ui") };
    publish(&registry, "file", &[alias("op"), Entry { key: Arc::new(data_key()), ..entry("op", "ui") }]);
    assert_eq!(operation_at(&registry, "alice-web-ui"), None);
    assert!(problems(&registry).contains("label `alice-web-ui` is that of"), "{}", problems(&registry));
    publish(&registry, OWN_PROVIDER, &[data_entry(&[LISTENER])]);
    assert_eq!(operation_at(&registry, "alice-web-ui"), Some("taskgate".into()));
    let own = registry.service("alice-web-ui").expect("is there");
    assert_eq!(&*own.provider, OWN_PROVIDER);
    assert!(problems(&registry).contains("names of the sidecar's own service"), "{}", problems(&registry));
}
