//! The form of `names.json`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::discovery::inventory::ServiceKey;
use crate::registry::names::NamedId;

/// The version of the form. Another one is not read.
const VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesFile<Text> {
    version: u32,
    /// Id, operation, task and service. First those of services that went, who went first before the
    /// others.
    names: Vec<[Text; 4]>,
}

/// The start of any version of the file.
#[derive(Debug, Deserialize)]
struct AnyVersion {
    version: u32,
}

/// What a file has.
#[derive(Debug)]
pub(super) struct Names {
    /// The ids, in the order of the file.
    pub(super) ids: Vec<NamedId>,
    /// How many entries have an id that is none of their names.
    pub(super) strange: usize,
}

/// Why bytes are no such file.
#[derive(Debug, Error)]
pub(super) enum InvalidNames {
    #[error("not a list of names: {0}")]
    Json(#[from] serde_json::Error),
    #[error("is of version {0}, and this release reads version {VERSION}")]
    Version(u32),
}

/// Reads a file.
///
/// # Errors
/// [`InvalidNames`].
pub(super) fn decode(bytes: &[u8]) -> Result<Names, InvalidNames> {
    let AnyVersion { version } = serde_json::from_slice(bytes)?;
    if version != VERSION {
        return Err(InvalidNames::Version(version));
    }
    let file: NamesFile<String> = serde_json::from_slice(bytes)?;
    let all = file.names.len();
    let named = file.names.into_iter().filter_map(|[id, operation, task, service]| {
        NamedId::new(&id, Arc::new(ServiceKey { operation, task, service }))
    });
    let ids: Vec<NamedId> = named.collect();
    let strange = all - ids.len();
    Ok(Names { ids, strange })
}

/// Writes a file.
///
/// # Errors
/// [`serde_json::Error`]; with names that are text, that does not happen.
pub(super) fn encode(ids: &[NamedId]) -> Result<Vec<u8>, serde_json::Error> {
    let names = ids.iter().map(|named| {
        let key = named.key();
        [named.id().as_str(), &key.operation, &key.task, &key.service]
    });
    let mut bytes = serde_json::to_vec(&NamesFile { version: VERSION, names: names.collect() })?;
    bytes.push(b'\n');
    Ok(bytes)
}
