//! The requests of HSDS's API, one file a kind of thing. All are methods of
//! [`Session`](crate::hsds::client::Session).
//!
//! Names of links and attributes travel in bodies, never in addresses: they may be anything.

pub mod acls;
pub mod attributes;
pub mod create;
pub mod domains;
pub mod incarnation;
pub mod links;
pub mod objects;
pub mod probes;
pub mod values;

use serde_json::Value;

use crate::hsds::client::error::HsdsError;
use crate::hsds::id::ObjectId;

/// In which order links and attributes are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// By their names.
    Names,
    /// As they were made.
    Creation,
}

impl ListOrder {
    /// How many may be made in one request, of so many: the server makes those of one request in any order.
    #[must_use]
    pub fn together(self, count: usize) -> usize {
        match self {
            Self::Names => count.max(1),
            Self::Creation => 1,
        }
    }
}

/// A part of an answer that must be there.
fn part<'a>(value: &'a Value, key: &str) -> Result<&'a Value, HsdsError> {
    value.get(key).ok_or_else(|| HsdsError::malformed(format_args!("`{key}` is missing")))
}

fn text(value: &Value, key: &str) -> Result<String, HsdsError> {
    part(value, key)?
        .as_str()
        .map(ToOwned::to_owned)
        .ok_or_else(|| HsdsError::malformed(format_args!("`{key}` is no text")))
}

fn id(value: &Value, key: &str) -> Result<ObjectId, HsdsError> {
    let text = text(value, key)?;
    ObjectId::parse(&text).map_err(|error| HsdsError::malformed(format_args!("`{key}` {error}")))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, HsdsError> {
    part(value, key)?.as_array().ok_or_else(|| HsdsError::malformed(format_args!("`{key}` is no list")))
}
