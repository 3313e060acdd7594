//! Attributes: small named values of objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::{ListOrder, list, part, text};
use crate::hsds::client::error::HsdsError;
use crate::hsds::client::{Call, Session};
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::{Class, Datatype};
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
    /// The attributes of an object in that order, at most `limit`, after the one named `after`.
    ///
    /// # Errors
    /// [`HsdsError::NotFound`] also if there is no attribute `after`; others.
    pub async fn attributes(
        &self,
        domain: &DomainName,
        object: ObjectId,
        order: ListOrder,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Attribute>, HsdsError> {
        let path = [object.collection().as_str(), &object.to_string(), "attributes"];
        let mut call = self.call(Method::GET, &path, domain);
        call = call
            .query("IncludeData", 1)
            .query("encoding", "base64")
            .query("Limit", limit)
            .flag("CreateOrder", order == ListOrder::Creation);
        if let Some(after) = after {
            call = call.query("Marker", after);
        }
        let answer = self.json(call).await?;
        list(&answer, "attributes")?.iter().map(read).collect()
    }

    /// The attribute of that name.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn attribute(&self, domain: &DomainName, object: ObjectId, name: &str) -> Result<Attribute, HsdsError> {
        let path = [object.collection().as_str(), &object.to_string(), "attributes"];
        let call = self.call(Method::POST, &path, domain).query("IncludeData", 1).query("encoding", "base64");
        let answer = self.json(call.body(&json!({"attr_names": [name]}))).await?;
        list(&answer, "attributes")?.first().ok_or(HsdsError::NotFound).and_then(read)
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
        let body = wanted(attributes);
        if !body.is_empty() {
            self.ask(self.putting(domain, object, &body, replace)).await?;
        }
        self.put_raw_attributes(domain, object, attributes, replace).await
    }

    /// A request that writes attributes.
    fn putting(&self, domain: &DomainName, object: ObjectId, body: &Map<String, Value>, replace: bool) -> Call {
        let path = [object.collection().as_str(), &object.to_string(), "attributes"];
        self.call(Method::PUT, &path, domain).flag("replace", replace).body(&json!({"attributes": body}))
    }

    /// Writes those of the attributes that [`wanted`] leaves out.
    pub(super) async fn put_raw_attributes(
        &self,
        domain: &DomainName,
        object: ObjectId,
        attributes: &[Attribute],
        replace: bool,
    ) -> Result<(), HsdsError> {
        for attribute in attributes {
            if let Some(bytes) = raw(attribute) {
                self.put_raw_attribute(domain, object, attribute, bytes, replace).await?;
            }
        }
        Ok(())
    }

    /// Writes an attribute, and its elements after that.
    async fn put_raw_attribute(
        &self,
        domain: &DomainName,
        object: ObjectId,
        attribute: &Attribute,
        bytes: &Bytes,
        replace: bool,
    ) -> Result<(), HsdsError> {
        // In an address those two would lead to somewhere else.
        if matches!(attribute.name.as_str(), "." | "..") {
            return Err(HsdsError::BadRequest {
                reason: "an attribute of that name can't have these bytes".to_owned(),
            });
        }
        let empty = Attribute { value: AttributeValue::Unwritten, ..attribute.clone() };
        let body = Map::from_iter([(attribute.name.clone(), wanted_one(&empty))]);
        match self.ask(self.putting(domain, object, &body, replace)).await {
            Err(HsdsError::Conflict) => {
                let found = self.attribute(domain, object, &attribute.name).await?;
                if found == *attribute {
                    return Ok(());
                }
                // Without its elements it is what an attempt left that did not come to its end.
                if found != empty {
                    return Err(HsdsError::Conflict);
                }
            }
            other => other.map(|_| ())?,
        }
        let path = [object.collection().as_str(), &object.to_string(), "attributes", &attribute.name, "value"];
        self.ask(self.call(Method::PUT, &path, domain).binary_body(bytes.clone())).await.map(|_| ())
    }
}

/// Attributes as requests have them, apart from those whose elements must be written on their own.
pub(super) fn wanted(attributes: &[Attribute]) -> Map<String, Value> {
    let usual = attributes.iter().filter(|attribute| raw(attribute).is_none());
    usual.map(|attribute| (attribute.name.clone(), wanted_one(attribute))).collect()
}

/// The bytes of elements that must be written on their own: text that is none. The server would lose
/// them, and then answer no question about any attribute of the object.
fn raw(attribute: &Attribute) -> Option<&Bytes> {
    match &attribute.value {
        AttributeValue::Binary(bytes) if has_text(&attribute.datatype) => {
            std::str::from_utf8(bytes).is_err().then_some(bytes)
        }
        AttributeValue::Binary(_) | AttributeValue::Json(_) | AttributeValue::Unwritten => None,
    }
}

fn has_text(datatype: &Datatype) -> bool {
    match datatype.class() {
        Class::Text(_) => true,
        Class::Array { base, .. } | Class::Variable(base) => has_text(base),
        Class::Compound(fields) => fields.iter().any(|field| has_text(&field.datatype)),
        Class::Bitfield(_)
        | Class::Enumeration { .. }
        | Class::Float(_)
        | Class::Integer(_)
        | Class::Opaque { .. }
        | Class::Reference(_) => false,
    }
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
