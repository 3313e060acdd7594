//! The wire form of a services file.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};

use crate::discovery::inventory::{Entry, Problem, ServiceKey};
use crate::discovery::policy::{Grantee, Level, MAX_GRANTS, Policy};
use crate::discovery::written::{Named, Written};
use crate::dns::name::Place;
use crate::yaml::{self, InvalidYaml};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicesFile {
    services: Services,
}

/// The services of a file. They are read one by one, so that a bad one costs itself alone and a
/// large file is never in memory as a whole.
#[derive(Debug)]
struct Services(Written);

/// One service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    operation: String,
    #[serde(default)]
    alias: Option<String>,
    task: String,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default = "http")]
    protocol: Protocol,
    endpoints: Vec<RowEndpoint>,
    access: AccessLevel,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    grants: Vec<RowGrant>,
    #[serde(default)]
    forward_credential: bool,
    #[serde(default)]
    names: Vec<String>,
}

/// An address and a port, alone or with a weight.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RowEndpoint {
    Plain(String),
    Weighted(WeightedEndpoint),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightedEndpoint {
    address: String,
    #[serde(default = "one")]
    weight: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowGrant {
    to: String,
    level: RowLevel,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum RowLevel {
    #[serde(rename = "can_manage")]
    Manage,
    #[serde(rename = "can_read")]
    Read,
    #[serde(rename = "can_write")]
    Write,
}

/// In which form a services file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Many times faster to read, for files that programs write.
    Json,
    Yaml,
}

/// Reads a services file.
///
/// # Errors
/// [`InvalidYaml`] where the file is no list of services at all.
pub(super) fn read(text: &str, form: Form) -> Result<Written, InvalidYaml> {
    let file: ServicesFile = match form {
        Form::Json => yaml::parse_json(text)?,
        Form::Yaml => yaml::parse(text)?,
    };
    Ok(file.services.0)
}

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_seq`: YAML's nothing would read as an empty list, and a file that ends
        // after `services:` must not.
        deserializer.deserialize_any(ServicesVisitor)
    }
}

struct ServicesVisitor;

impl<'de> Visitor<'de> for ServicesVisitor {
    type Value = Services;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of services, `[]` for none")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Services, A::Error> {
        let mut written = Written::default();
        let mut seen = HashSet::new();
        for index in 0_usize.. {
            let Some(value) = items.next_element::<serde_json::Value>()? else { break };
            let subject = subject(index, &value);
            let service = yaml::parse_value::<Row>(value).map_err(|error| error.to_string()).and_then(Row::service);
            match service {
                Ok((entry, _)) if !seen.insert(Arc::clone(&entry.key)) => {
                    let reason = "has the same operation, task and service as one before it".to_owned();
                    written.inventory.problems.push(Problem { subject, reason });
                }
                Ok((entry, places)) if places.is_empty() => written.inventory.services.push(Arc::new(entry)),
                Ok((entry, places)) => {
                    written.named.push(Named { subject, entry: Arc::new(entry), places, told: None });
                }
                Err(reason) => written.inventory.problems.push(Problem { subject, reason }),
            }
        }
        Ok(Services(written))
    }
}

impl Row {
    /// The service; where a name is among its endpoints, these as they are written, and none in it.
    fn service(self) -> Result<(Entry, Vec<(Place, u8)>), String> {
        let row = self;
        let mut names = match (row.service, row.services) {
            (Some(service), services) if services.is_empty() => vec![service],
            (None, services) if !services.is_empty() => services,
            _ => return Err("set either `service` or a list `services`".into()),
        };
        let mut distinct = HashSet::new();
        names.retain(|name| distinct.insert(name.clone()));
        let service = names.remove(0);
        if row.grants.len() > MAX_GRANTS {
            return Err(format!("has more than {MAX_GRANTS} grants; give them to a group"));
        }
        let mut places = row.endpoints.iter().map(RowEndpoint::place).collect::<Result<Vec<_>, _>>()?;
        let mut endpoints = Vec::new();
        if !places.iter().any(|(place, _)| matches!(place, Place::Name(..))) {
            endpoints.extend(places.drain(..).filter_map(|(place, weight)| match place {
                Place::Address(address) => Some(Endpoint { address, weight }),
                Place::Name(..) => None,
            }));
        }
        let policy = Policy {
            access: row.access,
            owner: row.owner,
            grants: row.grants.into_iter().map(RowGrant::grant).collect::<Result<_, _>>()?,
            revision: 0,
        };
        let entry = Entry {
            key: Arc::new(ServiceKey { operation: row.operation, task: row.task, service }),
            alternatives: names,
            alias: row.alias.map(|alias| alias.strip_prefix('*').map(ToOwned::to_owned).unwrap_or(alias)),
            protocol: row.protocol,
            endpoints,
            policy,
            forward_credential: row.forward_credential,
            names: row.names,
            vouched: false,
            path: None,
        };
        Ok((entry, places))
    }
}

impl RowEndpoint {
    fn place(&self) -> Result<(Place, u8), String> {
        let (address, weight) = match self {
            Self::Plain(address) => (address, one()),
            Self::Weighted(endpoint) => (&endpoint.address, endpoint.weight),
        };
        let place = Place::parse(address).ok_or_else(|| {
            format!("endpoint `{}` is neither `ip:port` (IPv6 in brackets) nor `name:port`", excerpt(address))
        })?;
        Ok((place, weight))
    }
}

impl RowGrant {
    fn grant(self) -> Result<(Grantee, Level), String> {
        let grantee = match self.to.strip_prefix("group:") {
            Some("") => return Err("a grant to `group:` names no group".into()),
            Some(group) => Grantee::Group(group.to_owned()),
            None if self.to == "*" => Grantee::Everybody,
            None if self.to.is_empty() => return Err("a grant names nobody; write `*` for everybody".into()),
            None => Grantee::Actor(self.to),
        };
        let level = match self.level {
            RowLevel::Manage => Level::CanManage,
            RowLevel::Read => Level::CanRead,
            RowLevel::Write => Level::CanWrite,
        };
        Ok((grantee, level))
    }
}

/// What a problem is about: the place in the file, and the operation where it can be read.
fn subject(index: usize, value: &serde_json::Value) -> String {
    match value.get("operation").and_then(serde_json::Value::as_str) {
        Some(operation) => format!("services[{index}] of operation {}", excerpt(operation)),
        None => format!("services[{index}]"),
    }
}

/// The start of a text that someone else wrote, for a message.
fn excerpt(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(80).collect()
}

const fn http() -> Protocol {
    Protocol::Http
}

const fn one() -> u8 {
    1
}
