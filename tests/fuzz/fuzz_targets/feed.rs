//! Any bytes as a page, a row, an answer, a question or a part of a mirror: they are read or refused,
//! and whatever was applied, every row that is there is found by its id.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taskgate_core::feed::{FeedPage, sum_of};
use taskgate_core::mirror::{MirrorAge, MirrorControl, MirrorPart};
use taskgate_core::service::PackedRow;
use taskgate_core::table::PARTS;
use taskgate_core::verdict::{VerdictAnswer, VerdictQuery};
use taskgate_fuzz::{START, gate};

fuzz_target!(|data: &[u8]| {
    if let Ok(row) = PackedRow::parse(data) {
        assert!(row.service().is_ok_and(|service| service.pack().is_ok()));
    }
    if let Some(query) = VerdictQuery::decode(data) {
        assert_eq!(VerdictQuery::decode(&query.encode()), Some(query));
    }
    let _ = VerdictAnswer::read(data);
    let _ = MirrorPart::decode("key", data);
    let _ = MirrorControl::decode("key", data);
    let _ = MirrorAge::decode(data).map(|age| age.age(START));
    // Nobody guesses the sum at the end.
    let summed = [data, &sum_of(data)].concat();
    let Ok(page) = FeedPage::decode(data).or_else(|_| FeedPage::decode(&summed)) else { return };
    let encoded = page.encode().expect("encodes");
    assert_eq!(FeedPage::decode(&encoded).as_ref(), Ok(&page));
    let mut gate = gate();
    let _ = gate.apply(page, START);
    let table = gate.table();
    let rows: Vec<&PackedRow> = (0..PARTS).flat_map(|part| table.part(part)).collect();
    assert_eq!(rows.len(), table.len());
    for row in rows {
        let service = row.service().expect("a row that was kept");
        assert_eq!(table.service(service.id).expect("is found").id, service.id);
        for label in &service.labels {
            if let Some(found) = table.service(label) {
                assert!(found.id == *label || found.labels.contains(label), "{label} leads to {}", found.id);
            }
        }
    }
});
