//! Attributes: small named values of objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::{list, part, text};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::Datatype;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;

/// A named value of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its extent.
    pub dataspace: Dataspace,
    /// Its elements.
    pub value: AttributeValue,
}

/// The elements of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// As they lie in memory: what has elements of one size.
    Binary(Bytes),
    /// As the server writes them: what has elements of any size.
    Json(Value),
    /// None, or none was ever written.
    Unwritten,
}

impl Session {
    /// The attributes of an object in the order of their names, at most `limit`, after the one named
    /// `after`.
    ///
    /// # Errors
    /// [`HsdsError::NotFound`] also if there is no attribute `after`; others.
    pub async fn attributes(
        &self,
        domain: &DomainName,
        object: ObjectId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Attribute>, HsdsError> {
        let path = [object.collection().as_str(), &object.to_string(), "attributes"];
        let mut call = self.call(Method::GET, &path, domain);
        call = call.query("IncludeData", 1).query("encoding", "base64").query("Limit", limit);
        if let Some(after) = after {
            call = call.query("Marker", after);
        }
        let answer = self.json(call).await?;
        list(&answer, "attributes")?.iter().map(read).collect()
    }

    /// Writes attributes of an object. One that is there already, and the same, is no error.
    ///
    /// # Errors
    /// [`HsdsError::Conflict`] if one is there, and another, unless they are to be replaced. Others.
    pub async fn put_attributes(
        &self,
        domain: &DomainName,
        object: ObjectId,
        attributes: &[Attribute],
        replace: bool,
    ) -> Result<(), HsdsError> {
        if attributes.is_empty() {
            return Ok(());
        }
        let path = [object.collection().as_str(), &object.to_string(), "attributes"];
        let call = self.call(Method::PUT, &path, domain).flag("replace", replace);
        self.ask(call.body(&json!({"attributes": wanted(attributes)}))).await.map(|_| ())
    }
}

/// Attributes as requests have them.
pub(super) fn wanted(attributes: &[Attribute]) -> Map<String, Value> {
    attributes.iter().map(|attribute| (attribute.name.clone(), wanted_one(attribute))).collect()
}

fn wanted_one(attribute: &Attribute) -> Value {
    let mut body = json!({"type": attribute.datatype.wanted(), "shape": attribute.dataspace.shape()});
    let (value, is_binary) = match &attribute.value {
        // The server loses the value of no elements unless it is written as a list.
        AttributeValue::Binary(bytes) if bytes.is_empty() => (json!([]), false),
        AttributeValue::Binary(bytes) => (Value::String(STANDARD.encode(bytes)), true),
        AttributeValue::Json(value) => (value.clone(), false),
        AttributeValue::Unwritten => return body,
    };
    if let Some(body) = body.as_object_mut() {
        body.insert("value".to_owned(), value);
        if is_binary {
            body.insert("encoding".to_owned(), json!("base64"));
        }
    }
    body
}

fn read(attribute: &Value) -> Result<Attribute, HsdsError> {
    let value = match (attribute.get("encoding").and_then(Value::as_str), attribute.get("value")) {
        (_, None | Some(Value::Null)) => AttributeValue::Unwritten,
        (Some("base64"), Some(Value::String(text))) => {
            AttributeValue::Binary(STANDARD.decode(text).map_err(HsdsError::malformed)?.into())
        }
        (_, Some(value)) => AttributeValue::Json(value.clone()),
    };
    Ok(Attribute {
        name: text(attribute, "name")?,
        datatype: Datatype::read(part(attribute, "type")?).map_err(HsdsError::malformed)?,
        dataspace: Dataspace::read(part(attribute, "shape")?).map_err(HsdsError::malformed)?,
        value,
    })
}
