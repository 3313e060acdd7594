//! The parameters of a command, whatever way they came.

use std::sync::Arc;

use super::error::ClusterError;
use super::guid::Guid;
use super::time;
use crate::yson::{Node, Yson, YsonMap};

/// Parameters by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(YsonMap);

// === impl Parameters ===

impl Parameters {
    /// These parameters.
    pub(super) fn new(fields: YsonMap) -> Self {
        Self(fields)
    }

    /// All of them.
    #[must_use]
    pub fn fields(&self) -> &YsonMap {
        &self.0
    }

    /// Later ones win; maps are merged.
    pub(super) fn patch(&mut self, fields: YsonMap) {
        patch(&mut self.0, fields);
    }

    /// With this parameter instead.
    pub(super) fn set(&mut self, name: &str, value: Yson) {
        self.0.insert(name.into(), value);
    }

    /// A parameter; absent and `#` are the same.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Yson> {
        self.0.get(name.as_bytes()).filter(|value| !value.is_entity())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&Yson, ClusterError> {
        self.find(name).ok_or_else(|| ClusterError::generic(format!("Missing required parameter /{name}")))
    }

    /// A text, if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ClusterError> {
        self.find(name).map(|value| value.as_str().ok_or_else(|| malformed(name, "string", value))).transpose()
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, name: &str) -> Result<&str, ClusterError> {
        let value = self.required(name)?;
        value.as_str().ok_or_else(|| malformed(name, "string", value))
    }

    /// A yes or no.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ClusterError> {
        let Some(value) = self.find(name) else { return Ok(default) };
        match &value.node {
            Node::Bool(value) => Ok(*value),
            // Query strings have no booleans.
            Node::String(text) if text == b"true" => Ok(true),
            Node::String(text) if text == b"false" => Ok(false),
            Node::Int64(0) | Node::Uint64(0) => Ok(false),
            Node::Int64(1) | Node::Uint64(1) => Ok(true),
            _ => Err(malformed(name, "boolean", value)),
        }
    }

    /// A number that is not negative, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ClusterError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
        number.map(Some).ok_or_else(|| malformed(name, "non-negative integer", value))
    }

    /// A moment in microseconds since 1970, if it is there.
    pub(super) fn moment(&self, name: &str) -> Result<Option<i64>, ClusterError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let moment = value.as_str().and_then(time::micros);
        moment.map(Some).ok_or_else(|| malformed(name, "instant", value))
    }

    /// Texts, if they are there.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, ClusterError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let texts = value.as_list().and_then(|items| items.iter().map(Yson::as_str).collect());
        texts.map(Some).ok_or_else(|| malformed(name, "list of strings", value))
    }

    /// An id, if it is there.
    pub(super) fn guid(&self, name: &str) -> Result<Option<Guid>, ClusterError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let guid = value.as_str().and_then(|text| text.parse().ok());
        guid.map(Some).ok_or_else(|| malformed(name, "GUID", value))
    }

    /// The transaction that the command runs in.
    pub(super) fn transaction(&self) -> Result<Option<Guid>, ClusterError> {
        Ok(self.guid("transaction_id")?.filter(|id| *id != Guid::NULL))
    }
}

fn malformed(name: &str, expected: &str, value: &Yson) -> ClusterError {
    ClusterError::generic(format!("Error reading parameter /{name}"))
        .because(ClusterError::generic(format!("expected {expected}, got {value}")))
}

fn patch(fields: &mut YsonMap, changes: YsonMap) {
    for (key, change) in changes {
        match (fields.get_mut(&key), change) {
            (Some(Yson { node: Node::Map(old), .. }), Yson { attributes, node: Node::Map(new) })
                if attributes.is_empty() =>
            {
                patch(Arc::make_mut(old), Arc::unwrap_or_clone(new));
            }
            (_, change) => {
                fields.insert(key, change);
            }
        }
    }
}
