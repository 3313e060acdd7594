//! A value of YSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::json_writer::{self, JsonOptions};
use super::writer::{self, YsonFormat};
use super::{JsonError, YsonError, json_reader, reader};

/// Values by key, ordered: the content of a map, or attributes.
pub type YsonMap = BTreeMap<Vec<u8>, Yson>;

/// A value with its attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Yson {
    /// Its attributes, mostly none.
    pub attributes: YsonMap,
    /// What it is.
    pub node: Node,
}

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Node {
    /// `#`, nothing.
    #[default]
    Entity,
    /// `%true` or `%false`.
    Bool(bool),
    /// A signed number.
    Int64(i64),
    /// An unsigned number.
    Uint64(u64),
    /// A floating point number, NaN and infinities included.
    Double(f64),
    /// Bytes.
    String(Vec<u8>),
    /// Values in order.
    List(Vec<Yson>),
    /// Values by key. Shared, so that an answer about a thousand things does not copy them.
    Map(Arc<YsonMap>),
}

// === impl Yson ===

impl Yson {
    /// `#`.
    #[must_use]
    pub fn entity() -> Self {
        Self::default()
    }

    /// A map of these fields.
    pub fn map<K: Into<Vec<u8>>, V: Into<Self>>(fields: impl IntoIterator<Item = (K, V)>) -> Self {
        fields.into_iter().map(|(key, value)| (key.into(), value.into())).collect::<YsonMap>().into()
    }

    /// A list of these items.
    pub fn list<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        items.into_iter().map(Into::into).collect::<Vec<_>>().into()
    }

    /// The value that this text or binary YSON stands for.
    ///
    /// # Errors
    /// It is not exactly one value.
    pub fn parse(yson: impl AsRef<[u8]>) -> Result<Self, YsonError> {
        reader::value(yson.as_ref())
    }

    /// The values of a list without brackets, as tables are written: `{a=1};{a=2};`.
    ///
    /// # Errors
    /// It is not such a list.
    pub fn parse_rows(yson: impl AsRef<[u8]>) -> Result<Vec<Self>, YsonError> {
        reader::rows(yson.as_ref())
    }

    /// The value that this JSON stands for: `$value` and `$attributes` are read, one `$` of other keys is
    /// taken off. With `encode_utf8` each character is one byte, as the server has it by default.
    ///
    /// # Errors
    /// It is not exactly one value of JSON, or a character is no byte.
    pub fn parse_json(json: &[u8], encode_utf8: bool) -> Result<Self, JsonError> {
        json_reader::value(json, encode_utf8)
    }

    /// The values of JSON documents that stand one after the other, as tables are written.
    ///
    /// # Errors
    /// As [`Yson::parse_json`].
    pub fn parse_json_rows(json: &[u8], encode_utf8: bool) -> Result<Vec<Self>, JsonError> {
        json_reader::rows(json, encode_utf8)
    }

    /// With this attribute too.
    #[must_use]
    pub fn with_attribute(mut self, key: &str, value: impl Into<Self>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    /// The field of a map; none if it isn't one.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key.as_bytes())
    }

    /// What a chain of fields and, in lists, indexes leads to: `at(&["jobs", "0", "id"])`.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, step| match &value.node {
            Node::Map(map) => map.get(step.as_bytes()),
            Node::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Self> {
        self.attributes.get(key.as_bytes())
    }

    /// Whether it is `#`.
    #[must_use]
    pub fn is_entity(&self) -> bool {
        matches!(self.node, Node::Entity)
    }

    /// Its fields, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&YsonMap> {
        if let Node::Map(map) = &self.node { Some(map) } else { None }
    }

    /// Its fields to change, if it is a map.
    pub fn as_map_mut(&mut self) -> Option<&mut YsonMap> {
        if let Node::Map(map) = &mut self.node { Some(Arc::make_mut(map)) } else { None }
    }

    /// Its items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Node::List(items) = &self.node { Some(items) } else { None }
    }

    /// Its bytes, if it is a string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Node::String(bytes) = &self.node { Some(bytes) } else { None }
    }

    /// Its text, if it is a string of UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// Whether it is `%true`, if it is a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Node::Bool(value) = self.node { Some(value) } else { None }
    }

    /// Its number, if it is signed, or unsigned and small enough.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.node {
            Node::Int64(value) => Some(value),
            Node::Uint64(value) => i64::try_from(value).ok(),
            _ => None,
        }
    }

    /// Its number, if it is a floating point number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Node::Double(value) = self.node { Some(value) } else { None }
    }

    /// As YSON, the way the server writes it.
    #[must_use]
    pub fn to_bytes(&self, format: YsonFormat) -> Vec<u8> {
        let mut out = Vec::new();
        writer::value(self, format, &mut out);
        out
    }

    /// As JSON, the way the server writes it with these options.
    ///
    /// # Errors
    /// Something in it can't be JSON with these options; then there is no JSON of any of it.
    pub fn to_json(&self, options: &JsonOptions) -> Result<Vec<u8>, JsonError> {
        let mut out = Vec::new();
        json_writer::value(self, options, &mut out)?;
        Ok(out)
    }
}

impl fmt::Display for Yson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text YSON is ASCII: all other bytes are escaped.
        formatter.write_str(&String::from_utf8_lossy(&self.to_bytes(YsonFormat::Text)))
    }
}

impl From<Node> for Yson {
    fn from(node: Node) -> Self {
        Self { attributes: YsonMap::new(), node }
    }
}

impl From<bool> for Yson {
    fn from(value: bool) -> Self {
        Node::Bool(value).into()
    }
}

impl From<i64> for Yson {
    fn from(value: i64) -> Self {
        Node::Int64(value).into()
    }
}

impl From<u64> for Yson {
    fn from(value: u64) -> Self {
        Node::Uint64(value).into()
    }
}

impl From<f64> for Yson {
    fn from(value: f64) -> Self {
        Node::Double(value).into()
    }
}

impl From<&str> for Yson {
    fn from(value: &str) -> Self {
        Node::String(value.into()).into()
    }
}

impl From<String> for Yson {
    fn from(value: String) -> Self {
        Node::String(value.into()).into()
    }
}

impl From<&String> for Yson {
    fn from(value: &String) -> Self {
        value.as_str().into()
    }
}

impl From<&[u8]> for Yson {
    fn from(value: &[u8]) -> Self {
        Node::String(value.into()).into()
    }
}

impl From<Vec<Self>> for Yson {
    fn from(items: Vec<Self>) -> Self {
        Node::List(items).into()
    }
}

impl From<YsonMap> for Yson {
    fn from(fields: YsonMap) -> Self {
        Node::Map(Arc::new(fields)).into()
    }
}

impl<V: Into<Self>> From<Option<V>> for Yson {
    fn from(value: Option<V>) -> Self {
        value.map_or_else(Self::entity, Into::into)
    }
}
