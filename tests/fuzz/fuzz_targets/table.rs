//! Any changes of a small table: it is what a plain map would be.
//!
//! That no two services have one label is the publisher's business; a label that was disputed may lead
//! to either or to none, until the publisher sends everything anew.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use taskgate_core::feed::FeedPage;
use taskgate_core::service::{PackedRow, Service};
use taskgate_core::table::Table;
use taskgate_fuzz::{START, service};

/// Ids and labels are of one small set, so that they meet.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Arbitrary, Debug)]
struct Page {
    reset: bool,
    more: bool,
    /// Id, labels, port. A page says how a row is now: the last word on an id counts.
    upserts: Vec<(u8, u8, u16)>,
    removals: Vec<u8>,
}

fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}

/// The labels that the bits stand for.
fn labels(bits: u8) -> Vec<&'static str> {
    NAMES.iter().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1).map(|(_, name)| *name).collect()
}

fn row(id: &'static str, bits: u8, port: u16) -> PackedRow {
    let mut row = Service { id, labels: labels(bits), ..service(0) };
    row.endpoints.iter_mut().for_each(|endpoint| endpoint.address.set_port(port.max(1)));
    row.pack().expect("a valid row")
}

fn has(row: &PackedRow, label: &str) -> bool {
    row.service().is_ok_and(|service| service.labels.contains(&label))
}

fuzz_target!(|pages: Vec<Page>| {
    let mut table = Table::new(1);
    let mut model: BTreeMap<&str, (PackedRow, u32)> = BTreeMap::new();
    let (mut epoch, mut number, mut generation) = (0, 0, 0);
    let mut sweeping = false;
    let mut disputed: BTreeSet<&str> = BTreeSet::new();
    for page in pages.iter().take(32) {
        if page.reset {
            (epoch, number, generation, sweeping) = (epoch + 1, 0, generation + 1, true);
            disputed.clear();
        }
        let rows: BTreeMap<&str, PackedRow> =
            page.upserts.iter().map(|(id, bits, port)| (name(*id), row(name(*id), *bits, *port))).collect();
        let removals: Vec<&str> = page.removals.iter().map(|id| name(*id)).collect();
        for id in &removals {
            model.remove(id);
        }
        for (id, row) in &rows {
            model.insert(id, (row.clone(), generation));
        }
        if !page.more && std::mem::take(&mut sweeping) {
            model.retain(|_, (_, of)| *of == generation);
        }
        let upserts = rows.values().map(PackedRow::as_bytes).collect();
        let feed = FeedPage {
            epoch,
            from: number,
            to: number + 1,
            last: number + 1,
            reset: page.reset,
            complete: !page.more,
            upserts,
            removals,
            control: None,
        };
        table.apply(&feed, START).expect("continues");
        number += 1;

        assert_eq!(table.len(), model.len());
        for (id, (row, _)) in &model {
            assert_eq!(table.row(id), Some(row), "an id leads to its own row");
        }
        for label in NAMES {
            let published = model.iter().filter(|(_, (_, of))| !sweeping || *of == generation);
            let holders: Vec<&PackedRow> =
                published.filter(|(id, (row, _))| **id == label || has(row, label)).map(|(_, (row, _))| row).collect();
            match holders[..] {
                [] => {}
                // Half-way through a new table the old one still counts.
                [only] if !sweeping && !disputed.contains(label) => {
                    assert_eq!(table.row(label), Some(only), "{label} leads to its only holder")
                }
                [_] => {}
                _ => {
                    disputed.insert(label);
                }
            }
            if let Some(found) = table.service(label) {
                assert!(found.id == label || found.labels.contains(&label), "{label} leads to a row that has it");
            }
        }
    }
});
