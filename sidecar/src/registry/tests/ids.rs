//! Ids that were remembered, or given by others.

use taskgate_core::feed::FeedPage;
use taskgate_core::label::Label;
use taskgate_core::table::Table;

use super::*;
use crate::registry::holders::Remembered;
use crate::registry::names::NamedId;

/// How many ids of services that went are kept.
const MAX_DEPARTED: usize = 100_000;

fn key(operation: &str) -> ServiceKey {
    ServiceKey { operation: operation.into(), task: "web".into(), service: "ui".into() }
}

fn suffix(operation: &str, digits: usize) -> String {
    ServiceDigest::of(operation, "web", "ui").suffix(digits).expect("an id").to_string()
}

fn claim(operation: &str, id: &str) -> Claim {
    Claim { key: key(operation), id: Label::parse(id.as_bytes()).expect("a label") }
}

fn named(operation: &str, id: &str) -> NamedId {
    NamedId::new(id, Arc::new(key(operation))).expect("an id of it")
}

fn ids(registry: &Registry, operations: [&str; 2]) -> [String; 2] {
    operations.map(|operation| id(registry, operation, "ui"))
}

fn of(ids: Vec<NamedId>) -> Remembered {
    Remembered { ids, ..Remembered::default() }
}

fn remembered(registry: &Registry) -> Vec<(String, String)> {
    registry.remembered().ids.iter().map(|one| (one.id().to_string(), one.key().operation.clone())).collect()
}

/// The next page for a table, taken; how many rows it changed and removed. None where there is none.
fn follow(registry: &Registry, table: &mut Table) -> Option<(usize, usize)> {
    let ask = Ask { cursor: table.cursor(), control: 1 };
    let page = registry.feed.page(ask).expect("encodes")?;
    let page = FeedPage::decode(&page.bytes).expect("a page");
    table.apply(&page, UnixTime::from_millis(1_000)).expect("continues");
    Some((page.upserts.len(), page.removals.len()))
}

fn names_in(table: &Table, label: &str) -> Option<String> {
    table.service(label).map(|service| service.operation.to_owned())
}

#[test]
fn a_claim_swaps_ids_at_once() {
    let (low, high) = colliding();
    let (low, high) = (low.as_str(), high.as_str());
    let both = [entry(low, "ui"), entry(high, "ui")];
    let registry = registry(&["file"]);
    publish(&registry, "file", &both);
    let mut table = Table::new(1);
    follow(&registry, &mut table).expect("a page");
    assert_eq!(ids(&registry, [low, high]), [short(low), suffix(high, 16)]);
    assert_eq!(names_in(&table, &short(low)).as_deref(), Some(low));

    publish_with(&registry, "file", &both, &[claim(high, &short(high))]);
    assert_eq!(ids(&registry, [low, high]), [suffix(low, 16), short(high)]);
    // The row under the short id is another service's now; the other's long id is gone.
    assert_eq!(follow(&registry, &mut table), Some((2, 1)));
    assert_eq!(names_in(&table, &short(high)).as_deref(), Some(high));
    assert_eq!(names_in(&table, &suffix(low, 16)).as_deref(), Some(low));
    assert_eq!(names_in(&table, &suffix(high, 16)), None);
    assert_eq!(operation_at(&registry, &short(high)).as_deref(), Some(high));
    assert_eq!(operation_at(&registry, &suffix(high, 16)), None);
    let epoch = |label: &str| table.service(label).map(|service| service.epoch);
    assert_ne!(epoch(&short(high)), epoch(&suffix(low, 16)), "policies are equal");

    // Once more, and without the claim: nothing moves.
    publish_with(&registry, "file", &both, &[claim(high, &short(high))]);
    publish(&registry, "file", &both);
    assert_eq!(follow(&registry, &mut table), None);
}

#[test]
fn a_claim_of_a_longer_id_frees_the_short_one() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    publish(&registry, "file", &[entry(&low, "ui")]);
    publish_with(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")], &[claim(&low, &suffix(&low, 32))]);
    assert_eq!(ids(&registry, [&low, &high]), [suffix(&low, 32), short(&high)]);
}

#[test]
fn a_service_that_is_not_here_keeps_what_it_was_given_elsewhere() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    publish_with(&registry, "file", &[entry(&low, "ui")], &[claim(&high, &short(&high))]);
    assert_eq!(ids(&registry, [&low, &high]), [suffix(&low, 16), String::new()]);
    publish(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")]);
    assert_eq!(ids(&registry, [&low, &high]), [suffix(&low, 16), short(&high)]);
}

#[test]
fn claims_that_are_not_true_change_nothing() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    let both = [entry(&low, "ui"), entry(&high, "ui")];
    let wrong = [claim(&high, &suffix(&low, 16)), claim(&high, "my-app"), claim(&high, &suffix(&high, 12))];
    publish_with(&registry, "file", &both, &wrong);
    assert_eq!(ids(&registry, [&low, &high]), [short(&low), suffix(&high, 16)]);
    let problems = problems(&registry);
    assert!(problems.contains(&format!("operation {high}: `my-app` is claimed for it")), "{problems}");
    // Also of services that are not here.
    publish_with(&registry, "file", &both, &[claim("elsewhere", "my-app")]);
    let problems = super::problems(&registry);
    assert!(problems.contains("operation elsewhere: `my-app` is claimed for it"), "{problems}");
}

#[test]
fn of_claims_that_contradict_each_other_the_same_ones_count_everywhere() {
    let (low, high) = colliding();
    let mut claims = vec![claim(&high, &short(&high)), claim(&low, &short(&low)), claim(&low, &suffix(&low, 32))];
    for _ in 0..3 {
        claims.rotate_left(1);
        let registry = registry(&["file"]);
        publish(&registry, "file", &[entry(&high, "ui")]);
        publish_with(&registry, "file", &[entry(&high, "ui"), entry(&low, "ui")], &claims);
        assert_eq!(ids(&registry, [&low, &high]), [short(&low), suffix(&high, 16)]);
    }
}

#[test]
fn a_claim_comes_with_services_that_only_moved() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    let mut both = [entry(&low, "ui"), entry(&high, "ui")];
    publish(&registry, "file", &both);
    both[0].endpoints[0].address.set_port(81);
    publish_with(&registry, "file", &both, &[claim(&high, &short(&high))]);
    assert_eq!(ids(&registry, [&low, &high]), [suffix(&low, 16), short(&high)]);
    let port = registry.service(&suffix(&low, 16)).map(|service| service.entry.endpoints[0].address.port());
    assert_eq!(port, Some(81));
}

#[test]
fn remembered_ids_count_before_the_order_of_names() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    assert_eq!(registry.restore(of(vec![named(&high, &short(&high))])), 0);
    let changes = registry.follow_names();
    publish(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")]);
    assert_eq!(ids(&registry, [&low, &high]), [suffix(&low, 16), short(&high)]);
    assert!(changes.has_changed().expect("is followed"));
    // One id, two names: the first of the list has it. One name, two ids: the same.
    let other = super::registry(&["file"]);
    let doubled = vec![named(&low, &short(&low)), named(&high, &short(&high)), named(&low, &suffix(&low, 16))];
    assert_eq!(other.restore(of(doubled)), 2);
    assert_eq!(remembered(&other), [(short(&low), low)]);
}

#[test]
fn only_true_ids_of_real_names_are_remembered() {
    let key = |operation: &str| Arc::new(key(operation));
    assert!(NamedId::new(&suffix("op", 16), key("op")).is_some());
    for id in ["", "ae5cf6f5", "my-app", &suffix("op", 8).to_uppercase(), &suffix("op", 9), &suffix("op", 63)] {
        assert_eq!(NamedId::new(id, key("op")), None, "{id}");
    }
    for operation in [String::new(), "a\nb".to_owned(), "a".repeat(257)] {
        assert_eq!(NamedId::new(&suffix(&operation, 8), key(&operation)), None, "{operation}");
    }
}

#[test]
fn what_can_not_be_published_gets_no_id() {
    let registry = registry(&["file"]);
    let changes = registry.follow_names();
    let mut other = entry("op", "ui");
    other.alternatives = vec!["port0".into(), "a".repeat(257)];
    publish(&registry, "file", &[entry(&"a".repeat(257), "ui"), entry("op", &"a".repeat(257)), other]);
    assert!(!changes.has_changed().expect("is followed"));
    assert_eq!(problems(&registry).matches("is empty, too long or has control characters").count(), 3);
    // Another's bad name takes nothing away.
    let alternative = Entry { alternatives: vec!["ui".into()], ..entry("op", "web") };
    publish(&registry, "file", &[entry("op", "ui"), alternative, entry("op", "a\nb")]);
    assert_eq!(remembered(&registry).len(), 2);
    assert_eq!(operation_at(&registry, &short("op")).as_deref(), Some("op"));
}

#[test]
fn who_went_first_is_forgotten_first() {
    let registry = registry(&["file"]);
    for operations in [&["b", "a", "d", "c"][..], &["b", "a", "c"], &["a", "c"], &["c"]] {
        let services: Vec<Entry> = operations.iter().map(|operation| entry(operation, "ui")).collect();
        publish(&registry, "file", &services);
    }
    let order = |registry: &Registry| remembered(registry).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(order(&registry), ["d", "b", "a", "c"]);
    let next = super::registry(&["file"]);
    next.restore(registry.remembered());
    publish(&next, "file", &[entry("b", "ui"), entry("e", "ui")]);
    assert_eq!(order(&next), ["d", "a", "c", "b", "e"]);
}

#[test]
fn what_is_remembered_is_bounded_once_every_provider_has_published() {
    let registry = registry(&["one", "two"]);
    let many = (0..MAX_DEPARTED + 15).map(|number| format!("op{number}"));
    let many: Vec<NamedId> = many.map(|operation| named(&operation, &short(&operation))).collect();
    // Ten of them collide, two by two.
    assert_eq!(registry.restore(of(many)), 5);
    publish(&registry, "one", &[entry("new", "ui")]);
    // The other provider may have all of them.
    assert_eq!(registry.remembered().ids.len(), MAX_DEPARTED + 11);
    publish(&registry, "two", &[entry("op0", "ui"), entry("op7", "ui")]);
    let remembered: Vec<_> = remembered(&registry).into_iter().map(|(_, operation)| operation).collect();
    assert_eq!(remembered.len(), MAX_DEPARTED + 3);
    assert_eq!(
        (remembered[0].as_str(), &remembered[MAX_DEPARTED..]),
        ("op10", &["new", "op0", "op7"].map(String::from)[..])
    );
}

#[test]
fn collisions_are_counted() {
    let (low, high) = colliding();
    let registry = registry(&["file"]);
    let line = |count: u32| format!("taskgate_service_id_collisions{{provider=\"file\"}} {count}\n");
    let counted = |registry: &Registry, count: u32| registry.metrics.text().expect("text").contains(&line(count));
    publish(&registry, "file", &[entry(&high, "ui")]);
    assert!(counted(&registry, 0));
    publish(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")]);
    assert!(counted(&registry, 1));
    publish_with(&registry, "file", &[entry(&low, "ui"), entry(&high, "ui")], &[claim(&low, &short(&low))]);
    assert!(counted(&registry, 1));
    publish(&registry, "file", &[entry(&low, "ui")]);
    assert!(counted(&registry, 0));
}
