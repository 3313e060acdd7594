//! Objects: where they are, and what they are.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::{ListOrder, id, part};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::Datatype;
use crate::hsds::domain::DomainName;
use crate::hsds::id::{Collection, ObjectId};

/// Which links a path may lead through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Follow {
    /// Soft links.
    pub soft: bool,
    /// Links into other domains.
    pub external: bool,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its id.
    pub id: ObjectId,
    /// The root group of the domain that it is in.
    pub root: ObjectId,
    /// The path of the domain that it is in, where the server says so: an external link may have led
    /// to another one than was asked.
    pub domain: Option<String>,
    /// How many attributes it has, where the server says so.
    pub attribute_count: Option<u64>,
    /// What it is.
    pub kind: Kind,
}

/// What an object is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A committed type.
    Datatype(Datatype),
    /// A dataset.
    Dataset(Box<Dataset>),
    /// A group.
    Group {
        /// How many links it has, where the server says so.
        link_count: Option<u64>,
        /// How it was made.
        creation: Map<String, Value>,
    },
}

/// What is special to datasets.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its extent.
    pub dataspace: Dataspace,
    /// How it was made, as the server says it: layout, fill value, filters. A copy takes it over.
    pub creation: Map<String, Value>,
    /// How the server stores it, where that differs from how it was asked for.
    pub layout: Option<Value>,
}

impl Object {
    /// The order that its links and attributes have.
    #[must_use]
    pub fn order(&self) -> ListOrder {
        let creation = match &self.kind {
            Kind::Group { creation, .. } => creation,
            Kind::Dataset(dataset) => &dataset.creation,
            Kind::Datatype(_) => return ListOrder::Names,
        };
        match creation.get("CreateOrder") {
            Some(order) if *order == json!(true) || *order == json!(1) => ListOrder::Creation,
            _ => ListOrder::Names,
        }
    }
}

impl Dataset {
    /// The extent of its chunks; none where it is in one piece.
    #[must_use]
    pub fn chunk_dims(&self) -> Option<Vec<u64>> {
        let layouts = [self.layout.as_ref(), self.creation.get("layout")];
        let layout = layouts.into_iter().flatten().find(|layout| layout.get("dims").is_some())?;
        let dims: Option<Vec<u64>> = layout.get("dims")?.as_array()?.iter().map(Value::as_u64).collect();
        dims.filter(|dims| dims.len() == self.dataspace.dims().len() && !dims.contains(&0))
    }

    /// What its layout is called: `H5D_CHUNKED` and the like. For tests.
    #[must_use]
    pub fn layout_class(&self) -> Option<&str> {
        self.creation.get("layout").or(self.layout.as_ref())?.get("class")?.as_str()
    }
}

impl Object {
    /// The dataset that it is.
    #[must_use]
    pub fn dataset(&self) -> Option<&Dataset> {
        match &self.kind {
            Kind::Dataset(dataset) => Some(dataset),
            Kind::Datatype(_) | Kind::Group { .. } => None,
        }
    }
}

impl Session {
    /// The object at a path of a domain, from the root group, or from the group `parent`.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] if the path leads through a link that is not to be followed; others.
    pub async fn resolve(
        &self,
        domain: &DomainName,
        parent: Option<ObjectId>,
        path: &str,
        follow: Follow,
    ) -> Result<Object, HsdsError> {
        let mut call = self.call(Method::POST, &[], domain);
        if let Some(parent) = parent {
            call = call.query("parent_id", parent);
        }
        let call = call.flag("follow_soft_links", follow.soft).flag("follow_external_links", follow.external);
        let answer = self.json(call.body(&json!({"h5paths": [path]}))).await?;
        let objects = part(&answer, "h5paths")?.as_object();
        let object =
            objects.and_then(|objects| objects.values().next()).ok_or_else(|| HsdsError::malformed("no object"))?;
        read(object)
    }

    /// The object of that id.
    ///
    /// # Errors
    /// [`HsdsError::NotFound`] also if it is in another domain; others.
    pub async fn object(&self, domain: &DomainName, object: ObjectId) -> Result<Object, HsdsError> {
        let path = [object.collection().as_str(), &object.to_string()];
        let answer = self.json(self.call(Method::GET, &path, domain)).await?;
        read(&answer)
    }

    /// Deletes an object. Links to it stay. For tests: no task deletes.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn delete_object(&self, domain: &DomainName, object: ObjectId) -> Result<(), HsdsError> {
        let path = [object.collection().as_str(), &object.to_string()];
        self.ask(self.call(Method::DELETE, &path, domain)).await.map(|_| ())
    }
}

/// Without what the server writes and does not take: the layout of what has no elements.
fn copyable(mut creation: Map<String, Value>) -> Map<String, Value> {
    if creation.get("layout").is_some_and(|layout| layout.get("class").is_none()) {
        creation.remove("layout");
    }
    creation
}

pub(super) fn read(answer: &Value) -> Result<Object, HsdsError> {
    let own = id(answer, "id")?;
    let count = |key: &str| answer.get(key).and_then(Value::as_u64);
    let creation = || answer.get("creationProperties").and_then(Value::as_object).cloned().unwrap_or_default();
    let datatype = || Datatype::read(part(answer, "type")?).map_err(HsdsError::malformed);
    let kind = match own.collection() {
        Collection::Datatypes => Kind::Datatype(datatype()?),
        Collection::Datasets => Kind::Dataset(Box::new(Dataset {
            datatype: datatype()?,
            dataspace: Dataspace::read(part(answer, "shape")?).map_err(HsdsError::malformed)?,
            creation: copyable(creation()),
            layout: answer.get("layout").cloned(),
        })),
        Collection::Groups => Kind::Group { link_count: count("linkCount"), creation: creation() },
    };
    let domain = answer.get("domain").and_then(Value::as_str).map(ToOwned::to_owned);
    Ok(Object { id: own, root: id(answer, "root")?, domain, attribute_count: count("attributeCount"), kind })
}
