//! The annotation `task_proxy`: what an operation wants to have published.
//!
//! The short form, `{enabled=%true}`, publishes every port of every task. The long one names services:
//! `{enabled=%true; tasks_info={TASK={SERVICE={protocol="http"; port_index=0; names=["ollama"]}}}}`. Users
//! write it, so a service that makes no sense costs itself alone, and a friendly name no more than itself.

use serde_json::{Map, Value};
use taskgate_core::service::{MAX_NAME, Protocol};

use crate::registry::names::friendly::name::is_platform_label;
use crate::ytsaurus::text;

/// The most services of one operation.
pub const MAX_SERVICES: usize = 200;
/// The most friendly names of one service.
const MAX_NAMES: usize = 8;

/// What an operation wants to have published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Which services.
    pub services: Wanted,
    /// Whether visitors' credentials are passed on.
    pub forward_credential: bool,
}

/// Which services an operation wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One for each port of each task.
    EveryPort,
    /// These.
    Named(Vec<NamedService>),
}

/// A service that an annotation names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedService {
    /// Task name.
    pub task: String,
    /// Service name.
    pub service: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Which of its job's ports it is at.
    pub port_index: usize,
    /// Whether visitors' credentials are passed on.
    pub forward_credential: bool,
    /// Friendly names that it wants.
    pub names: Vec<String>,
}

/// What an annotation comes to, with what is wrong in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAnnotation {
    /// What it wants; none: nothing.
    pub annotation: Option<Annotation>,
    /// What is wrong.
    pub reasons: Vec<String>,
}

/// Reads the annotation out of an operation's annotations, which are JSON with bytes as characters.
#[must_use]
pub fn read(annotations: &Map<String, Value>) -> ReadAnnotation {
    let Some(value) = annotations.get("task_proxy") else { return ReadAnnotation::default() };
    let wrong = |reason: &str| ReadAnnotation { annotation: None, reasons: vec![reason.into()] };
    let Value::Object(fields) = value else { return wrong("`task_proxy` is no map") };
    match fields.get("enabled") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return ReadAnnotation::default(),
        Some(_) => return wrong("`task_proxy/enabled` is neither %true nor %false"),
        None => return wrong("`task_proxy` has no `enabled=%true`"),
    }
    let mut reasons = Vec::new();
    let forward_credential = flag(fields, "task_proxy", &mut reasons).unwrap_or(false);
    let services = match fields.get("tasks_info") {
        None | Some(Value::Null) => Wanted::EveryPort,
        Some(Value::Object(tasks)) => Wanted::Named(named(tasks, forward_credential, &mut reasons)),
        Some(_) => return wrong("`task_proxy/tasks_info` is no map of tasks"),
    };
    ReadAnnotation { annotation: Some(Annotation { services, forward_credential }), reasons }
}

fn named(tasks: &Map<String, Value>, forward_credential: bool, reasons: &mut Vec<String>) -> Vec<NamedService> {
    let mut found = Vec::new();
    for (task_key, services) in tasks {
        let Some(task) = name(task_key) else {
            reasons.push(format!("task `{}` has a name that none can have", shown(task_key)));
            continue;
        };
        let Value::Object(services) = services else {
            reasons.push(format!("`tasks_info/{}` is no map of services", shown(task_key)));
            continue;
        };
        for (service_key, value) in services {
            let place = format!("tasks_info/{}/{}", shown(task_key), shown(service_key));
            if found.len() == MAX_SERVICES {
                reasons.push(format!("more than {MAX_SERVICES} services; `{place}` and the rest are left out"));
                return found;
            }
            match service(&task, service_key, value, forward_credential, &place, reasons) {
                Ok(service) => found.push(service),
                Err(reason) => reasons.push(format!("`{place}`: {reason}")),
            }
        }
    }
    found.sort_by(|left, right| (&left.task, &left.service).cmp(&(&right.task, &right.service)));
    found
}

fn service(
    task: &str,
    key: &str,
    value: &Value,
    forward_credential: bool,
    place: &str,
    reasons: &mut Vec<String>,
) -> Result<NamedService, String> {
    let service = name(key).ok_or("a name that none can have")?;
    let Value::Object(fields) = value else { return Err("is no map with `protocol` and `port_index`".into()) };
    let protocol = match fields.get("protocol") {
        None => Protocol::Http,
        Some(Value::String(text)) => match text.as_str() {
            "grpc" => Protocol::Grpc,
            "http" => Protocol::Http,
            "websocket" => Protocol::WebSocket,
            other => return Err(format!("protocol `{}` is none of grpc, http and websocket", shown(other))),
        },
        Some(_) => return Err("`protocol` is no string".into()),
    };
    let port_index = match fields.get("port_index") {
        Some(value) => value.as_u64().and_then(|index| usize::try_from(index).ok()).filter(|index| *index < 65_536),
        None => return Err("has no `port_index`".into()),
    };
    let port_index = port_index.ok_or("`port_index` is no index of a port: 0, 1, …")?;
    let forward_credential = flag(fields, place, reasons).unwrap_or(forward_credential);
    let names = friendly_names(fields, place, reasons);
    Ok(NamedService { task: task.to_owned(), service, protocol, port_index, forward_credential, names })
}

/// The friendly names that a service wants: `name` or a list `names`. Whether it gets them is not said here.
fn friendly_names(fields: &Map<String, Value>, place: &str, reasons: &mut Vec<String>) -> Vec<String> {
    let wanted = match (fields.get("name"), fields.get("names")) {
        (None | Some(Value::Null), None | Some(Value::Null)) => return Vec::new(),
        (Some(name), None | Some(Value::Null)) => std::slice::from_ref(name),
        (None | Some(Value::Null), Some(Value::Array(names))) => names.as_slice(),
        _ => {
            reasons.push(format!("`{place}`: set either `name` or a list `names`; it gets none"));
            return Vec::new();
        }
    };
    if wanted.len() > MAX_NAMES {
        reasons.push(format!("`{place}`: more than {MAX_NAMES} names; the rest are left out"));
    }
    let mut names = Vec::new();
    for value in wanted.iter().take(MAX_NAMES) {
        match value.as_str().and_then(text::decode) {
            Some(name) if is_platform_label(&name) => {
                reasons.push(format!("`{place}`: name `{}` is like a UUID of Arvados'", text::shown(&name)));
            }
            Some(name) => names.push(name),
            None => reasons.push(format!("`{place}`: a name is no text")),
        }
    }
    names
}

/// Whether credentials are passed on. Only a plain `%true` says so.
fn flag(fields: &Map<String, Value>, place: &str, reasons: &mut Vec<String>) -> Option<bool> {
    match fields.get("forward_credential")? {
        Value::Bool(value) => Some(*value),
        _ => {
            reasons.push(format!("`{place}/forward_credential` is neither %true nor %false; it counts as %false"));
            Some(false)
        }
    }
}

/// A task's or a service's name, where it can be one.
fn name(key: &str) -> Option<String> {
    text::decode_key(key)
        .filter(|name| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control))
}

/// Text of a user's, for a message.
pub(super) fn shown(text: &str) -> String {
    text::shown(&text::decode_key(text).unwrap_or_else(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(task_proxy: &Value) -> ReadAnnotation {
        read(json!({"task_proxy": task_proxy}).as_object().expect("a map"))
    }

    type Names = (String, String, Protocol, usize);

    fn services(task_proxy: &Value) -> (Vec<Names>, Vec<String>) {
        let read = read_json(task_proxy);
        let services = match read.annotation.map(|annotation| annotation.services) {
            Some(Wanted::Named(services)) => services
                .into_iter()
                .map(|service| (service.task, service.service, service.protocol, service.port_index))
                .collect(),
            other => panic!("{other:?}"),
        };
        (services, read.reasons)
    }

    #[test]
    fn the_short_form_wants_every_port() {
        let every = Annotation { services: Wanted::EveryPort, forward_credential: false };
        assert_eq!(read_json(&json!({"enabled": true})).annotation, Some(every.clone()));
        assert_eq!(read_json(&json!({"enabled": true, "tasks_info": null})).annotation, Some(every));
    }

    #[test]
    fn switched_off_is_nothing_to_talk_about() {
        assert_eq!(read_json(&json!({"enabled": false, "tasks_info": 7})), ReadAnnotation::default());
        assert_eq!(read(&Map::new()), ReadAnnotation::default());
    }

    #[test]
    fn an_annotation_that_makes_no_sense_is_reported() {
        for wrong in &[json!(true), json!({}), json!({"enabled": "true"}), json!({"enabled": 1}), json!([])] {
            let read = read_json(wrong);
            assert!(read.annotation.is_none() && read.reasons.len() == 1, "{wrong}: {read:?}");
        }
        assert!(read_json(&json!({"enabled": true, "tasks_info": [1]})).annotation.is_none());
    }

    #[test]
    fn a_service_that_makes_no_sense_costs_itself_alone() {
        let (services, reasons) = services(&json!({"enabled": true, "tasks_info": {
            "web": {
                "ui": {"protocol": "http", "port_index": 1},
                "api": {"protocol": "grpc", "port_index": 0},
                "ws": {"protocol": "websocket", "port_index": 2, "route_timeout_seconds": 5},
                "default": {"port_index": 3},
                "ftp": {"protocol": "ftp", "port_index": 0},
                "none": {"protocol": "http"},
                "negative": {"port_index": -1},
                "half": {"port_index": 0.5},
                "text": {"port_index": "0"},
                "list": [],
                "": {"port_index": 0},
                "\u{ff}": {"port_index": 0},
                "a\nb": {"port_index": 0},
            },
            "bad": 7,
            "\u{c3}\u{a9}": {"ui": {"port_index": 0}},
        }}));
        let expected = [
            ("web", "api", Protocol::Grpc, 0),
            ("web", "default", Protocol::Http, 3),
            ("web", "ui", Protocol::Http, 1),
            ("web", "ws", Protocol::WebSocket, 2),
            ("é", "ui", Protocol::Http, 0),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(task, name, protocol, port)| (task.to_owned(), name.to_owned(), protocol, port))
            .collect();
        assert_eq!(services, expected);
        assert_eq!(reasons.len(), 10, "{reasons:#?}");
    }

    #[test]
    fn only_a_plain_yes_passes_credentials_on() {
        let forwards = |task_proxy: Value| match read_json(&task_proxy).annotation.map(|one| one.services) {
            Some(Wanted::Named(services)) => services.first().map(|service| service.forward_credential),
            _ => None,
        };
        let one = |all: Value, own: Value| json!({"enabled": true, "forward_credential": all, "tasks_info": {"a": {"b": {"port_index": 0, "forward_credential": own}}}});
        assert_eq!(forwards(one(json!(false), json!(true))), Some(true));
        assert_eq!(forwards(one(json!(true), json!(false))), Some(false));
        assert_eq!(forwards(one(json!(true), json!("true"))), Some(false));
        assert_eq!(
            read_json(&json!({"enabled": true, "forward_credential": 1})).annotation.map(|one| one.forward_credential),
            Some(false)
        );
        assert_eq!(
            read_json(&json!({"enabled": true, "forward_credential": true}))
                .annotation
                .map(|one| one.forward_credential),
            Some(true)
        );
    }

    #[test]
    fn friendly_names_are_one_or_a_list() {
        let names = |fields: Value| {
            let mut service = json!({"port_index": 0});
            service.as_object_mut().expect("a map").extend(fields.as_object().expect("a map").clone());
            let read = read_json(&json!({"enabled": true, "tasks_info": {"a": {"b": service}}}));
            let names = match read.annotation.map(|one| one.services) {
                Some(Wanted::Named(services)) => services.into_iter().flat_map(|service| service.names).collect(),
                _ => Vec::new(),
            };
            (names.join(" "), read.reasons.len())
        };
        assert_eq!(names(json!({})), (String::new(), 0));
        assert_eq!(names(json!({"name": "ollama"})), ("ollama".into(), 0));
        assert_eq!(names(json!({"names": ["one", "\u{c3}\u{a9}"]})), ("one é".into(), 0));
        // What is none costs itself alone, and what names of another platform look like is none.
        assert_eq!(names(json!({"names": ["one", 7, "zzzzz-dz642-000000000000000-8080"]})), ("one".into(), 2));
        assert_eq!(names(json!({"name": "one", "names": ["two"]})), (String::new(), 1));
        let many: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
        let (given, reasons) = names(json!({"names": many}));
        assert_eq!((given.split(' ').count(), reasons), (MAX_NAMES, 1));
    }

    #[test]
    fn services_are_bounded() {
        let many: Map<String, Value> = (0..1_000).map(|one| (format!("s{one}"), json!({"port_index": 0}))).collect();
        let (services, reasons) = services(&json!({"enabled": true, "tasks_info": {"web": many}}));
        assert_eq!((services.len(), reasons.len()), (MAX_SERVICES, 1));
    }
}
