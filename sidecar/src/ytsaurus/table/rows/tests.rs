use taskgate_core::service::Protocol;

use super::*;
use crate::discovery::inventory::tests::entry as example;
use crate::discovery::inventory::{Entry, ServiceKey};
use crate::discovery::policy::Policy;

const OPERATION: &str = "a6e04b98-bf982394-5103e8-55754a49";

fn entry(operation: &str, task: &str, service: &str) -> Entry {
    let plain = example(operation, task, service);
    Entry { policy: Policy { owner: Some("alice".into()), ..plain.policy }, ..plain }
}

/// As the registry names it where nothing collides.
fn published(provider: &str, entry: Entry) -> Arc<Published> {
    let ServiceKey { operation, task, service } = &*entry.key;
    let id = |service: &String| ServiceDigest::of(operation, task, service).suffix(8).expect("a label");
    let alias = entry.alias.clone().unwrap_or_default();
    let names = std::iter::once(service).chain(&entry.alternatives);
    let aliases = names.filter_map(|service| alias_label(&alias, task, service));
    let labels = entry.alternatives.iter().map(id).chain(aliases).collect();
    Arc::new(Published::new(id(service), labels, provider.into(), Arc::new(entry)).expect("a service"))
}

fn rows(services: &[Arc<Published>]) -> Rows {
    Rows::new(services.to_vec(), "yt", "t.test")
}

fn values(lines: &Lines) -> Vec<Value> {
    lines.values().collect()
}

fn texts(rows: &Rows) -> Vec<String> {
    let text = |row: ServiceRow<'_>| {
        let ServiceRow { domain, operation_id, task_name, service, protocol } = row;
        format!("{domain} {operation_id} {task_name} {service} {protocol}")
    };
    rows.services().map(text).collect()
}

fn names(rows: &Rows) -> Vec<String> {
    rows.names().map(|row| format!("{} {:?} {} {}", row.domain, row.kind, row.service, row.id)).collect()
}

#[test]
fn a_service_is_a_row_with_five_columns() {
    let services = [published("yt", entry(OPERATION, "master", "ui"))];
    let rows = Rows::new(services.into(), "yt", "tasks.example.test");
    assert_eq!(rows.len(), 1);
    assert_eq!(texts(&rows), ["2ef4261c.tasks.example.test a6e04b98-bf982394-5103e8-55754a49 master ui http"]);
    let sent = values(&rows.lines(Table::Services));
    assert_eq!(
        sent,
        [json!({"domain": "2ef4261c.tasks.example.test", "operation_id": OPERATION, "task_name": "master",
            "service": "ui", "protocol": "http"})]
    );
}

#[test]
fn rows_are_in_order_and_of_one_provider() {
    let services = [
        published("yt", entry("b", "t", "s")),
        published("file", entry("a", "t", "other")),
        published("yt", entry("a", "u", "s")),
        published("yt", entry("a", "t", "z")),
        published("yt", Entry { protocol: Protocol::Grpc, ..entry("a", "t", "b") }),
        published("yt", Entry { protocol: Protocol::WebSocket, ..entry("a", "t", "c") }),
    ];
    let found = rows(&services);
    let order: Vec<String> = found
        .services()
        .map(|row| format!("{} {} {} {}", row.operation_id, row.task_name, row.service, row.protocol))
        .collect();
    assert_eq!(order, ["a t b grpc", "a t c websocket", "a t z http", "a u s http", "b t s http"]);
    let mut turned = services;
    turned.reverse();
    assert_eq!(texts(&rows(&turned)), texts(&found));
    assert_eq!(names(&rows(&turned)), names(&found));
}

#[test]
fn other_names_are_in_the_table_of_names_alone() {
    let service = Entry {
        alternatives: vec!["port0".into()],
        alias: Some("greeter".into()),
        ..entry("a8ef7695-3de07913-5103e8-e29a6707", "web", "port_0")
    };
    let rows = rows(&[published("yt", service)]);
    assert_eq!(rows.services().count(), 1);
    let id = rows.names().next().expect("a row").id;
    let other = ServiceDigest::of("a8ef7695-3de07913-5103e8-e29a6707", "web", "port0").suffix(8).expect("a label");
    assert_eq!(
        names(&rows),
        [
            format!("{id}.t.test Id port_0 {id}"),
            format!("{other}.t.test Alternative port0 {id}"),
            format!("greeter-web-port0.t.test Alias port0 {id}"),
            format!("greeter-web-port_0.t.test Alias port_0 {id}"),
        ]
    );
    let sent = values(&rows.lines(Table::Names));
    assert_eq!(
        sent[1],
        json!({"domain": format!("{other}.t.test"), "operation_id": "a8ef7695-3de07913-5103e8-e29a6707",
            "operation_alias": "greeter", "task_name": "web", "service": "port0", "protocol": "http", "id": id,
            "kind": "alternative", "owner": "alice", "provider": "yt"})
    );
}

/// SPYT makes of each row of its operation a field of a class that has these three and no others.
#[test]
fn a_spark_cluster_has_the_three_rows_that_its_client_takes() {
    let services: Vec<_> = [("master", "rest"), ("master", "ui"), ("history", "ui")]
        .map(|(task, service)| {
            let service = Entry { alias: Some("spark".into()), ..entry(OPERATION, task, service) };
            published("yt", service)
        })
        .into();
    let rows = rows(&services);
    let fields: Vec<String> = rows.services().map(|row| format!("{}_{}", row.task_name, row.service)).collect();
    assert_eq!(fields, ["history_ui", "master_rest", "master_ui"]);
    assert_eq!(rows.names().count(), 6);
}

#[test]
fn a_grown_id_is_the_domain() {
    let mut service = (*published("yt", entry(OPERATION, "master", "ui"))).clone();
    service.id = ServiceDigest::of(OPERATION, "master", "ui").suffix(16).expect("a label");
    let rows = rows(&[Arc::new(service)]);
    let own = rows.services().next().expect("a row");
    assert!(own.domain.ends_with("2ef4261c.t.test"));
    assert_eq!(own.domain.len(), 16 + ".t.test".len());
    assert_eq!(rows.names().map(|row| row.kind).collect::<Vec<_>>(), [NameKind::Id]);
}

#[test]
fn what_is_read_back_is_what_was_written() {
    let digest = |rows: &[Value]| digest(rows.to_vec());
    let service = Entry { policy: Policy { owner: None, ..entry("a", "t", "s").policy }, ..entry("a", "t", "s") };
    let rows = rows(&[published("yt", service)]);
    let written = values(&rows.lines(Table::Names));
    let mut read = written.clone();
    // A table with a schema has every column in each row.
    read[0]["owner"] = Value::Null;
    read[0]["operation_alias"] = Value::Null;
    assert_eq!(digest(&read), rows.digest(Table::Names));
    assert_eq!(digest(&read), digest(&written));
    let mut changed = read.clone();
    changed[0]["owner"] = json!("bob");
    assert_ne!(digest(&changed), digest(&written));
    assert_ne!(digest(&[]), digest(&written));
    assert_ne!(digest(&[written[0].clone(), written[0].clone()]), digest(&written));
    // Neither a value's end nor a column's can be moved.
    assert_ne!(digest(&[json!({"a": "b\",\"c\":\"d"})]), digest(&[json!({"a": "b", "c": "d"})]));
    assert_ne!(digest(&[json!({"a": "b"}), json!({"c": "d"})]), digest(&[json!({"a": "b", "c": "d"})]));
}

#[test]
fn tables_are_made_with_these_columns() {
    let columns = |attributes: Value| -> Vec<String> {
        let schema = attributes["schema"].as_array().expect("a list").clone();
        schema.iter().map(|column| format!("{} {}", column["name"], column["type"]).replace('"', "")).collect()
    };
    assert_eq!(
        columns(Table::Services.attributes()),
        ["domain string", "operation_id string", "task_name string", "service string", "protocol string"]
    );
    let rows = rows(&[published("yt", Entry { alias: Some("a".into()), ..entry("a", "t", "s") })]);
    let columns: Vec<String> =
        columns(Table::Names.attributes()).iter().map(|one| one.trim_end_matches(" string").to_owned()).collect();
    let sent = values(&rows.lines(Table::Names));
    let mut fields: Vec<String> = sent[0].as_object().expect("a row").keys().cloned().collect();
    let mut expected = columns;
    expected.sort();
    fields.sort();
    assert_eq!(fields, expected);
}

#[test]
fn who_only_moved_has_the_same_rows() {
    let before = rows(&[published("yt", entry("a", "t", "s"))]);
    let moved = Entry {
        endpoints: Vec::new(),
        policy: Policy { revision: 7, ..entry("a", "t", "s").policy },
        ..entry("a", "t", "s")
    };
    assert!(before.are(&rows(&[published("yt", moved)])));
    let others = [
        Entry { protocol: Protocol::Grpc, ..entry("a", "t", "s") },
        Entry { alias: Some("a".into()), ..entry("a", "t", "s") },
        Entry { alternatives: vec!["x".into()], ..entry("a", "t", "s") },
        Entry { policy: Policy { owner: None, ..entry("a", "t", "s").policy }, ..entry("a", "t", "s") },
        entry("a", "t", "z"),
    ];
    for other in others {
        let other = rows(&[published("yt", other)]);
        assert!(!before.are(&other) && before.digest(Table::Names) != other.digest(Table::Names), "{other:?}");
    }
    assert!(!before.are(&rows(&[])));
    assert!(!before.are(&Rows::new(vec![published("yt", entry("a", "t", "s"))], "yt", "other.test")));
}
