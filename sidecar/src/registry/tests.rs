mod friendly;
mod ids;
mod own;
mod refused;

use std::collections::HashMap;

use taskgate_core::config::GateConfig;
use taskgate_core::feed::Cursor;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::naming::ServiceDigest;
use taskgate_core::service::{AccessLevel, Endpoint};

use super::*;
use crate::clock::ManualClock;
use crate::digest::Digest;
use crate::discovery::inventory::tests::entry as example;
use crate::discovery::inventory::{Claim, Claims, Entry, Inventory, ServiceKey};
use crate::discovery::policy::{Grantee, Level};
use crate::feed::{Ask, ControlState};

fn registry(providers: &[&str]) -> Registry {
    let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
    let control = ControlState::new(GateConfig::for_domain("a.b"), keys, Digest::of(b""));
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_000)));
    let registry = Registry::new(Arc::new(Feed::new(7, control.control())), clock, Arc::new(Metrics::new()));
    registry.expect_providers(providers);
    registry
}

fn entry(operation: &str, service: &str) -> Entry {
    let endpoints = vec![Endpoint { address: ([10, 0, 0, 1], 80).into(), weight: 1 }];
    Entry { endpoints, ..example(operation, "web", service) }
}

fn publish(registry: &Registry, provider: &str, services: &[Entry]) {
    publish_with(registry, provider, services, &[]);
}

/// The same, of a provider that knows which ids other sidecars gave.
fn publish_with(registry: &Registry, provider: &str, services: &[Entry], claims: &[Claim]) {
    let services = services.iter().cloned().map(Arc::new).collect();
    let inventory = Inventory { services, claims: Claims::new(claims.to_vec(), true), ..Inventory::default() };
    registry.apply([(Arc::from(provider), Report::Sees(inventory))].into());
}

fn id(registry: &Registry, operation: &str, service: &str) -> String {
    let services = registry.services();
    let found = services.iter().find(|one| one.entry.key.operation == operation && one.entry.key.service == service);
    found.map(|one| one.id.to_string()).unwrap_or_default()
}

fn operation_at(registry: &Registry, label: &str) -> Option<String> {
    registry.service(label).map(|service| service.entry.key.operation.clone())
}

fn problems(registry: &Registry) -> String {
    registry
        .providers()
        .iter()
        .flat_map(|one| &one.problems)
        .map(|one| format!("{}: {}\n", one.subject, one.reason))
        .collect()
}

fn short(operation: &str) -> String {
    ServiceDigest::of(operation, "web", "ui").suffix(8).expect("an id").to_string()
}

/// Two operations whose services want the same short id; found by searching, as anybody could.
fn colliding() -> (String, String) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for number in 0_u32.. {
        let operation = format!("op{number}");
        if let Some(other) = seen.insert(short(&operation), operation.clone()) {
            return if other < operation { (other, operation) } else { (operation, other) };
        }
    }
    unreachable!("32 bits collide")
}

#[test]
fn who_was_first_keeps_the_short_id() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    publish(&registry, "file", &[entry(&high, "ui")]);
    publish(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")]);
    assert_eq!(id(&registry, &high, "ui"), short(&high));
    assert_eq!(id(&registry, &low, "ui").len(), 16);
    let expected = format!(
        "service ui of task web of operation {low}: the short id `{}` of `ui` is that of service ui of task web of \
         operation {high}; it is reached as `{}`\n",
        short(&high),
        id(&registry, &low, "ui")
    );
    assert_eq!(problems(&registry), expected);
    // Also through an absence: nobody inherits the links of a service that restarts.
    publish(&registry, "file", &[entry(&low, "ui")]);
    assert_eq!((operation_at(&registry, &short(&high)), id(&registry, &low, "ui").len()), (None, 16));
    publish(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")]);
    assert_eq!(operation_at(&registry, &short(&high)), Some(high));
}

#[test]
fn a_fresh_start_names_in_the_order_of_names() {
    let (low, high) = colliding();
    for services in [[entry(&low, "ui"), entry(&high, "ui")], [entry(&high, "ui"), entry(&low, "ui")]] {
        let registry = registry(&["file"]);
        publish(&registry, "file", &services);
        assert_eq!(operation_at(&registry, &short(&low)), Some(low.clone()));
        assert_eq!(id(&registry, &high, "ui").len(), 16);
    }
}

#[test]
fn other_names_and_aliases_are_labels() {
    let registry = registry(&["file"]);
    let mut service = entry("op", "port_0");
    service.alternatives = vec!["port0".into()];
    service.alias = Some("app".into());
    publish(&registry, "file", &[service]);
    let canonical = ServiceDigest::of("op", "web", "port_0").suffix(8).expect("an id");
    let other = ServiceDigest::of("op", "web", "port0").suffix(8).expect("an id");
    for label in [canonical.as_str(), other.as_str(), "app-web-port_0", "app-web-port0"] {
        let found = registry.service(label).expect("a service");
        assert_eq!(found.id, canonical, "{label}");
    }
    let row = registry.services()[0].row.clone();
    let row = row.service().expect("a row");
    assert_eq!((row.services, row.labels.len()), (vec!["port_0", "port0"], 3));
    assert_eq!(problems(&registry), "");
}

#[test]
fn an_alias_stays_with_who_has_it() {
    let registry = registry(&["file"]);
    let aliased = |operation: &str| Entry { alias: Some("app".into()), ..entry(operation, "ui") };
    publish(&registry, "file", &[aliased("b")]);
    publish(&registry, "file", &[aliased("a"), aliased("b")]);
    assert_eq!(operation_at(&registry, "app-web-ui").as_deref(), Some("b"));
    assert!(problems(&registry).contains("operation a: label `app-web-ui`"), "{}", problems(&registry));
    // The loser is still reached by its id, and gets the label when it is given up.
    assert_eq!(operation_at(&registry, &short("a")).as_deref(), Some("a"));
    publish(&registry, "file", &[aliased("a"), entry("b", "ui")]);
    assert_eq!(operation_at(&registry, "app-web-ui").as_deref(), Some("a"));
    assert_eq!(problems(&registry), "");
}

#[test]
fn an_alias_that_makes_no_label_is_reported_and_costs_no_more() {
    let registry = registry(&["file"]);
    publish(&registry, "file", &[Entry { alias: Some("a b".into()), ..entry("op", "ui") }]);
    assert!(problems(&registry).contains("alias `a b` makes no host label"), "{}", problems(&registry));
    assert_eq!(operation_at(&registry, &short("op")).as_deref(), Some("op"));
}

#[test]
fn the_first_provider_counts_and_the_second_steps_in() {
    let registry = registry(&["one", "two"]);
    let at = |port: u16| {
        let endpoints = vec![Endpoint { address: ([10, 0, 0, 1], port).into(), weight: 1 }];
        Entry { endpoints, ..entry("op", "ui") }
    };
    let port = |registry: &Registry| registry.services().first().map(|one| one.entry.endpoints[0].address.port());
    publish(&registry, "two", &[at(2)]);
    assert_eq!(port(&registry), Some(2));
    assert_eq!(registry.waits_for().into_keys().collect::<Vec<_>>(), ["one"]);
    publish(&registry, "one", &[at(1)]);
    assert_eq!(port(&registry), Some(1));
    assert!(problems(&registry).contains("published twice"), "{}", problems(&registry));
    registry.apply([(Arc::from("one"), Report::Failed("down".into()))].into());
    assert_eq!((port(&registry), registry.waits_for().len()), (Some(1), 0));
    registry.apply([(Arc::from("one"), Report::Gone)].into());
    assert_eq!(port(&registry), Some(2));
}

#[test]
fn a_service_that_can_not_be_published_costs_itself_alone() {
    let registry = registry(&["file"]);
    let bad =
        Entry { endpoints: vec![Endpoint { address: ([0, 0, 0, 0], 80).into(), weight: 1 }], ..entry("bad", "ui") };
    let mut own = entry("own", "ui");
    own.endpoints[0].address = ([127, 0, 0, 2], 7010).into();
    registry.refuse_endpoints(vec![([127, 0, 0, 1], 7010).into()]);
    publish(&registry, "file", &[bad, own, entry("good", "ui")]);
    assert_eq!(registry.services().len(), 1);
    let problems = problems(&registry);
    assert!(problems.contains("operation bad: endpoint is not a unicast address"), "{problems}");
    assert!(problems.contains("operation own: endpoint 127.0.0.2:7010 is the sidecar itself"), "{problems}");
}

#[test]
fn nobody_hides_the_naming_problems_of_others() {
    let registry = registry(&["file"]);
    let aliased = |operation: &str, service: &str| Entry { alias: Some("a b".into()), ..entry(operation, service) };
    let mut services: Vec<Entry> = (0..2_000).map(|number| aliased("a", &format!("s{number}"))).collect();
    services.push(aliased("b", "u\u{1b}[2Ji"));
    services.push(aliased("c", "ui"));
    publish(&registry, "file", &services);
    let problems = problems(&registry);
    assert!(problems.lines().count() < 100, "{problems}");
    assert!(problems.contains("operation c: alias") && problems.contains("service u[2Ji of task web"), "{problems}");
}

#[test]
fn a_partial_inventory_takes_nothing_away_and_settles_nothing() {
    let registry = registry(&["file"]);
    let partial = |services: &[Entry]| {
        let services = services.iter().cloned().map(Arc::new).collect();
        let inventory = Inventory { services, partial: Some("blind".into()), ..Inventory::default() };
        registry.apply([(Arc::from("file"), Report::Sees(inventory))].into());
    };
    let names = || -> Vec<String> { registry.services().iter().map(|one| one.entry.key.operation.clone()).collect() };
    partial(&[entry("b", "ui")]);
    assert_eq!(names(), ["b"]);
    assert_eq!(registry.waits_for().into_values().collect::<Vec<_>>(), ["blind"]);
    assert_eq!(registry.providers()[0].last_success, None);
    publish(&registry, "file", &[entry("a", "ui"), entry("b", "ui"), entry("c", "ui")]);
    assert_eq!((names().len(), registry.waits_for().len()), (3, 0));
    partial(&[entry("b", "ui"), entry("d", "ui")]);
    assert_eq!(names(), ["a", "b", "c", "d"]);
    publish(&registry, "file", &[entry("d", "ui")]);
    assert_eq!(names(), ["d"]);
}

#[test]
fn unchanged_rows_get_no_number_and_a_changed_policy_is_another_epoch() {
    let registry = registry(&["file"]);
    publish(&registry, "file", &[entry("a", "ui"), entry("b", "ui")]);
    let number = |registry: &Registry| registry.metrics.table_number.get();
    let (before, epoch) = (number(&registry), registry.service(&short("a")).expect("a service").epoch);
    publish(&registry, "file", &[entry("a", "ui"), entry("b", "ui")]);
    // The last number of a settled feed; publishing the same again moved nothing.
    let settled = Cursor { epoch: 7, number: u64::try_from(before).expect("fits") + 1, began: 0 };
    let ask = Ask { cursor: settled, control: 1 };
    assert_eq!(registry.feed.page(ask).expect("no error"), None);
    let mut granted = entry("a", "ui");
    granted.policy.grants.push((Grantee::Actor("bob".into()), Level::CanRead));
    publish(&registry, "file", &[granted, entry("b", "ui")]);
    assert_ne!(registry.service(&short("a")).expect("a service").epoch, epoch);
    assert_eq!(number(&registry), before + 2);
}

#[test]
fn metrics_follow_the_table() {
    let registry = registry(&["file"]);
    let grpc = Entry { protocol: Protocol::Grpc, ..entry("b", "ui") };
    publish(&registry, "file", &[entry("a", "ui"), grpc]);
    let text = registry.metrics.text().expect("text");
    for line in [
        "taskgate_services{provider=\"file\",protocol=\"grpc\"} 1",
        "taskgate_discovery_last_success_timestamp_seconds{provider=\"file\"} 1.0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    publish(&registry, "file", &[]);
    let text = registry.metrics.text().expect("text");
    assert!(text.contains("taskgate_services{provider=\"file\",protocol=\"grpc\"} 0"), "{text}");
}

#[test]
fn patching_comes_to_the_same_as_starting_anew() {
    let mut services: Vec<Entry> = (0..200).map(|number| entry(&format!("op{number}"), "ui")).collect();
    let patched = registry(&["file"]);
    publish(&patched, "file", &services);
    let bytes = |registry: &Registry| {
        let rows: Vec<_> = registry.services().iter().map(|service| service.row.clone()).collect();
        let labels: Vec<_> = registry
            .services()
            .iter()
            .filter_map(|service| registry.service(service.id.as_str()))
            .map(|service| service.row.clone())
            .collect();
        (rows, labels)
    };
    let steps: [fn(&mut Vec<Entry>); 8] = [
        |all| all[3].endpoints[0].address.set_port(99),
        |all| all[4].policy.access = AccessLevel::Nobody,
        |all| all[5].protocol = Protocol::WebSocket,
        |all| all[6].endpoints[0].address.set_port(0),
        |all| all[6].endpoints[0].address.set_port(7),
        |all| all[7].alias = Some("app".into()),
        |all| drop(all.remove(8)),
        |all| all.reverse(),
    ];
    for (index, step) in steps.into_iter().enumerate() {
        step(&mut services);
        publish(&patched, "file", &services);
        let anew = registry(&["file"]);
        publish(&anew, "file", &services);
        assert_eq!(bytes(&patched), bytes(&anew), "step {index}");
        assert_eq!(problems(&patched), problems(&anew), "step {index}");
        let count = |registry: &Registry| {
            let text = registry.metrics.text().expect("text");
            let lines = text.lines().filter(|line| line.starts_with("taskgate_services{") && !line.ends_with(" 0"));
            let mut lines: Vec<String> = lines.map(ToOwned::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(count(&patched), count(&anew), "step {index}");
    }
}

#[test]
fn of_two_entries_of_one_service_the_first_counts_whichever_changes() {
    let registry = registry(&["file"]);
    let at = |port| {
        let mut entry = entry("op", "ui");
        entry.endpoints[0].address.set_port(port);
        entry
    };
    let between = || entry("op", "vi");
    for ports in [[1, 2], [1, 3], [4, 3], [5, 6]] {
        // Told in the order of names, and in another one.
        for services in [[at(ports[0]), at(ports[1]), between()], [between(), at(ports[0]), at(ports[1])]] {
            publish(&registry, "file", &services);
            let found: Vec<u16> = registry
                .services()
                .iter()
                .filter(|service| service.entry.key.service == "ui")
                .map(|service| service.entry.endpoints[0].address.port())
                .collect();
            assert_eq!(found, [ports[0]]);
        }
    }
}

#[test]
fn a_preferred_service_that_becomes_valid_takes_over() {
    let registry = registry(&["one", "two"]);
    let at = |port: u16| {
        let endpoints = vec![Endpoint { address: ([10, 0, 0, 1], port).into(), weight: 1 }];
        Entry { endpoints, ..entry("op", "ui") }
    };
    registry.refuse_endpoints(vec![([10, 0, 0, 1], 7010).into()]);
    publish(&registry, "one", &[at(7010)]);
    publish(&registry, "two", &[at(2)]);
    let provider = || registry.services().first().map(|service| service.provider.to_string());
    assert_eq!(provider().as_deref(), Some("two"));
    publish(&registry, "one", &[at(1)]);
    assert_eq!(provider().as_deref(), Some("one"));
    publish(&registry, "one", &[at(7010)]);
    assert_eq!(provider().as_deref(), Some("two"));
}
