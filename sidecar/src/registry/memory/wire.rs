//! The form of `names.json`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::discovery::inventory::ServiceKey;
use crate::registry::holders::Remembered;
use crate::registry::names::NamedId;
use crate::registry::names::friendly::name::FriendlyName;
use crate::registry::names::friendly::{HeldName, Holder};

/// The version of the form. A later one is not read.
const VERSION: u32 = 2;
/// The version of one without friendly names, which earlier releases read too.
const WITHOUT_FRIENDLY: u32 = 1;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesFile<Text> {
    version: u32,
    /// Id, operation, task and service. First those of services that went, who went first before the
    /// others.
    names: Vec<[Text; 4]>,
    /// Friendly names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    friendly: Vec<FriendlyEntry<Text>>,
}

/// A friendly name that is somebody's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendlyEntry<Text> {
    name: Text,
    /// Whose it is; none: of an operation that nobody owns.
    owner: Option<Text>,
    /// What has it, or had it last: operation, task and service.
    service: [Text; 3],
    /// Since when nothing claims it, in milliseconds since 1970.
    left_at: Option<UnixTime>,
}

/// The start of any version of the file.
#[derive(Debug, Deserialize)]
struct AnyVersion {
    version: u32,
}

/// What a file has.
#[derive(Debug)]
pub(super) struct Names {
    /// What is remembered, in the order of the file.
    pub(super) remembered: Remembered,
    /// How many entries can't be true.
    pub(super) strange: usize,
}

/// Why bytes are no such file.
#[derive(Debug, Error)]
pub(super) enum InvalidNames {
    #[error("not a list of names: {0}")]
    Json(#[from] serde_json::Error),
    #[error("is of version {0}, and this release reads versions {WITHOUT_FRIENDLY} to {VERSION}")]
    Version(u32),
}

/// Reads a file.
///
/// # Errors
/// [`InvalidNames`].
pub(super) fn decode(bytes: &[u8]) -> Result<Names, InvalidNames> {
    let AnyVersion { version } = serde_json::from_slice(bytes)?;
    if !(WITHOUT_FRIENDLY..=VERSION).contains(&version) {
        return Err(InvalidNames::Version(version));
    }
    let file: NamesFile<String> = serde_json::from_slice(bytes)?;
    let all = file.names.len() + file.friendly.len();
    let ids = file.names.into_iter().filter_map(|[id, operation, task, service]| {
        NamedId::new(&id, Arc::new(ServiceKey { operation, task, service }))
    });
    let friendly = file.friendly.into_iter().filter_map(|entry| {
        let name = FriendlyName::parse(&entry.name).ok()?;
        let [operation, task, service] = entry.service;
        let holder = entry.owner.map_or_else(|| Holder::Operation(operation.clone()), Holder::Owner);
        Some(HeldName { name, holder, key: Arc::new(ServiceKey { operation, task, service }), left_at: entry.left_at })
    });
    let remembered = Remembered { ids: ids.collect(), friendly: friendly.collect() };
    let strange = all - remembered.ids.len() - remembered.friendly.len();
    Ok(Names { remembered, strange })
}

/// Writes a file.
///
/// # Errors
/// [`serde_json::Error`]; with names that are text, that does not happen.
pub(super) fn encode(Remembered { ids, friendly }: &Remembered) -> Result<Vec<u8>, serde_json::Error> {
    let names = ids.iter().map(|named| {
        let key = named.key();
        [named.id().as_str(), &key.operation, &key.task, &key.service]
    });
    let friendly: Vec<FriendlyEntry<&str>> = friendly
        .iter()
        .map(|HeldName { name, holder, key, left_at }| FriendlyEntry {
            name: name.label().as_str(),
            owner: match holder {
                Holder::Owner(owner) => Some(owner.as_str()),
                Holder::Operation(_) => None,
            },
            service: [&key.operation, &key.task, &key.service],
            left_at: *left_at,
        })
        .collect();
    let version = if friendly.is_empty() { WITHOUT_FRIENDLY } else { VERSION };
    let mut bytes = serde_json::to_vec(&NamesFile { version, names: names.collect(), friendly })?;
    bytes.push(b'\n');
    Ok(bytes)
}
