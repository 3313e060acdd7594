//! Making objects.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::attributes::{self, Attribute};
use crate::hsds::calls::links::{self, Link};
use crate::hsds::calls::{list, objects};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::Datatype;
use crate::hsds::domain::DomainName;
use crate::hsds::id::{Collection, ObjectId};

/// An object that is to be.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Its id, if that is not the server's to choose. With an id, making it twice is
    /// [`HsdsError::BadRequest`].
    pub id: Option<ObjectId>,
    /// The group that it gets a name in, and the name.
    pub link: Option<(ObjectId, String)>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// What it is.
    pub kind: NewKind,
}

/// What an object is that is to be.
#[derive(Clone, Debug)]
pub enum NewKind {
    /// A committed type.
    Datatype(Datatype),
    /// A dataset.
    Dataset {
        /// The type of its elements; a committed one must be in the same domain.
        datatype: Datatype,
        /// Its extent.
        dataspace: Dataspace,
        /// Its layout, fill value, filters.
        creation: Map<String, Value>,
    },
    /// A group, with links.
    Group(Vec<Link>),
}

impl NewObject {
    /// An object with neither name nor attributes.
    #[must_use]
    pub fn new(kind: NewKind) -> Self {
        Self { id: None, link: None, attributes: Vec::new(), kind }
    }

    fn collection(&self) -> Collection {
        match self.kind {
            NewKind::Datatype(_) => Collection::Datatypes,
            NewKind::Dataset { .. } => Collection::Datasets,
            NewKind::Group(_) => Collection::Groups,
        }
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if let Some(id) = self.id {
            set("id", json!(id.to_string()));
        }
        if let Some((parent, name)) = &self.link {
            set("link", json!({"id": parent.to_string(), "name": name}));
        }
        if !self.attributes.is_empty() {
            set("attributes", attributes::wanted(&self.attributes).into());
        }
        match &self.kind {
            NewKind::Datatype(datatype) => {
                set("type", datatype.clone().with_committed(None).json().clone());
            }
            NewKind::Dataset { datatype, dataspace, creation } => {
                set("type", datatype.wanted());
                set("shape", dataspace.shape());
                if let Some(max) = dataspace.max_shape() {
                    set("maxdims", max);
                }
                if !creation.is_empty() {
                    set("creationProperties", creation.clone().into());
                }
            }
            NewKind::Group(links) => {
                if !links.is_empty() {
                    let links: Map<String, Value> =
                        links.iter().map(|link| (link.name.clone(), links::wanted(&link.target))).collect();
                    set("links", links.into());
                }
            }
        }
        body.into()
    }
}

impl Session {
    /// Makes an object.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] also if its id is taken; [`HsdsError::Conflict`] if its name is, in
    /// which case the object was made all the same. Others.
    pub async fn create(&self, domain: &DomainName, object: &NewObject) -> Result<objects::Object, HsdsError> {
        let call = self.call(Method::POST, &[object.collection().as_str()], domain).body(&object.body());
        let call = if object.id.is_some() { call } else { call.once() };
        objects::read(&self.json(call).await?)
    }

    /// Makes many objects of one collection in one request. Committed types that datasets have must be
    /// made one by one.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] also if one id is taken, whereupon others may have been made or not.
    /// Others.
    pub async fn create_many(
        &self,
        domain: &DomainName,
        collection: Collection,
        wanted: &[NewObject],
    ) -> Result<Vec<ObjectId>, HsdsError> {
        match wanted {
            [] => return Ok(Vec::new()),
            [one] => return Ok(vec![self.create(domain, one).await?.id]),
            many if many.iter().any(|object| object.collection() != collection) => {
                return Err(HsdsError::BadRequest { reason: "objects of another collection".to_owned() });
            }
            _ => {}
        }
        let bodies: Vec<Value> = wanted.iter().map(NewObject::body).collect();
        let call = self.call(Method::POST, &[collection.as_str()], domain).body(&bodies);
        let call = if wanted.iter().all(|object| object.id.is_some()) { call } else { call.once() };
        let answer = self.json(call).await?;
        list(&answer, "objects")?.iter().map(|object| super::id(object, "id")).collect()
    }
}
