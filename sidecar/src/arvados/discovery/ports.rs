//! Published ports of a container.

use std::collections::BTreeMap;

use serde_json::Value;

/// The most ports of one container.
pub const MAX_PORTS: usize = 64;
/// The most characters of a user's text that are shown.
const MAX_SHOWN: usize = 60;

/// Who may use a port, as its maker said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAccess {
    /// Those who are let in.
    Private,
    /// Everybody.
    Public,
}

/// Reads published ports; what is wrong with one costs that one alone, and is said in `problems`.
#[must_use]
pub fn read(ports: &Value, problems: &mut Vec<String>) -> BTreeMap<u16, PortAccess> {
    let mut out = BTreeMap::new();
    let empty = serde_json::Map::new();
    let ports = match ports {
        Value::Object(ports) => ports,
        Value::Null => &empty,
        _ => {
            problems.push("`published_ports` is no object".into());
            &empty
        }
    };
    for (name, value) in ports {
        match (number(name), access(value)) {
            (None, _) => problems.push(format!("published port {}: is no number from 1 to 65535", quoted(name))),
            (Some(port), Err(reason)) => problems.push(format!("published port {port}: {reason}")),
            (Some(_), Ok(_)) if out.len() == MAX_PORTS => {
                problems.push(format!("more than {MAX_PORTS} published ports; the rest are left out"));
                break;
            }
            (Some(port), Ok(access)) => drop(out.insert(port, access)),
        }
    }
    out
}

/// Whether Arvados itself lets everybody to a port, without a token.
#[must_use]
pub fn is_public(ports: &Value, port: u16) -> bool {
    let published = ports.get(port.to_string());
    published.and_then(|published| published.get("access")).and_then(Value::as_str) == Some("public")
}

/// A port as a key of published ports has it: decimal digits and no more.
#[must_use]
pub fn number(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

fn access(value: &Value) -> Result<PortAccess, &'static str> {
    let access = match value.get("access").and_then(Value::as_str) {
        Some("private") => PortAccess::Private,
        Some("public") => PortAccess::Public,
        _ => return Err("`access` is neither `public` nor `private`"),
    };
    if value.get("label").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("has no `label`");
    }
    if !value.get("initial_path").is_some_and(Value::is_string) {
        return Err("has no `initial_path`");
    }
    Ok(access)
}

/// A user's text as it can be shown.
#[must_use]
pub fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(MAX_SHOWN).is_some() { "…" } else { "" };
    format!("`{shown}{rest}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bad_port_costs_itself_alone() {
        let good = json!({"access": "private", "label": "a", "initial_path": ""});
        let mut bad: Vec<(&str, Value)> =
            ["", "0", "1e4", "-1", "bad", "0x101f", ":9000", "0.0.0.0:9000", "65536", "080", " 80", "80 ", "٨٠", "+80"]
                .into_iter()
                .map(|port| (port, good.clone()))
                .collect();
        bad.extend([
            ("9000", json!({"label": "a", "initial_path": ""})),
            ("9000", json!({"access": "private", "initial_path": ""})),
            ("9000", json!({"access": "private", "label": "a"})),
            ("9000", json!({"access": "peers", "label": "a", "initial_path": ""})),
            ("9000", json!({"access": "private", "label": "", "initial_path": ""})),
            ("9000", json!({"access": "private", "label": "a", "initial_path": 1})),
            ("9000", json!({"access": 1, "label": "a", "initial_path": ""})),
            ("9000", json!({})),
            ("9000", json!(null)),
            ("9000", json!("public")),
            ("9000", json!([])),
        ]);
        for (port, value) in bad {
            let mut ports = json!({"1": good, "65535": good});
            ports[port] = value;
            let mut problems = Vec::new();
            let read: Vec<u16> = read(&ports, &mut problems).into_keys().collect();
            assert_eq!((read, problems.len()), (vec![1, 65_535], 1), "{port} {problems:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_ports_has_none() {
        let mut problems = Vec::new();
        assert!(read(&json!(null), &mut problems).is_empty() && problems.is_empty());
        assert!(read(&json!([80]), &mut problems).is_empty());
        assert_eq!(problems.len(), 1);
        // What a container that runs has beside that does not matter.
        let ports = json!({"80": {"access": "public", "label": "a", "initial_path": "x", "base_url": "http://a/"}});
        assert_eq!(read(&ports, &mut problems).into_iter().collect::<Vec<_>>(), [(80, PortAccess::Public)]);
    }

    #[test]
    fn texts_of_users_are_shown_short_and_harmless() {
        assert_eq!(quoted("a\nb\u{202e}"), "`a\\nb\\u{202e}`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), MAX_SHOWN + 3);
    }
}
