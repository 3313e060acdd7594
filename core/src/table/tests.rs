use core::net::SocketAddr;

use super::*;
use crate::service::tests::example;
use crate::service::{Endpoint, Service};

const NOW: UnixTime = UnixTime::from_millis(1_000);

fn row(id: &'static str, port: u16) -> Vec<u8> {
    let service = Service {
        id,
        labels: vec![],
        endpoints: vec![Endpoint { address: SocketAddr::from(([10, 0, 0, 1], port)), weight: 1 }],
        ..example()
    };
    service.pack().expect("a valid row").as_bytes().to_vec()
}

fn page<'a>(from: u64, to: u64, upserts: &'a [Vec<u8>], removals: &[&'a str]) -> FeedPage<'a> {
    FeedPage {
        epoch: 1,
        from,
        to,
        last: to,
        reset: from == 0,
        complete: true,
        upserts: upserts.iter().map(Vec::as_slice).collect(),
        removals: removals.to_vec(),
        control: None,
    }
}

fn port(table: &Table, label: &str) -> Option<u16> {
    table.service(label).map(|service| service.endpoints[0].address.port())
}

#[test]
fn follows_changes_and_removals() {
    let mut table = Table::new(1);
    assert!(!table.is_complete());
    table.apply(&page(0, 2, &[row("a1", 1), row("b2", 2)], &[]), NOW).expect("applies");
    assert!(table.is_complete());
    assert_eq!((port(&table, "a1"), port(&table, "b2"), table.len()), (Some(1), Some(2), 2));

    table.apply(&page(2, 4, &[row("a1", 9)], &["b2"]), NOW).expect("applies");
    assert_eq!((port(&table, "a1"), port(&table, "b2"), table.len()), (Some(9), None, 1));
    assert_eq!(table.cursor(), Cursor { epoch: 1, number: 4, began: 2 });
}

#[test]
fn refuses_a_page_that_does_not_continue() {
    let mut table = Table::new(1);
    table.apply(&page(0, 5, &[row("a1", 1)], &[]), NOW).expect("applies");
    assert_eq!(table.apply(&page(4, 6, &[], &["a1"]), NOW), Err(StalePage::Gap));
    assert_eq!(table.apply(&FeedPage { epoch: 2, ..page(5, 6, &[], &["a1"]) }, NOW), Err(StalePage::Gap));
    assert_eq!(table.apply(&FeedPage { reset: false, ..page(5, 4, &[], &["a1"]) }, NOW), Err(StalePage::Order));
    assert_eq!(port(&table, "a1"), Some(1));
}

#[test]
fn an_old_answer_that_comes_again_brings_nothing_back() {
    let mut table = Table::new(1);
    let first = [row("a1", 1), row("b2", 2)];
    table.apply(&page(0, 2, &first, &[]), NOW).expect("applies");
    table.apply(&page(2, 4, &[row("a1", 9)], &["b2"]), NOW).expect("applies");
    assert_eq!(table.apply(&page(0, 2, &first, &[]), NOW), Err(StalePage::Past));
    assert_eq!((port(&table, "a1"), port(&table, "b2")), (Some(9), None));
    // Starting anew within one life is fine, where it ends no earlier.
    table.apply(&page(0, 4, &[row("a1", 9)], &[]), NOW).expect("applies");
    assert_eq!((port(&table, "a1"), table.len()), (Some(9), 1));
    // Numbers of another life say nothing.
    table.apply(&FeedPage { epoch: 2, ..page(0, 1, &first, &[]) }, NOW).expect("applies");
    assert_eq!(port(&table, "b2"), Some(2));
}

#[test]
fn a_cursor_says_where_its_reader_began() {
    let mut table = Table::new(1);
    let rows = [row("a1", 1)];
    let first = FeedPage { last: 9, complete: false, ..page(0, 2, &rows, &[]) };
    table.apply(&first, NOW).expect("applies");
    assert_eq!(table.cursor(), Cursor { epoch: 1, number: 2, began: 9 });
    table.apply(&FeedPage { last: 12, ..page(2, 12, &[], &[]) }, NOW).expect("applies");
    assert_eq!(table.cursor(), Cursor { epoch: 1, number: 12, began: 9 });
    // What an old answer says of where it began would be wrong.
    assert_eq!(table.apply(&first, NOW), Err(StalePage::Past));
    table.apply(&FeedPage { last: 14, complete: false, ..page(0, 2, &rows, &[]) }, NOW).expect("applies");
    assert_eq!(table.cursor(), Cursor { epoch: 1, number: 2, began: 14 });
}

#[test]
fn a_new_epoch_replaces_everything_only_when_it_is_whole() {
    let mut table = Table::new(1);
    table.apply(&page(0, 50, &[row("a1", 1), row("b2", 2)], &[]), NOW).expect("applies");
    let rows = [row("a1", 7)];
    let first = FeedPage { epoch: 9, complete: false, ..page(0, 1, &rows, &[]) };
    table.apply(&first, NOW).expect("applies");
    assert_eq!((port(&table, "a1"), port(&table, "b2")), (Some(7), Some(2)), "nothing is lost half-way");
    let rows = [row("c3", 3)];
    let last = FeedPage { epoch: 9, reset: false, ..page(1, 2, &rows, &[]) };
    table.apply(&last, NOW).expect("applies");
    assert_eq!((port(&table, "a1"), port(&table, "b2"), port(&table, "c3")), (Some(7), None, Some(3)));
    assert_eq!(table.cursor(), Cursor { epoch: 9, number: 2, began: 1 });
}

#[test]
fn one_bad_row_costs_itself_alone() {
    let mut table = Table::new(1);
    let applied = table.apply(&page(0, 2, &[b"junk".to_vec(), row("a1", 1)], &[]), NOW).expect("applies");
    assert_eq!(applied, Applied { upserts: 1, removals: 0, invalid: 1 });
    assert_eq!(port(&table, "a1"), Some(1));
}

#[test]
fn an_alias_label_never_takes_another_services_id() {
    let mut table = Table::new(1);
    let thief = Service { id: "b2", labels: vec!["a1", "shared"], ..example() }.pack().expect("valid");
    table.apply(&page(0, 2, &[row("a1", 1), thief.as_bytes().to_vec()], &[]), NOW).expect("applies");
    assert_eq!(table.service("a1").map(|service| service.id.to_owned()), Some("a1".into()));
    assert_eq!(table.service("shared").map(|service| service.id.to_owned()), Some("b2".into()));
    // And in the other order: the id takes the label back.
    table.apply(&page(2, 3, &[row("shared", 5)], &[]), NOW).expect("applies");
    assert_eq!(table.service("shared").map(|service| service.id.to_owned()), Some("shared".into()));
    table.apply(&page(3, 4, &[], &["b2"]), NOW).expect("applies");
    assert_eq!(port(&table, "shared"), Some(5), "removing the old holder leaves the new one");
}

#[test]
fn a_label_is_not_an_id_to_remove_by() {
    let mut table = Table::new(1);
    let service = Service { id: "b2", labels: vec!["name"], ..example() }.pack().expect("valid");
    table.apply(&page(0, 1, &[service.as_bytes().to_vec()], &[]), NOW).expect("applies");
    table.apply(&page(1, 2, &[], &["name"]), NOW).expect("applies");
    assert!(table.service("b2").is_some());
}

#[test]
fn a_mirror_restores_the_table_and_the_feed_goes_on() {
    let mut table = Table::new(1);
    table.apply(&page(0, 2, &[row("a1", 1), row("b2", 2)], &[]), NOW).expect("applies");
    assert_eq!(table.dirty_parts(), u64::MAX, "a whole new table is mirrored whole");
    let mirrored: Vec<Vec<u8>> =
        (0..PARTS).flat_map(|part| table.part(part).map(|row| row.as_bytes().to_vec()).collect::<Vec<_>>()).collect();
    let mut other = Table::new(2);
    other.restore(mirrored.iter().map(Vec::as_slice), table.cursor(), NOW, true);
    assert_eq!((port(&other, "a1"), port(&other, "b2"), other.is_complete()), (Some(1), Some(2), true));
    let rows = [row("a1", 8)];
    other.apply(&page(2, 3, &rows, &[]), NOW).expect("applies");
    assert_eq!(port(&other, "a1"), Some(8));
    assert_eq!(other.dirty_parts(), 1 << part_of("a1"), "one changed row makes one part dirty");
}

#[test]
fn slots_are_reused() {
    let mut table = Table::new(1);
    table.apply(&page(0, 1, &[row("a1", 1)], &[]), NOW).expect("applies");
    for round in 1..100 {
        let rows = [row("a1", round)];
        table.apply(&page(u64::from(round), u64::from(round) + 1, &rows, &[]), NOW).expect("applies");
    }
    assert_eq!(table.len(), 1);
    assert!(table.rows.insert("a1", table.row("a1").expect("a row").clone()) < 2 * PARTS, "two slots at most");
}

#[test]
fn a_new_epoch_may_swap_id_and_label() {
    let packed = |id, label| {
        let service = Service { id, labels: vec![label], ..example() };
        service.pack().expect("valid").as_bytes().to_vec()
    };
    let mut table = Table::new(1);
    table.apply(&page(0, 1, &[packed("a1", "b2")], &[]), NOW).expect("applies");
    let rows = [packed("b2", "a1")];
    table.apply(&FeedPage { epoch: 2, ..page(0, 1, &rows, &[]) }, NOW).expect("applies");
    assert_eq!(table.service("a1").map(|service| service.id.to_owned()), Some("b2".into()));
    assert_eq!(table.service("b2").map(|service| service.id.to_owned()), Some("b2".into()));
}

#[test]
fn what_a_new_epoch_did_not_bring_is_gone_at_once_and_cleared_away_later() {
    let ids: Vec<&'static str> = vec!["a1", "b2", "c3", "d4"];
    let rows: Vec<Vec<u8>> = ids.iter().map(|id| row(id, 1)).collect();
    let mut table = Table::new(1);
    table.apply(&page(0, 4, &rows, &[]), NOW).expect("applies");
    table.apply(&FeedPage { epoch: 2, ..page(0, 1, &rows[..1], &[]) }, NOW).expect("applies");
    let known = |table: &Table| ids.iter().filter(|id| table.service(id).is_some()).count();
    let mirrored = |table: &Table| (0..PARTS).map(|part| table.part(part).count()).sum::<usize>();
    assert_eq!((known(&table), table.len(), mirrored(&table)), (1, 1, 1));
    // Nothing comes back while the next one is under way.
    table.apply(&FeedPage { epoch: 3, complete: false, ..page(0, 1, &[], &[]) }, NOW).expect("applies");
    assert_eq!((known(&table), table.len(), mirrored(&table)), (1, 1, 1));
    assert_eq!(table.rows.iter().count(), 1);
    assert!(table.rows.any(table.labels.get("b2").expect("not cleared yet")).is_some());
    while table.tidy() {}
    assert_eq!((table.labels.get("b2"), table.labels.get("a1").is_some(), table.len()), (None, true, 1));
    // One that is back while it was not cleared away is a service like any other.
    table.apply(&FeedPage { epoch: 3, reset: false, ..page(1, 2, &rows, &[]) }, NOW).expect("applies");
    table.apply(&FeedPage { epoch: 4, ..page(0, 1, &rows[..1], &[]) }, NOW).expect("applies");
    table.apply(&FeedPage { epoch: 4, ..page(1, 2, &rows[1..2], &[]) }, NOW).expect("applies");
    while table.tidy() {}
    assert_eq!((known(&table), table.len(), port(&table, "b2")), (2, 2, Some(1)));
}

#[test]
fn a_label_of_what_is_over_is_for_whoever_wants_it() {
    let wants = Service { id: "b2", labels: vec!["a1"], ..example() }.pack().expect("valid").as_bytes().to_vec();
    let mut table = Table::new(1);
    table.apply(&page(0, 1, &[row("a1", 1)], &[]), NOW).expect("applies");
    table.apply(&FeedPage { epoch: 2, ..page(0, 1, &[wants], &[]) }, NOW).expect("applies");
    let named = |table: &Table| table.service("a1").map(|service| service.id.to_owned());
    assert_eq!(named(&table), Some("b2".into()));
    while table.tidy() {}
    assert_eq!(named(&table), Some("b2".into()));
}
