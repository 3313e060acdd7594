mod readers;

use std::net::SocketAddr;

use taskgate_core::config::GateConfig;
use taskgate_core::feed::{FeedPage, PAGE_ROWS};
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_core::table::Table;
use taskgate_core::time::UnixTime;

use super::log::MAX_TOMBSTONES;
use super::*;
use crate::digest::Digest;
use crate::discovery::inventory::{Entry, ServiceKey};
use crate::discovery::policy::Policy;

const EPOCH: u64 = 7;

fn control() -> ControlState {
    let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
    ControlState::new(GateConfig::for_domain("tasks.example.test"), keys, Digest::of(b""))
}

fn feed() -> Feed {
    Feed::new(EPOCH, control().control())
}

fn service(number: u32, port: u16) -> Arc<Published> {
    let key = ServiceKey { operation: format!("op{number}"), task: "t".into(), service: "s".into() };
    let entry = Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: vec![Endpoint { address: SocketAddr::from(([10, 0, 0, 1], port)), weight: 1 }],
        policy: Policy { access: AccessLevel::Public, owner: None, grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    };
    let id = Label::parse(format!("{number:08x}").as_bytes()).expect("a label");
    Arc::new(Published::new(id, Vec::new(), "file".into(), Arc::new(entry)).expect("a service"))
}

fn upsert(number: u32, port: u16) -> Upsert {
    Upsert { before: None, now: service(number, port) }
}

/// A reader as the filter has it.
struct Reader {
    table: Table,
    control: u64,
    pages: usize,
    resets: usize,
}

impl Reader {
    fn new() -> Self {
        Self { table: Table::new(1), control: 0, pages: 0, resets: 0 }
    }

    fn ask(&self) -> Ask {
        Ask { cursor: self.table.cursor(), control: self.control }
    }

    fn take(&mut self, bytes: &[u8]) -> (usize, usize, bool) {
        let page = FeedPage::decode(bytes).expect("a page");
        assert!(page.upserts.len() + page.removals.len() <= PAGE_ROWS);
        self.pages += 1;
        self.resets += usize::from(page.reset);
        if let Some(control) = &page.control {
            self.control = control.number;
        }
        self.table.apply(&page, UnixTime::from_millis(1)).expect("continues");
        (page.upserts.len(), page.removals.len(), page.complete)
    }

    /// Reads until there is nothing more.
    fn catch_up(&mut self, feed: &Feed) -> (usize, usize) {
        let mut sum = (0, 0);
        while let Some(page) = feed.page(self.ask()).expect("a page") {
            let (upserts, removals, _) = self.take(&page.bytes);
            sum = (sum.0 + upserts, sum.1 + removals);
        }
        sum
    }

    fn port(&self, id: &str) -> Option<u16> {
        self.table.service(id).map(|service| service.endpoints[0].address.port())
    }
}

#[test]
fn a_reader_gets_everything_and_then_only_changes() {
    let feed = feed();
    feed.publish(&[upsert(1, 1), upsert(2, 1), upsert(3, 1)], &[]);
    feed.settle();
    let mut reader = Reader::new();
    assert_eq!(reader.catch_up(&feed), (3, 0));
    assert!(reader.table.is_complete());
    assert_eq!((reader.table.len(), reader.control, reader.resets), (3, 1, 1));
    feed.publish(&[upsert(2, 99)], &[service(1, 1)]);
    assert_eq!(reader.catch_up(&feed), (1, 1));
    assert_eq!((reader.port("00000002"), reader.port("00000001"), reader.resets), (Some(99), None, 1));
    assert_eq!(feed.page(reader.ask()).expect("no error"), None);
}

#[test]
fn many_changes_of_one_row_are_one_change_for_a_late_reader() {
    let feed = feed();
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    for port in 1..=50 {
        feed.publish(&[upsert(1, port)], &[]);
    }
    feed.publish(&[], &[service(2, 1)]);
    assert_eq!(reader.catch_up(&feed), (1, 0));
    assert_eq!(reader.port("00000001"), Some(50));
}

#[test]
fn a_row_that_went_and_came_back_is_there() {
    let feed = feed();
    feed.publish(&[upsert(1, 1)], &[]);
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    feed.publish(&[], &[service(1, 1)]);
    feed.publish(&[upsert(1, 2)], &[]);
    assert_eq!(reader.catch_up(&feed), (1, 0));
    assert_eq!(reader.port("00000001"), Some(2));
}

#[test]
fn another_life_starts_anew_and_drops_what_is_gone() {
    let before = feed();
    before.publish(&[upsert(1, 1), upsert(2, 1)], &[]);
    before.settle();
    let mut reader = Reader::new();
    reader.catch_up(&before);
    let after = Feed::new(EPOCH + 1, control().control());
    after.publish(&[upsert(2, 5)], &[]);
    // Not every provider has published yet: what the reader has stays in force.
    reader.catch_up(&after);
    assert_eq!((reader.port("00000001"), reader.port("00000002")), (Some(1), Some(5)));
    after.settle();
    reader.catch_up(&after);
    assert_eq!((reader.port("00000001"), reader.port("00000002"), reader.resets), (None, Some(5), 2));
}

#[test]
fn a_reader_from_before_what_is_remembered_starts_anew() {
    let feed = feed();
    feed.publish(&[upsert(1, 1)], &[]);
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    let late = reader.ask();
    let many: Vec<Upsert> = (0..=MAX_TOMBSTONES).map(|n| upsert(10 + u32::try_from(n).expect("fits"), 1)).collect();
    let gone: Vec<_> = many.iter().map(|upsert| Arc::clone(&upsert.now)).collect();
    feed.publish(&many, &[]);
    feed.publish(&[], &gone);
    let page = feed.page(late).expect("no error").expect("news");
    assert!(page.reset);
    reader.catch_up(&feed);
    assert_eq!((reader.table.len(), reader.port("00000001")), (1, Some(1)));
}

#[test]
fn a_new_reader_comes_to_the_end_whatever_is_forgotten() {
    const REMEMBERED: u32 = 500;
    let feed = Feed::with(EPOCH, control().control(), Log::new(REMEMBERED as usize));
    let old: Vec<Upsert> = (0..1_000).map(|number| upsert(number, 1)).collect();
    feed.publish(&old, &[]);
    feed.settle();
    let come_and_go = |numbers: std::ops::Range<u32>| {
        let many: Vec<Upsert> = numbers.map(|number| upsert(number, 1)).collect();
        feed.publish(&many, &[]);
        feed.publish(&[], &many.iter().map(|upsert| Arc::clone(&upsert.now)).collect::<Vec<_>>());
    };
    come_and_go(10_000..10_000 + 3 * REMEMBERED);
    let mut reader = Reader::new();
    let mut nth = 20_000;
    while let Some(page) = feed.page(reader.ask()).expect("a page") {
        assert!(reader.pages < 20, "it does not end");
        reader.take(&page.bytes);
        if !reader.table.is_complete() {
            // More is forgotten while it reads.
            come_and_go(nth..nth + 50);
            nth += 50;
        }
    }
    assert!(reader.table.is_complete());
    assert_eq!((reader.table.len(), reader.resets), (1_000, 1));
}

#[test]
fn what_went_before_a_reader_began_is_not_sent() {
    let feed = feed();
    let many: Vec<Upsert> = (0..1_000).map(|number| upsert(number, 1)).collect();
    let gone: Vec<_> = many[1..].iter().map(|upsert| Arc::clone(&upsert.now)).collect();
    feed.publish(&many, &[]);
    feed.publish(&[], &gone);
    feed.settle();
    let mut reader = Reader::new();
    assert_eq!((reader.catch_up(&feed), reader.pages), ((1, 0), 1));
    assert_eq!(reader.table.len(), 1);
}

#[test]
fn a_reader_that_is_told_to_begin_again_can_see_it() {
    let feed = feed();
    feed.publish(&[upsert(1, 1)], &[]);
    let page = |ask: Ask| feed.page(ask).expect("no error").expect("news").begins_again(ask);
    assert!(!page(Ask::default()));
    let cursor = Cursor { epoch: EPOCH + 1, number: 1, began: 1 };
    assert!(page(Ask { cursor, control: 1 }));
}

#[test]
fn a_hundred_thousand_services_come_page_by_page() {
    let feed = feed();
    let many: Vec<Upsert> = (0..100_000).map(|number| upsert(number, 1)).collect();
    feed.publish(&many, &[]);
    feed.settle();
    let mut reader = Reader::new();
    assert_eq!(reader.catch_up(&feed), (100_000, 0));
    assert_eq!((reader.table.len(), reader.pages, reader.resets), (100_000, 100_000_usize.div_ceil(PAGE_ROWS), 1));
    // One change is one row, whatever the size of the table.
    feed.publish(&[upsert(50_000, 2)], &[]);
    assert_eq!(reader.catch_up(&feed), (1, 0));
    assert_eq!(reader.port("0000c350"), Some(2));
}

#[test]
fn keys_come_when_they_differ() {
    let state = control();
    let feed = Feed::new(EPOCH, state.control());
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    assert_eq!(reader.control, 1);
    let keys = vec![(KeyId::parse("k2").expect("an id"), Secret::new([2; 32]))];
    state.update(GateConfig::for_domain("tasks.example.test"), keys, Digest::of(b""));
    feed.set_control(state.control());
    let page = feed.page(reader.ask()).expect("no error").expect("news");
    let page = FeedPage::decode(&page.bytes).expect("a page");
    let control = page.control.expect("new keys");
    assert_eq!((control.number, control.keys[0].1, page.reset), (2, [2; 32], false));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_wakes_at_a_change() {
    let feed = Arc::new(feed());
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    let (waiting, ask) = (Arc::clone(&feed), reader.ask());
    let started = tokio::time::Instant::now();
    let stop = CancellationToken::new();
    let wait = async { waiting.next_page(ask, MAX_WAIT, &stop).await };
    let change = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        feed.publish(&[upsert(1, 1)], &[]);
    };
    let (page, ()) = tokio::join!(wait, change);
    assert_eq!(reader.take(&page.expect("a page").bytes), (1, 0, true));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn without_news_a_reader_gets_an_empty_page_in_the_end() {
    let feed = feed();
    feed.settle();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    let before = reader.table.cursor();
    let started = tokio::time::Instant::now();
    let stop = CancellationToken::new();
    let page = feed.next_page(reader.ask(), Duration::from_secs(600), &stop).await.expect("a page");
    assert_eq!(reader.take(&page.bytes), (0, 0, true));
    assert_eq!((reader.table.cursor(), started.elapsed()), (before, MAX_WAIT));
    stop.cancel();
    let page = feed.next_page(reader.ask(), MAX_WAIT, &stop).await.expect("a page");
    assert_eq!((reader.take(&page.bytes), started.elapsed()), ((0, 0, true), MAX_WAIT));
}

#[tokio::test(start_paused = true)]
async fn an_unsettled_table_is_never_complete_and_does_not_spin() {
    let feed = feed();
    let mut reader = Reader::new();
    reader.catch_up(&feed);
    assert_eq!((reader.pages, reader.control, reader.table.is_complete()), (1, 1, false));
    let started = tokio::time::Instant::now();
    let stop = CancellationToken::new();
    let page = feed.next_page(reader.ask(), Duration::from_secs(3), &stop).await.expect("a page");
    assert_eq!(reader.take(&page.bytes), (0, 0, false));
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    feed.settle();
    let page = feed.next_page(reader.ask(), Duration::from_secs(3), &stop).await.expect("a page");
    assert_eq!(reader.take(&page.bytes), (0, 0, true));
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}
