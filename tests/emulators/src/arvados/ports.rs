//! Published ports: which are accepted, and where they are reached.

use serde_json::{Map, Value};

use super::error::ApiError;

/// Whether published ports of a request are as they have to be.
///
/// # Errors
/// Which is not, and why.
pub(super) fn check(ports: &Value) -> Result<(), ApiError> {
    let Value::Object(ports) = ports else {
        return Err(ApiError::invalid("published_ports must be a hash"));
    };
    for (port, value) in ports {
        let refuse = |what: &str| Err(ApiError::invalid(format!("published_ports {port:?} {what}")));
        let is_decimal = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !is_decimal || !port.parse::<u32>().is_ok_and(|port| (1..=65_535).contains(&port)) {
            return refuse("is not a port number");
        }
        let Value::Object(fields) = value else { return refuse("must be a hash") };
        if fields.keys().any(|key| !["access", "label", "initial_path"].contains(&key.as_str())) {
            return refuse("has an unknown key");
        }
        if !matches!(fields.get("access").and_then(Value::as_str), Some("private" | "public")) {
            return refuse("must have access of \"private\" or \"public\"");
        }
        if fields.get("label").and_then(Value::as_str).is_none_or(str::is_empty) {
            return refuse("must have a label");
        }
        if !fields.get("initial_path").is_some_and(Value::is_string) {
            return refuse("must have an initial_path");
        }
    }
    Ok(())
}

/// The ports of a container that runs, with where they are reached.
pub(super) fn assigned(ports: &Value, container: &str, external_url: &str) -> Value {
    let Value::Object(ports) = ports else { return ports.clone() };
    let Some((before, after)) = external_url.split_once('*') else { return Value::Object(ports.clone()) };
    let with_url = |(port, value): (&String, &Value)| {
        let mut fields = value.as_object().cloned().unwrap_or_else(Map::new);
        let base = format!("{before}{container}-{port}{}/", after.trim_end_matches('/'));
        let path = fields.get("initial_path").and_then(Value::as_str).unwrap_or_default();
        let initial = format!("{base}{}", path.trim_start_matches('/'));
        fields.insert("base_url".into(), base.into());
        fields.insert("initial_url".into(), initial.into());
        (port.clone(), Value::Object(fields))
    };
    Value::Object(ports.iter().map(with_url).collect())
}
