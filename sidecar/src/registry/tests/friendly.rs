//! Friendly names: whose they are, and for how long.

use std::time::Duration;

use taskgate_core::visitor::OWN_PROVIDER;

use super::*;
use crate::discovery::own::data_key;
use crate::registry::holders::{NotReleased, Remembered};
use crate::registry::names::rules::NameRules;

const DAY: Duration = Duration::from_hours(24);

/// A registry whose clock the test turns.
struct Stage {
    registry: Registry,
    clock: Arc<ManualClock>,
}

impl Stage {
    fn new(providers: &[&str]) -> Self {
        let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
        let control = ControlState::new(GateConfig::for_domain("a.b"), keys, Digest::of(b""));
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
        let feed = Arc::new(Feed::new(7, control.control()));
        let registry = Registry::new(feed, Arc::<ManualClock>::clone(&clock), Arc::new(Metrics::new()));
        registry.expect_providers(providers);
        Self { registry, clock }
    }

    fn publish(&self, services: &[Entry]) {
        publish(&self.registry, "file", services);
    }

    fn at(&self, name: &str) -> Option<String> {
        operation_at(&self.registry, name)
    }

    fn problems(&self) -> String {
        problems(&self.registry)
    }
}

fn of(owner: Option<&str>, operation: &str, names: &[&str]) -> Entry {
    let mut entry = entry(operation, "ui");
    entry.policy.owner = owner.map(ToOwned::to_owned);
    entry.names = names.iter().map(|name| (*name).to_owned()).collect();
    entry
}

fn alices(operation: &str, names: &[&str]) -> Entry {
    of(Some("alice"), operation, names)
}

fn bobs(operation: &str, names: &[&str]) -> Entry {
    of(Some("bob"), operation, names)
}

#[test]
fn a_name_leads_to_who_claimed_it() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("op1", &["ollama", "notes"]), bobs("op2", &[])]);
    assert_eq!((stage.at("ollama").as_deref(), stage.at("notes").as_deref()), (Some("op1"), Some("op1")));
    // The id stays what it is.
    assert_eq!(stage.at(&short("op1")).as_deref(), Some("op1"));
    assert_eq!(stage.problems(), "");
}

#[test]
fn a_name_is_kept_for_its_owner_and_then_free() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("op1", &["ollama"])]);
    stage.publish(&[bobs("op2", &["ollama"])]);
    assert_eq!(stage.at("ollama"), None);
    let problem = stage.problems();
    assert!(problem.contains("`ollama` is kept for another owner until 2027-02-14; `ollama-"), "{problem}");
    assert!(!problem.contains("alice"), "{problem}");
    // The name that is suggested is free.
    let suggested = problem.rsplit('`').nth(1).expect("a suggestion").to_owned();
    stage.publish(&[bobs("op2", &["ollama", &suggested])]);
    assert_eq!(stage.at(&suggested).as_deref(), Some("op2"));
    // A workload of hers that comes back to it, or another one of hers, has it at once.
    stage.clock.advance(29 * DAY);
    stage.publish(&[alices("op3", &["ollama"]), bobs("op2", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("op3"));
    assert!(stage.problems().contains("`ollama` is another owner's"), "{}", stage.problems());
    // The time counts anew, and ends without anything else happening.
    stage.publish(&[bobs("op2", &["ollama"])]);
    stage.clock.advance(29 * DAY);
    let look = || stage.registry.apply([(Arc::from("file"), Report::Confirmed)].into());
    look();
    assert_eq!(stage.at("ollama"), None);
    stage.clock.advance(DAY);
    look();
    assert_eq!((stage.at("ollama").as_deref(), stage.problems().as_str()), (Some("op2"), ""));
}

#[test]
fn of_one_owners_workloads_the_last_to_claim_it_has_it() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("b", &["ollama"])]);
    stage.publish(&[alices("a", &["ollama"]), alices("b", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("a"));
    assert!(
        stage.problems().contains("operation b: friendly name `ollama` is that of service ui"),
        "{}",
        stage.problems()
    );
    stage.publish(&[alices("a", &["ollama"]), alices("b", &["ollama"]), alices("c", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("c"));
    // When it ends, the one before it has it again.
    stage.publish(&[alices("a", &["ollama"]), alices("b", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("a"));
    // All new at once: whatever the order that they come in.
    for order in [["y", "x"], ["x", "y"]] {
        let fresh = Stage::new(&["file"]);
        fresh.publish(&order.map(|operation| alices(operation, &["ollama"])));
        assert_eq!(fresh.at("ollama").as_deref(), Some("x"));
    }
}

#[test]
fn a_changed_owner_does_not_inherit_a_name() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("op", &["ollama"])]);
    stage.publish(&[bobs("op", &["ollama"])]);
    assert_eq!(stage.at("ollama"), None);
    assert!(stage.problems().contains("is kept for another owner"), "{}", stage.problems());
    assert_eq!(stage.registry.release_name("ollama"), Ok(()));
    assert_eq!(stage.at("ollama").as_deref(), Some("op"));
}

#[test]
fn an_operator_releases_what_is_kept_and_nothing_else() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("op1", &["ollama"]), bobs("op2", &["ollama"])]);
    assert_eq!(stage.registry.release_name("ollama"), Err(NotReleased::InForce));
    assert_eq!(stage.registry.release_name("other"), Err(NotReleased::Unknown));
    assert_eq!(stage.registry.release_name("no name"), Err(NotReleased::Unknown));
    stage.publish(&[bobs("op2", &["ollama"])]);
    let listed = stage.registry.friendly_names();
    assert_eq!((listed[0].name.as_str(), listed[0].owner.as_deref()), ("ollama", Some("alice")));
    assert!(listed[0].kept_until.is_some() && listed[0].operation == "op1", "{listed:?}");
    assert_eq!(stage.registry.release_name("ollama"), Ok(()));
    assert_eq!(stage.at("ollama").as_deref(), Some("op2"));
}

#[test]
fn a_workload_that_nobody_owns_has_names_for_itself() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[of(None, "op1", &["ollama"])]);
    stage.publish(&[of(None, "op2", &["ollama"])]);
    assert_eq!(stage.at("ollama"), None);
    stage.publish(&[of(None, "op1", &["ollama"]), of(None, "op2", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("op1"));
    // A person called like a workload is somebody else.
    let other = Stage::new(&["file"]);
    other.publish(&[of(None, "alice", &["ollama"])]);
    other.publish(&[alices("op", &["ollama"])]);
    assert_eq!(other.at("ollama"), None);
}

#[test]
fn what_nobody_gets_is_refused_with_a_suggestion() {
    let stage = Stage::new(&[OWN_PROVIDER, "file"]);
    stage.registry.reserve(Label::parse(b"data").expect("a label"), data_key());
    let mut rules = NameRules::default();
    rules.reserved.insert("grafana".into());
    stage.registry.set_name_rules(rules);
    let long = "a".repeat(64);
    let names = ["data", "grafana", "www", "Ollama", "my_app", "deadbeef", &long];
    stage.publish(&[alices("op", &names)]);
    for (name, reason) in [
        ("data", "is reserved; `data-"),
        ("grafana", "is reserved; `grafana-"),
        ("www", "is reserved; `www-"),
        ("Ollama", "has upper case; `ollama` would do"),
        ("my_app", "has a character other than a-z, 0-9 and inner `-`; `my-app` would do"),
        ("deadbeef", "is like an id; `deadbeef-"),
        (&long, "is longer than 63 bytes; `aaaa"),
    ] {
        let problem = format!("friendly name `{name}` {reason}");
        assert!(stage.problems().contains(&problem), "{problem} is not in\n{}", stage.problems());
        assert_eq!(stage.at(name), None, "{name}");
    }
    assert!(stage.registry.reserved_names().iter().any(|name| name == "data"));
    // What was wanted in vain is held for nobody.
    assert_eq!(stage.registry.friendly_names(), []);
}

#[test]
fn aliases_and_names_keep_out_of_each_others_way() {
    let stage = Stage::new(&["file"]);
    let aliased = |operation: &str| Entry { alias: Some("app".into()), ..alices(operation, &[]) };
    // New at the same time: an alias is the platform's own.
    stage.publish(&[bobs("a", &["app-web-ui"]), aliased("b")]);
    assert_eq!(stage.at("app-web-ui").as_deref(), Some("b"));
    assert!(stage.problems().contains("`app-web-ui` is an alias of another service"), "{}", stage.problems());
    // Who has it keeps it, and so does whom it is kept for.
    let other = Stage::new(&["file"]);
    other.publish(&[bobs("a", &["app-web-ui"])]);
    other.publish(&[bobs("a", &["app-web-ui"]), aliased("b")]);
    assert_eq!(other.at("app-web-ui").as_deref(), Some("a"));
    assert!(other.problems().contains("label `app-web-ui` is another owner's"), "{}", other.problems());
    other.publish(&[aliased("b")]);
    assert_eq!(other.at("app-web-ui"), None);
    assert!(other.problems().contains("`app-web-ui` is kept for another owner"), "{}", other.problems());
}

#[test]
fn one_owner_has_so_many_names_and_no_more() {
    let stage = Stage::new(&["file"]);
    let many = |from: usize, to: usize| -> Vec<Entry> {
        (from..to).map(|number| alices(&format!("op{number}"), &[format!("n{number}").as_str()])).collect()
    };
    stage.publish(&many(10, 30));
    let mut more = many(10, 31);
    more.push(bobs("other", &["mine"]));
    stage.publish(&more);
    assert_eq!((stage.at("n29").as_deref(), stage.at("n30")), (Some("op29"), None));
    assert!(stage.problems().contains("its owner has 20 names"), "{}", stage.problems());
    // Nobody else is the worse for it.
    assert_eq!(stage.at("mine").as_deref(), Some("other"));
    // Of those that are kept, the one that was left first goes.
    stage.publish(&many(11, 30));
    stage.clock.advance(DAY);
    stage.publish(&many(12, 31));
    assert_eq!(stage.at("n30").as_deref(), Some("op30"));
    let names: Vec<String> = stage.registry.friendly_names().into_iter().map(|one| one.name).collect();
    assert!(!names.contains(&"n10".to_owned()) && names.contains(&"n11".to_owned()), "{names:?}");
}

#[test]
fn labels_of_a_service_are_bounded() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("op", &["a", "b", "c", "d", "e", "f", "g", "h", "i", "a"])]);
    assert_eq!(stage.registry.services()[0].labels.len(), 8);
    assert!(stage.problems().contains("more than 8 labels; `i` is left out"), "{}", stage.problems());
    assert_eq!(stage.at("i"), None);
}

#[test]
fn what_is_remembered_counts_after_a_start() {
    let before = Stage::new(&["file", "other"]);
    before.publish(&[alices("b", &["ollama"]), alices("z", &["notes"])]);
    publish(&before.registry, "other", &[]);
    before.publish(&[alices("b", &["ollama"])]);
    let remembered = before.registry.remembered();
    assert_eq!(remembered.friendly.len(), 2);

    let after = Stage::new(&["file", "other"]);
    after.clock.advance(10 * DAY);
    assert_eq!(after.registry.restore(remembered.clone()), 0);
    // Nothing is let go before every provider has been heard, and nobody gets in between.
    publish(&after.registry, "other", &[bobs("x", &["ollama", "notes"])]);
    assert_eq!((after.at("ollama"), after.at("notes")), (None, None));
    // One of hers that is as old does not count as newer.
    after.publish(&[alices("a", &["ollama"]), alices("b", &["ollama"])]);
    assert_eq!(after.at("ollama").as_deref(), Some("b"));
    // The days before the start count.
    after.clock.advance(20 * DAY);
    after.registry.apply([(Arc::from("file"), Report::Confirmed)].into());
    assert_eq!(after.at("notes").as_deref(), Some("x"));

    // A name whose workload ended while nobody looked is kept from the start on.
    let late = Stage::new(&["file", "other"]);
    late.clock.advance(90 * DAY);
    late.registry.restore(Remembered { ids: Vec::new(), ..remembered });
    publish(&late.registry, "other", &[bobs("x", &["ollama"])]);
    late.publish(&[]);
    assert_eq!(late.at("ollama"), None);
    assert!(late.problems().contains("is kept for another owner"), "{}", late.problems());
}

#[test]
fn names_that_a_platform_gives_are_not_friendly_ones() {
    let stage = Stage::new(&["file"]);
    let given = "zzzzz-dz642-000000000000000-8080";
    stage.publish(&[alices("op", &[given, "ollama"])]);
    assert_eq!((stage.at(given).as_deref(), stage.at("ollama").as_deref()), (Some("op"), Some("op")));
    assert_eq!(stage.registry.friendly_names().len(), 1);
    // They end with the workload.
    stage.publish(&[bobs("op2", &[given])]);
    assert_eq!(stage.at(given).as_deref(), Some("op2"));
}

#[test]
fn patching_and_naming_agree_on_owners() {
    let stage = Stage::new(&["file"]);
    stage.publish(&[alices("a", &["ollama"]), bobs("b", &["ollama"])]);
    // Endpoints alone: the names stay.
    let mut moved = alices("a", &["ollama"]);
    moved.endpoints[0].address.set_port(99);
    stage.publish(&[moved, bobs("b", &["ollama"])]);
    assert_eq!(stage.at("ollama").as_deref(), Some("a"));
    // Another owner or another name: they don't.
    stage.publish(&[of(Some("carol"), "a", &["ollama"]), bobs("b", &["ollama"])]);
    assert_eq!(stage.at("ollama"), None);
    stage.publish(&[alices("a", &["other"]), bobs("b", &[])]);
    assert_eq!((stage.at("ollama"), stage.at("other").as_deref()), (None, Some("a")));
}
