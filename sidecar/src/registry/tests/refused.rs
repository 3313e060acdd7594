//! Endpoints that nobody may have.

use super::*;
use crate::registry::refused::RefusedEndpoint;

fn at(operation: &str, address: SocketAddr) -> Entry {
    Entry { endpoints: vec![Endpoint { address, weight: 1 }], ..entry(operation, "ui") }
}

#[test]
fn what_operators_refuse_goes_when_they_say_so_and_comes_back() {
    let registry = registry(&["file"]);
    let admin = SocketAddr::from(([127, 0, 0, 1], 9901));
    publish(&registry, "file", &[at("admin", admin), at("good", ([10, 0, 0, 1], 9901).into())]);
    assert_eq!(registry.services().len(), 2);
    registry.refuse_more(vec![RefusedEndpoint::parse(":9901").expect("a port")]);
    assert_eq!(registry.services().len(), 1);
    assert!(problems(&registry).contains("127.0.0.1:9901 is refused by"), "{}", problems(&registry));
    registry.refuse_more(Vec::new());
    assert_eq!(registry.services().len(), 2);
}

#[test]
fn a_listener_at_all_addresses_is_the_sidecar_at_those_of_the_machine() {
    let registry = registry(&["file"]);
    registry.refuse_endpoints(vec![([0, 0, 0, 0], 7011).into()]);
    // Addresses for documents are nobody's, those of loopback everybody's.
    publish(&registry, "file", &[at("own", ([127, 9, 9, 9], 7011).into()), at("job", ([192, 0, 2, 1], 7011).into())]);
    assert_eq!(registry.services().len(), 1);
    assert!(problems(&registry).contains("127.9.9.9:7011 is the sidecar itself"), "{}", problems(&registry));
}
