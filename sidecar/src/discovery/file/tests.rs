use std::cell::Cell;

use taskgate_core::service::{AccessLevel, Protocol};

use super::row::Form;
use super::*;
use crate::config::dns::DnsConfig;
use crate::discovery::policy::{Grantee, Level};

const FILE: &str = r#"
services:
- operation: a8ef7695-3de07913-5103e8-e29a6707
  alias: "*greeter"
  task: example_grpc_server
  service: server
  protocol: grpc
  endpoints: ["127.0.0.1:27001", {address: "[::1]:27002", weight: 2}]
  access: can_read
  owner: alice
  grants: [{to: bob, level: can_read}, {to: "group:ml", level: can_manage}, {to: "*", level: can_read}]
- operation: op
  task: web
  services: [port_0, port0, port_0]
  names: [ollama, notes]
  endpoints: []
  access: public
"#;

#[test]
fn reads_services() {
    let inventory = row::read(FILE, Form::Yaml).expect("a services file").inventory;
    assert_eq!(inventory.problems, []);
    let [greeter, web] = &inventory.services[..] else { panic!("two services: {inventory:?}") };
    assert_eq!(greeter.alias.as_deref(), Some("greeter"));
    assert_eq!((greeter.protocol, greeter.policy.access), (Protocol::Grpc, AccessLevel::CanRead));
    let endpoints: Vec<_> = greeter.endpoints.iter().map(|end| (end.address.to_string(), end.weight)).collect();
    assert_eq!(endpoints, [("127.0.0.1:27001".to_owned(), 1), ("[::1]:27002".to_owned(), 2)]);
    assert_eq!(greeter.policy.grants[1], (Grantee::Group("ml".into()), Level::CanManage));
    assert_eq!(greeter.policy.grants[2], (Grantee::Everybody, Level::CanRead));
    assert_eq!((web.key.service.as_str(), &web.alternatives[..]), ("port_0", &["port0".to_owned()][..]));
    assert_eq!(web.protocol, Protocol::Http);
    assert_eq!((greeter.names.len(), &web.names[..]), (0, &["ollama".to_owned(), "notes".to_owned()][..]));
}

#[test]
fn a_bad_service_costs_itself_alone() {
    let cases = [
        ("{operation: a, task: t, service: s, endpoints: [], acces: public}", "acces"),
        ("{operation: a, task: t, service: s, endpoints: []}", "access"),
        ("{operation: a, task: t, endpoints: [], access: public}", "`service`"),
        ("{operation: a, task: t, service: s, services: [b], endpoints: [], access: public}", "`service`"),
        ("{operation: a, task: t, service: s, endpoints: [\"ho st:80\"], access: public}", "`ho st:80`"),
        ("{operation: a, task: t, service: s, endpoints: [\"::1:80\"], access: public}", "brackets"),
        ("{operation: a, task: t, service: s, endpoints: [], access: everybody}", "everybody"),
        (
            "{operation: a, task: t, service: s, endpoints: [], access: public, grants: [{to: a, level: owner}]}",
            "owner",
        ),
        (
            "{operation: a, task: t, service: s, endpoints: [], access: public, grants: [{to: \"\", level: can_read}]}",
            "nobody",
        ),
        ("[1, 2]", "services[2]"),
        ("{operation: op, task: web, service: port_0, endpoints: [], access: public}", "same operation"),
    ];
    for (bad, expected) in cases {
        let inventory = row::read(&format!("{FILE}- {bad}\n"), Form::Yaml).expect("a services file").inventory;
        assert_eq!(inventory.services.len(), 2, "{bad}");
        let [problem] = &inventory.problems[..] else { panic!("one problem for {bad}: {inventory:?}") };
        assert!(format!("{} {}", problem.subject, problem.reason).contains(expected), "{bad}: {problem:?}");
    }
}

#[test]
fn what_is_no_list_of_services_is_not_taken() {
    for text in ["", "services:", "services: {}", "services: [", "service: []", "- a", "null"] {
        assert!(row::read(text, Form::Yaml).is_err(), "{text:?}");
    }
    assert!(row::read("services: []", Form::Yaml).is_ok());
}

#[test]
fn json_reads_the_same() {
    let value: serde_json::Value = crate::yaml::parse(FILE).expect("a document");
    let json = value.to_string();
    assert_eq!(row::read(&json, Form::Json), row::read(FILE, Form::Yaml));
    for text in ["", "{}", "{\"services\":null}", "{\"services\":[]} x", "{\"services\":["] {
        assert!(row::read(text, Form::Json).is_err(), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_when_it_no_longer_changes() {
    let reading = Cell::new(0);
    let text = settled(Path::new("x"), |_| {
        reading.set(reading.get() + 1);
        Ok(["ser", "services: [a", "services: [a]", "services: [a]", "never"][reading.get() - 1].to_owned())
    })
    .await
    .expect("settles");
    assert_eq!((text.as_str(), reading.get()), ("services: [a]", 4));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_never_settles_is_not_taken() {
    let reading = Cell::new(0);
    let outcome = settled(Path::new("x"), |_| {
        reading.set(reading.get() + 1);
        Ok(reading.get().to_string())
    })
    .await;
    assert!(matches!(outcome, Err(ReadError::Unsettled(_))), "{outcome:?}");
}

#[test]
fn a_service_that_is_as_it_was_is_the_very_entry_of_the_last_time() {
    let text = FILE.replace("\"127.0.0.1:27001\"", "\"a.test:80\", \"127.0.0.1:27001\"");
    let mut written = row::read(&text, Form::Yaml).expect("a services file");
    let names = Names::new(Arc::new(DnsSettings::resolve(&DnsConfig::default()).expect("settings")));
    let (before, after) = (written.inventory(&names), written.inventory(&names));
    assert_eq!((before.services.len(), before.problems.len()), (2, 1));
    for (before, after) in before.services.iter().zip(&after.services) {
        assert!(Arc::ptr_eq(before, after), "{after:?}");
    }
    let named = written.named.first_mut().expect("one with a name");
    named.places.remove(1);
    let changed = written.inventory(&names);
    assert_eq!(changed.services.iter().map(|one| one.endpoints.len()).collect::<Vec<_>>(), [0, 1]);
}
