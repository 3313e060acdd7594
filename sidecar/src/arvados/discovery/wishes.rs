//! What a workload's owner wrote into the properties of its request.
//!
//! `taskgate.access: {"8080": "can_read"}` says who may use a port that is published, and `taskgate.addr:
//! {"8080": "10.1.2.3:8888"}` (or one address, where there is one port) where the proxy reaches it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use taskgate_core::service::AccessLevel;

use crate::arvados::discovery::ports::{MAX_PORTS, number, quoted};

/// The property with levels.
pub const ACCESS: &str = "taskgate.access";
/// The property with addresses.
pub const ADDRESS: &str = "taskgate.addr";

/// What an owner wants for a workload's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Who may use them.
    pub access: BTreeMap<u16, AccessLevel>,
    /// Where they are reached.
    pub addresses: BTreeMap<u16, SocketAddr>,
}

impl Wishes {
    /// Reads properties; `ports` are those that are published. What is wrong is said in `problems`. A level that
    /// can't be read closes its port: whoever wrote it wanted something else than what is there without it.
    #[must_use]
    pub fn read(properties: &Value, ports: &[u16], problems: &mut Vec<String>) -> Self {
        let mut wishes = Self::default();
        for (port, value) in entries(properties, ACCESS, ports, problems) {
            let level = value.as_str().and_then(level).unwrap_or_else(|| {
                let reason = "is no level; write `public`, `can_read`, `can_write`, `can_manage`, `owner` or `nobody`";
                problems.push(format!("`{ACCESS}` of port {port}: {reason}; the port is closed"));
                AccessLevel::Nobody
            });
            wishes.access.insert(port, level);
        }
        for (port, value) in entries(properties, ADDRESS, ports, problems) {
            match value.as_str().and_then(|text| text.parse::<SocketAddr>().ok()).filter(|address| address.port() != 0)
            {
                Some(address) => drop(wishes.addresses.insert(port, address)),
                None => problems.push(format!("`{ADDRESS}` of port {port}: is no IP address with a port")),
            }
        }
        wishes
    }

    /// Makes a level stricter where somebody else says so; never wider. `otherwise` is a port's level without a word.
    pub fn tighten(&mut self, others: &Self, otherwise: impl Fn(u16) -> Option<AccessLevel>) {
        for (port, level) in &others.access {
            let Some(own) = self.access.get(port).copied().or_else(|| otherwise(*port)) else { continue };
            self.access.insert(*port, own.max(*level));
        }
    }

    /// What both want, where two requests of one owner say different things: the stricter level.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (port, level) in other.access {
            self.access.entry(port).and_modify(|own| *own = (*own).max(level)).or_insert(level);
        }
        for (port, address) in other.addresses {
            self.addresses.entry(port).or_insert(address);
        }
        self
    }
}

/// The ports of a property, each with its value.
fn entries<'a>(properties: &'a Value, name: &str, ports: &[u16], problems: &mut Vec<String>) -> Vec<(u16, &'a Value)> {
    match (properties.get(name), ports) {
        (None, _) => Vec::new(),
        (Some(Value::Object(fields)), _) if fields.len() <= MAX_PORTS => {
            let mut entries = Vec::new();
            for (key, value) in fields {
                match number(key) {
                    Some(port) => entries.push((port, value)),
                    None => problems.push(format!("`{name}`: {} is no port", quoted(key))),
                }
            }
            entries
        }
        (Some(value @ Value::String(_)), [port]) => vec![(*port, value)],
        (Some(_), _) => {
            problems.push(format!("`{name}` is no object of at most {MAX_PORTS} ports, as in `{{\"8080\": …}}`"));
            // What is meant by it can't be told, so nobody gets in by what would be there without it.
            let closed = name == ACCESS;
            ports.iter().filter(|_| closed).map(|port| (*port, &Value::Null)).collect()
        }
    }
}

fn level(text: &str) -> Option<AccessLevel> {
    Some(match text {
        "can_manage" => AccessLevel::CanManage,
        "can_read" => AccessLevel::CanRead,
        "can_write" => AccessLevel::CanWrite,
        "nobody" => AccessLevel::Nobody,
        "owner" => AccessLevel::Owner,
        "public" => AccessLevel::Public,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(properties: &Value) -> (Wishes, usize) {
        let mut problems = Vec::new();
        (Wishes::read(properties, &[80], &mut problems), problems.len())
    }

    #[test]
    fn levels_and_addresses_are_read_by_port() {
        let (wishes, problems) = read(&json!({
            ACCESS: {"80": "can_read", "81": "nobody"}, ADDRESS: {"80": "10.1.2.3:8888", "81": "[fd00::1]:81"}
        }));
        assert_eq!(wishes.access, BTreeMap::from([(80, AccessLevel::CanRead), (81, AccessLevel::Nobody)]));
        assert_eq!(wishes.addresses.get(&80).map(ToString::to_string).as_deref(), Some("10.1.2.3:8888"));
        assert_eq!((wishes.addresses.len(), problems), (2, 0));
        assert_eq!(read(&json!({ADDRESS: "10.1.2.3:8888"})).0.addresses.len(), 1);
        assert_eq!(read(&json!(null)), (Wishes::default(), 0));
    }

    #[test]
    fn a_level_that_can_not_be_read_closes_the_port() {
        for value in [json!({"80": "Can_Read"}), json!({"80": 1}), json!({"80": null}), json!("all"), json!([1])] {
            let (wishes, problems) = read(&json!({ACCESS: value}));
            assert_eq!(
                (wishes.access.get(&80), problems),
                (Some(&AccessLevel::Nobody), 1 + usize::from(value == json!([1]))),
                "{value}"
            );
        }
    }

    #[test]
    fn an_address_that_can_not_be_read_is_none() {
        for value in [json!("host:80"), json!("10.1.2.3"), json!("10.1.2.3:0"), json!("http://10.1.2.3:1"), json!(1)] {
            let (wishes, problems) = read(&json!({ADDRESS: {"80": value}}));
            assert!(wishes.addresses.is_empty() && problems == 1, "{value}");
        }
    }

    #[test]
    fn of_two_levels_the_stricter_one_counts() {
        let wish = |level: &str| read(&json!({ACCESS: {"80": level}})).0;
        assert_eq!(wish("public").and(wish("can_manage")).access.get(&80), Some(&AccessLevel::CanManage));
        assert_eq!(wish("owner").and(wish("can_read")).access.get(&80), Some(&AccessLevel::Owner));
    }
}
