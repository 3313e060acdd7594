//! Any sequence of changes, and readers that begin at any time: each comes to the end, and has what there is.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use taskgate_core::feed::Cursor;
use taskgate_core::table::PARTS;

use super::*;

/// How many removals are remembered: few, so that many are forgotten.
const REMEMBERED: usize = 40;
/// Ids are of so few that they come again; so many that they fill some pages.
const IDS: u32 = 400;
/// More pages than anybody needs who begins anew once, at the end.
const ENOUGH: usize = 2 * (IDS as usize + REMEMBERED).div_ceil(PAGE_ROWS) + 4;

#[derive(Clone, Debug)]
enum Step {
    Put(Range<u32>, u16),
    Remove(Range<u32>),
    Begin,
    /// As one that finds a mirror of an earlier time.
    Resume,
    Read(usize),
    /// One that is as far as it can be is mirrored.
    Mirror(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let ids = || (0..IDS, 1..170_u32).prop_map(|(first, count)| first..(first + count).min(IDS));
    prop_oneof![
        3 => (ids(), 1..9_u16).prop_map(|(ids, port)| Step::Put(ids, port)),
        3 => ids().prop_map(Step::Remove),
        2 => Just(Step::Begin),
        1 => Just(Step::Resume),
        12 => any::<usize>().prop_map(Step::Read),
        1 => any::<usize>().prop_map(Step::Mirror),
    ]
}

struct Scene {
    feed: Feed,
    /// What there is: ids and their ports.
    services: BTreeMap<u32, u16>,
    removals: usize,
    /// With the number of removals before each began.
    readers: Vec<(Reader, usize)>,
    mirrored: Option<(Vec<Vec<u8>>, Cursor)>,
}

impl Scene {
    fn new() -> Self {
        let feed = Feed::with(EPOCH, control().control(), Log::new(REMEMBERED));
        feed.settle();
        Self { feed, services: BTreeMap::new(), removals: 0, readers: Vec::new(), mirrored: None }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Put(ids, port) => {
                let upserts: Vec<Upsert> = ids.clone().map(|id| upsert(id, port)).collect();
                self.services.extend(ids.map(|id| (id, port)));
                self.feed.publish(&upserts, &[]);
            }
            Step::Remove(ids) => {
                let gone: Vec<_> =
                    ids.filter_map(|id| self.services.remove(&id).map(|port| service(id, port))).collect();
                self.removals += gone.len();
                self.feed.publish(&[], &gone);
            }
            Step::Begin => self.readers.push((Reader::new(), self.removals)),
            Step::Resume => {
                let Some((rows, cursor)) = &self.mirrored else { return };
                let mut reader = Reader::new();
                reader.table.restore(rows.iter().map(Vec::as_slice), *cursor, UnixTime::from_millis(1), true);
                self.readers.push((reader, self.removals));
            }
            Step::Read(which) => {
                let Some(nth) = which.checked_rem(self.readers.len()) else { return };
                let reader = &mut self.readers[nth].0;
                if let Some(page) = self.feed.page(reader.ask()).expect("a page") {
                    reader.take(&page.bytes);
                }
            }
            Step::Mirror(which) => {
                let Some(nth) = which.checked_rem(self.readers.len()) else { return };
                let table = &self.readers[nth].0.table;
                if table.is_complete() && !table.is_sweeping() {
                    let rows = (0..PARTS).flat_map(|part| table.part(part)).map(|row| row.as_bytes().to_vec());
                    self.mirrored = Some((rows.collect(), Cursor { began: 0, ..table.cursor() }));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_reader_comes_to_the_end_and_has_what_there_is(steps in prop::collection::vec(step(), 1..80)) {
        let mut scene = Scene::new();
        scene.readers.push((Reader::new(), 0));
        for step in steps {
            scene.take(step);
        }
        let Scene { feed, services, removals, readers, .. } = scene;
        for (mut reader, before) in readers {
            let pages = reader.pages;
            while let Some(page) = feed.page(reader.ask()).expect("a page") {
                reader.take(&page.bytes);
                prop_assert!(reader.pages - pages <= ENOUGH, "it does not end");
            }
            prop_assert!(reader.table.is_complete() && !reader.table.is_sweeping());
            let known = services.keys().map(|id| (*id, reader.port(&format!("{id:08x}")).unwrap_or_default()));
            prop_assert_eq!(known.collect::<BTreeMap<_, _>>(), services.clone());
            prop_assert_eq!(reader.table.len(), services.len());
            // It begins anew once for each time that more than is remembered went meanwhile.
            prop_assert!(reader.resets <= 1 + (removals - before) / (REMEMBERED + 1), "{} times", reader.resets);
        }
    }
}
