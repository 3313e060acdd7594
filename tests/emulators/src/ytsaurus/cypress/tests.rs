//! Transactions, locks and tables.

use std::time::{Duration, Instant};

use super::*;
use crate::ytsaurus::access::ROOT;
use crate::ytsaurus::error::codes;

struct Tree {
    cypress: Cypress,
    now: Instant,
}

impl Tree {
    fn new() -> Self {
        Self { cypress: Cypress::new(), now: Instant::now() }
    }

    fn start(&mut self, parent: Option<Guid>) -> Guid {
        self.cypress.start(NewTransaction { parent, ..NewTransaction::default() }, self.now).unwrap()
    }

    fn create(&mut self, text: &str, kind: NodeKind, transaction: Option<Guid>) -> Result<Guid, ClusterError> {
        let actor = Actor { user: ROOT, transaction };
        self.cypress.create(&path(text), kind, CreateOptions::default(), actor)
    }

    fn set(&mut self, text: &str, value: &str, transaction: Option<Guid>) -> Result<(), ClusterError> {
        let value = Yson::parse(value).unwrap();
        self.cypress.set(&path(text), value, false, false, Actor { user: ROOT, transaction })
    }

    fn get(&self, text: &str, transaction: Option<Guid>) -> Option<String> {
        self.cypress.get(&path(text), transaction, None).ok().map(|value| value.to_string())
    }

    fn begin(&mut self, text: &str, transaction: Option<Guid>) -> Result<Upload, ClusterError> {
        self.cypress.begin_write(&path(text), Actor { user: ROOT, transaction }, self.now)
    }

    fn write(&mut self, text: &str, rows: &str, transaction: Option<Guid>) -> Result<(), ClusterError> {
        let upload = self.begin(text, transaction)?;
        self.cypress.end_write(upload, Yson::parse_rows(rows).unwrap())
    }

    fn rows(&self, text: &str, transaction: Option<Guid>) -> String {
        Yson::from(self.cypress.select(&path(text), transaction).unwrap().rows).to_string()
    }

    fn lock(&mut self, text: &str, transaction: Guid, mode: LockMode) -> Result<Guid, ClusterError> {
        let node = self.cypress.resolve(&path(text), Some(transaction))?;
        self.cypress.lock(node, transaction, &LockRequest { mode, key: LockKey::Whole })
    }
}

fn path(text: &str) -> Path {
    Path::parse(&text.into()).unwrap()
}

fn code<T>(result: Result<T, ClusterError>) -> Option<i64> {
    result.err().map(|error| error.code)
}

#[test]
fn nodes_are_made_read_and_removed() {
    let mut tree = Tree::new();
    let id = tree.create("//tmp/d", NodeKind::Document, None).unwrap();
    tree.set("//tmp/d", "{a=[1;{b=2}]}", None).unwrap();
    assert_eq!(tree.get("//tmp/d/a/1/b", None).as_deref(), Some("2"));
    assert_eq!(tree.get(&format!("#{id}/a/0"), None).as_deref(), Some("1"));
    assert_eq!(tree.get("//tmp/d/@type", None).as_deref(), Some("\"document\""));
    assert_eq!(tree.get("//tmp/d/@id", None), Some(format!("\"{id}\"")));
    tree.set("//tmp/d/@x", "[1]", None).unwrap();
    tree.set("//tmp/d/@x/end", "2", None).unwrap();
    assert_eq!(tree.get("//tmp/d/@x", None).as_deref(), Some("[1;2;]"));
    assert_eq!(tree.get("//tmp", None).as_deref(), Some("{\"d\"={\"a\"=[1;{\"b\"=2;};];};}"));
    let actor = Actor { user: ROOT, transaction: None };
    tree.cypress.remove(&path("//tmp/d/@x"), true, false, actor).unwrap();
    assert_eq!(tree.get("//tmp/d/@x", None), None);
    tree.cypress.remove(&path("//tmp/d"), true, false, actor).unwrap();
    assert_eq!(tree.get("//tmp/d", None), None);
    assert_eq!(tree.get(&format!("#{id}"), None), None);
}

#[test]
fn what_exists_is_not_made_again() {
    let mut tree = Tree::new();
    let id = tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    assert_eq!(code(tree.create("//tmp/t", NodeKind::Table, None)), Some(codes::ALREADY_EXISTS));
    assert_eq!(code(tree.create("//tmp/x/y", NodeKind::Table, None)), Some(codes::RESOLVE));
    let options = CreateOptions { ignores_existing: true, is_recursive: true, ..CreateOptions::default() };
    let actor = Actor { user: ROOT, transaction: None };
    assert_eq!(tree.cypress.create(&path("//tmp/t"), NodeKind::Table, options.clone(), actor), Ok(id));
    let other = tree.cypress.create(&path("//tmp/t"), NodeKind::Map, options.clone(), actor);
    assert_eq!(code(other), Some(codes::ALREADY_EXISTS));
    assert!(tree.cypress.create(&path("//tmp/x/y"), NodeKind::Table, options, actor).is_ok());
    assert_eq!(tree.get("//tmp/x", None).as_deref(), Some("{\"y\"=#;}"));
}

#[test]
fn others_see_a_transaction_when_it_commits() {
    let mut tree = Tree::new();
    let outer = tree.start(None);
    let inner = tree.start(Some(outer));
    tree.create("//tmp/t", NodeKind::Table, Some(inner)).unwrap();
    tree.write("//tmp/t", "{a=1}", Some(inner)).unwrap();
    assert_eq!(tree.rows("//tmp/t", Some(inner)), "[{\"a\"=1;};]");
    assert_eq!(tree.get("//tmp/t", Some(outer)), None);
    tree.cypress.commit(inner).unwrap();
    assert_eq!(tree.rows("//tmp/t", Some(outer)), "[{\"a\"=1;};]");
    assert_eq!(tree.get("//tmp/t", None), None);
    assert_eq!(tree.cypress.writes("//tmp/t"), 0);
    tree.cypress.commit(outer).unwrap();
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=1;};]");
    assert_eq!(tree.cypress.writes("//tmp/t"), 1);
    assert_eq!(code(tree.cypress.commit(outer)), Some(codes::NO_SUCH_TRANSACTION));
}

#[test]
fn an_aborted_transaction_leaves_nothing() {
    let mut tree = Tree::new();
    tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    tree.write("//tmp/t", "{a=1}", None).unwrap();
    let transaction = tree.start(None);
    tree.write("//tmp/t", "{a=2}", Some(transaction)).unwrap();
    tree.set("//tmp/t/@x", "1", Some(transaction)).unwrap();
    let made = tree.create("//tmp/m", NodeKind::Map, Some(transaction)).unwrap();
    tree.cypress.abort(transaction);
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=1;};]");
    assert_eq!(tree.get("//tmp/t/@x", None), None);
    assert_eq!(tree.get(&format!("#{made}"), None), None);
    assert!(tree.write("//tmp/t", "", None).is_ok(), "its locks are gone");
    assert_eq!(tree.rows("//tmp/t", None), "[]");
    tree.cypress.abort(transaction);
}

#[test]
fn writers_exclude_each_other_and_appenders_do_not() {
    let mut tree = Tree::new();
    tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    let first = tree.begin("//tmp/t", None).unwrap();
    assert_eq!(code(tree.begin("//tmp/t", None)), Some(codes::LOCK_CONFLICT));
    assert_eq!(code(tree.begin("<append=%true>//tmp/t", None)), Some(codes::LOCK_CONFLICT));
    tree.cypress.end_write(first, Yson::parse_rows("{a=1}").unwrap()).unwrap();
    let first = tree.begin("<append=%true>//tmp/t", None).unwrap();
    let second = tree.begin("<append=%true>//tmp/t", None).unwrap();
    assert_eq!(code(tree.begin("//tmp/t", None)), Some(codes::LOCK_CONFLICT));
    tree.cypress.end_write(second, Yson::parse_rows("{a=2}").unwrap()).unwrap();
    tree.cypress.end_write(first, Yson::parse_rows("{a=3}").unwrap()).unwrap();
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=1;};{\"a\"=2;};{\"a\"=3;};]");
    assert_eq!(tree.cypress.writes("//tmp/t"), 3);
}

#[test]
fn locks_hold_until_their_transaction_ends() {
    let mut tree = Tree::new();
    tree.create("//tmp/n", NodeKind::Map, None).unwrap();
    let (first, second) = (tree.start(None), tree.start(None));
    let nested = tree.start(Some(first));
    tree.lock("//tmp/n", first, LockMode::Exclusive).unwrap();
    assert_eq!(code(tree.lock("//tmp/n", second, LockMode::Exclusive)), Some(codes::LOCK_CONFLICT));
    assert_eq!(code(tree.lock("//tmp/n", second, LockMode::Shared)), Some(codes::LOCK_CONFLICT));
    assert!(tree.lock("//tmp/n", second, LockMode::Snapshot).is_ok());
    assert!(tree.lock("//tmp/n", nested, LockMode::Exclusive).is_ok(), "its parent holds it");
    assert_eq!(code(tree.create("//tmp/n/x", NodeKind::Map, None)), Some(codes::LOCK_CONFLICT));
    tree.cypress.commit(nested).unwrap();
    tree.cypress.commit(first).unwrap();
    assert!(tree.create("//tmp/n/x", NodeKind::Map, None).is_ok());
    let third = tree.start(None);
    assert!(tree.lock("//tmp/n", third, LockMode::Exclusive).is_ok());
    assert_eq!(code(tree.lock("//tmp/n", third, LockMode::Snapshot)), Some(codes::SAME_TRANSACTION_LOCK));
}

#[test]
fn children_and_attributes_of_one_node_are_locked_each_for_itself() {
    let mut tree = Tree::new();
    let (first, second) = (tree.start(None), tree.start(None));
    tree.create("//tmp/a", NodeKind::Map, Some(first)).unwrap();
    tree.create("//tmp/b", NodeKind::Map, Some(second)).unwrap();
    assert_eq!(code(tree.create("//tmp/a", NodeKind::Map, Some(second))), Some(codes::LOCK_CONFLICT));
    tree.set("//tmp/@x", "1", Some(first)).unwrap();
    tree.set("//tmp/@y", "1", Some(second)).unwrap();
    assert_eq!(code(tree.set("//tmp/@x", "2", Some(second))), Some(codes::LOCK_CONFLICT));
    tree.cypress.commit(first).unwrap();
    tree.cypress.commit(second).unwrap();
    assert_eq!(tree.get("//tmp", None).as_deref(), Some("{\"a\"={};\"b\"={};}"));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut tree = Tree::new();
    tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    tree.write("//tmp/t", "{a=1}", None).unwrap();
    let reader = tree.start(None);
    tree.lock("//tmp/t", reader, LockMode::Snapshot).unwrap();
    tree.write("//tmp/t", "{a=2}", None).unwrap();
    assert_eq!(tree.rows("//tmp/t", Some(reader)), "[{\"a\"=1;};]");
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=2;};]");
}

#[test]
fn transactions_end_by_time_unless_they_are_pinged() {
    let mut tree = Tree::new();
    let start = |timeout| NewTransaction { timeout: Some(Duration::from_secs(timeout)), ..NewTransaction::default() };
    let short = tree.cypress.start(start(10), tree.now).unwrap();
    let nested = tree.cypress.start(NewTransaction { parent: Some(short), ..start(100) }, tree.now).unwrap();
    let after = |secs| tree.now + Duration::from_secs(secs);
    let (eight, fifteen, twenty) = (after(8), after(15), after(20));
    tree.cypress.ping(nested, true, eight).unwrap();
    tree.cypress.expire(fifteen);
    assert!(tree.cypress.alive(short).is_ok());
    tree.cypress.expire(twenty);
    assert_eq!(code(tree.cypress.alive(short)), Some(codes::NO_SUCH_TRANSACTION));
    assert_eq!(code(tree.cypress.alive(nested)), Some(codes::NO_SUCH_TRANSACTION));
}

#[test]
fn a_transaction_ends_with_what_it_presupposes() {
    let mut tree = Tree::new();
    let leader = tree.start(None);
    let new = NewTransaction { prerequisites: vec![leader], ..NewTransaction::default() };
    let dependent = tree.cypress.start(new, tree.now).unwrap();
    assert!(tree.cypress.check_prerequisites(&[leader]).is_ok());
    tree.cypress.abort(leader);
    assert_eq!(code(tree.cypress.check_prerequisites(&[leader])), Some(codes::PREREQUISITE));
    assert!(tree.cypress.alive(dependent).is_err());
}

#[test]
fn rows_must_fit_a_strict_schema() {
    let mut tree = Tree::new();
    let schema = "<strict=%true;unique_keys=%false>[{name=a;type=string;required=%true};{name=b;type=int64}]";
    let attributes = [(b"schema".to_vec(), Yson::parse(schema).unwrap())].into();
    let options = CreateOptions { attributes, ..CreateOptions::default() };
    let actor = Actor { user: ROOT, transaction: None };
    tree.cypress.create(&path("//tmp/t"), NodeKind::Table, options, actor).unwrap();
    tree.write("//tmp/t", "{a=x}", None).unwrap();
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=\"x\";\"b\"=#;};]");
    for bad in ["{a=x;c=1}", "{b=1}", "{a=1}", "{a=x;b=y}"] {
        assert_eq!(code(tree.write("//tmp/t", bad, None)), Some(codes::SCHEMA_VIOLATION), "{bad}");
    }
    assert_eq!(tree.rows("//tmp/t", None), "[{\"a\"=\"x\";\"b\"=#;};]");
    assert_eq!(tree.get("//tmp/t/@schema_mode", None).as_deref(), Some("\"strong\""));
}

#[test]
fn paths_select_rows_and_columns() {
    let mut tree = Tree::new();
    tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    tree.write("//tmp/t", "{a=0;b=0};{a=1;b=1};{a=2;b=2}", None).unwrap();
    let range = "<ranges=[{lower_limit={row_index=1};upper_limit={row_index=9}}];columns=[a]>//tmp/t";
    assert_eq!(tree.rows(range, None), "[{\"a\"=1;};{\"a\"=2;};]");
    assert_eq!(tree.rows("<ranges=[{exact={row_index=0}}]>//tmp/t", None), "[{\"a\"=0;\"b\"=0;};]");
}

#[test]
fn listings_have_no_order_and_may_be_cut_short() {
    let mut tree = Tree::new();
    for name in ["a", "b", "c", "d"] {
        tree.create(&format!("//tmp/{name}"), NodeKind::Map, None).unwrap();
    }
    let list = |limit| tree.cypress.list(&path("//tmp"), None, &["type"], limit).unwrap();
    let whole = list(None);
    let names: Vec<&str> = whole.as_list().unwrap().iter().filter_map(Yson::as_str).collect();
    assert_eq!(names.len(), 4);
    assert_ne!(names, ["a", "b", "c", "d"]);
    assert_eq!(whole.at(&["0"]).and_then(|item| item.attribute("type")).and_then(Yson::as_str), Some("map_node"));
    assert_eq!(list(Some(2)).attribute("incomplete").and_then(Yson::as_bool), Some(true));
    tree.create("//tmp/t", NodeKind::Table, None).unwrap();
    let refused = tree.cypress.list(&path("//tmp/t"), None, &[], None);
    assert_eq!(code(refused), Some(codes::NO_SUCH_METHOD));
}
