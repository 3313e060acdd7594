//! What Kubernetes itself checks and fills in: names, Services, and slices of endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::refusal::Flaw;
use super::resource::{Resource, SERVICES, SLICES};

/// The most endpoints of a slice.
const MAX_ENDPOINTS: usize = 1_000;

/// What is wrong with an object's name, labels and annotations.
pub(super) fn metadata(resource: &Resource, metadata: &Value) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let name = metadata["name"].as_str().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label =
        |text: &str| !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with('-') && !text.ends_with('-');
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let fits = match resource {
        resource if *resource == SERVICES => name.len() <= 63 && is_label(name) && begins_well,
        _ => name.len() <= 253 && name.split('.').all(is_label),
    };
    if !fits {
        flaws.push(Flaw::invalid("metadata.name", &metadata["name"], "no object may be called so"));
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or("\0");
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let ends = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
        if text.len() > 63 || !letters || !ends(text.bytes().next()) || !ends(text.bytes().last()) || !is_key(key) {
            let message =
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'";
            flaws.push(Flaw::invalid("metadata.labels", value, message));
        }
    }
    let annotations = metadata["annotations"].as_object();
    for (key, _) in annotations.into_iter().flatten().filter(|(key, _)| !is_key(key)) {
        flaws.push(Flaw::invalid(
            "metadata.annotations",
            &json!(key),
            "name part must consist of alphanumeric characters",
        ));
    }
    let lengths = annotations.into_iter().flatten();
    let size: usize = lengths.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > 256 << 10 {
        let message = "Too long: may not be more than 262144 bytes";
        flaws.push(Flaw::new("metadata.annotations", "FieldValueTooLong", message));
    }
    flaws
}

/// Fills in what is left out of an object of Kubernetes' own, and says what is wrong with it. `before`: what it is
/// changed from.
pub(super) fn complete(resource: &Resource, object: &mut Value, before: Option<&Value>, number: u64) -> Vec<Flaw> {
    match resource {
        resource if *resource == SERVICES => service(object, number),
        resource if *resource == SLICES => slice(object, before),
        _ => Vec::new(),
    }
}

fn service(object: &mut Value, number: u64) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let spec = &mut object["spec"];
    let mut names = BTreeSet::new();
    let ports = spec["ports"].as_array().cloned().unwrap_or_default();
    if ports.is_empty() && spec["clusterIP"] != "None" {
        flaws.push(Flaw::required("spec.ports"));
    }
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        if !port["port"].as_i64().is_some_and(|port| (1..=65_535).contains(&port)) {
            flaws.push(Flaw::invalid(&format!("{at}.port"), &port["port"], "must be between 1 and 65535, inclusive"));
        }
        if !names.insert(port["name"].as_str().unwrap_or_default().to_owned()) {
            flaws.push(Flaw::new(&format!("{at}.name"), "FieldValueDuplicate", "Duplicate value"));
        }
        let filled = [("protocol", json!("TCP")), ("targetPort", port["port"].clone())];
        for (key, value) in filled {
            if spec["ports"][index][key].is_null() {
                spec["ports"][index][key] = value;
            }
        }
    }
    for (key, value) in [
        ("type", json!("ClusterIP")),
        ("clusterIP", json!(format!("10.96.{}.{}", number / 256 % 256, number % 256))),
        ("sessionAffinity", json!("None")),
    ] {
        if spec[key].is_null() {
            spec[key] = value;
        }
    }
    flaws
}

fn slice(object: &Value, before: Option<&Value>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let family = object["addressType"].as_str().unwrap_or_default();
    if !["IPv4", "IPv6", "FQDN"].contains(&family) {
        flaws.push(Flaw::new("addressType", "FieldValueNotSupported", "Unsupported value"));
    }
    if before.is_some_and(|before| before["addressType"] != object["addressType"]) {
        flaws.push(Flaw::invalid("addressType", &object["addressType"], "field is immutable"));
    }
    let endpoints = object["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    if endpoints.len() > MAX_ENDPOINTS {
        let message = format!("Too many: {}: must have at most {MAX_ENDPOINTS} items", endpoints.len());
        flaws.push(Flaw::new("endpoints", "FieldValueTooMany", message));
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let addresses = endpoint["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
        if addresses.is_empty() {
            flaws.push(Flaw::required(&format!("endpoints[{index}].addresses")));
        }
        for (place, address) in addresses.iter().enumerate() {
            if let Some(message) = wrong_address(address, family) {
                flaws.push(Flaw::invalid(&format!("endpoints[{index}].addresses[{place}]"), address, message));
            }
        }
    }
    for (index, port) in object["ports"].as_array().into_iter().flatten().enumerate() {
        if !port["port"].as_i64().is_some_and(|port| (1..=65_535).contains(&port)) {
            let at = format!("ports[{index}].port");
            flaws.push(Flaw::invalid(&at, &port["port"], "must be between 1 and 65535, inclusive"));
        }
    }
    flaws
}

/// Where no endpoint may be: what a node takes for itself.
fn wrong_address(address: &Value, family: &str) -> Option<&'static str> {
    let Some(address) = address.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
        return Some("must be a valid IP address");
    };
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match (address, family) {
        (IpAddr::V4(_), "IPv6") | (IpAddr::V6(_), "IPv4") => Some("must be of the slice's family"),
        (address, _) if address.is_loopback() => Some("may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (address, _) if address.is_unspecified() => Some("may not be unspecified (0.0.0.0 or ::)"),
        (address, _) if address.is_multicast() => Some("may not be in the multicast range"),
        _ if is_link_local => Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        _ => None,
    }
}

/// Whether labels and annotations may be called so.
fn is_key(key: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && (1..=63).contains(&name.len()) && key.matches('/').count() <= 1
}
