//! Making objects.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::attributes::{self, Attribute};
use crate::hsds::calls::links::{self, Link, Target};
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
    /// A group.
    Group {
        /// Its links.
        links: Vec<Link>,
        /// Whether it keeps the order in which they are made, and the like.
        creation: Map<String, Value>,
    },
}

impl NewKind {
    /// A group with links, in no order of its own.
    #[must_use]
    pub fn group(links: Vec<Link>) -> Self {
        Self::Group { links, creation: Map::new() }
    }
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
            NewKind::Group { .. } => Collection::Groups,
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
            NewKind::Group { links, creation } => {
                if !creation.is_empty() {
                    set("creationProperties", creation.clone().into());
                }
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
        let made = objects::read(&self.json(call).await?)?;
        self.put_raw_attributes(domain, made.id, &object.attributes, false).await?;
        Ok(made)
    }

    /// Makes an object whose id the client chose, or finds that it was made before, by an earlier attempt
    /// at the same step. Its name is made where it is missing.
    ///
    /// # Errors
    /// [`HsdsError::Conflict`] if its name stands for another object; others.
    pub async fn create_once(&self, domain: &DomainName, wanted: &NewObject) -> Result<ObjectId, HsdsError> {
        let refused = match self.create(domain, wanted).await {
            Ok(made) => return Ok(made.id),
            Err(error) => error,
        };
        let Some(id) = wanted.id else { return Err(refused) };
        // The server says neither "conflict" nor anything else that is special where the id is taken.
        match (&refused, self.object(domain, id).await) {
            (HsdsError::BadRequest { .. } | HsdsError::Conflict, Ok(_)) => {}
            _ => return Err(refused),
        }
        self.put_raw_attributes(domain, id, &wanted.attributes, false).await?;
        if let Some((parent, name)) = &wanted.link {
            self.put_links(domain, *parent, &[Link { name: name.clone(), target: Target::Hard(id) }]).await?;
        }
        Ok(id)
    }

    /// Makes many objects of one collection in one request. Where that fails, and all ids were chosen by
    /// the client, they are made one by one, as [`Self::create_once`] does.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] also if they are not all of the collection; others.
    pub async fn create_many(
        &self,
        domain: &DomainName,
        collection: Collection,
        wanted: &[NewObject],
    ) -> Result<Vec<ObjectId>, HsdsError> {
        if wanted.iter().any(|object| object.collection() != collection) {
            return Err(HsdsError::BadRequest { reason: "objects of another collection".to_owned() });
        }
        let is_repeatable = wanted.iter().all(|object| object.id.is_some());
        match wanted {
            [] => return Ok(Vec::new()),
            [one] => return Ok(vec![self.create_once(domain, one).await?]),
            _ => {}
        }
        let bodies: Vec<Value> = wanted.iter().map(NewObject::body).collect();
        let call = self.call(Method::POST, &[collection.as_str()], domain).body(&bodies);
        match self.json(call.once()).await {
            Ok(answer) => {
                let made = list(&answer, "objects")?.iter().map(|object| super::id(object, "id"));
                let made = made.collect::<Result<Vec<ObjectId>, HsdsError>>()?;
                for (id, object) in made.iter().zip(wanted) {
                    self.put_raw_attributes(domain, *id, &object.attributes, false).await?;
                }
                Ok(made)
            }
            // One id that is taken is the server's failure here.
            Err(error) if is_repeatable && (error.is_passing() || matches!(error, HsdsError::BadRequest { .. })) => {
                let mut made = Vec::with_capacity(wanted.len());
                for object in wanted {
                    made.push(self.create_once(domain, object).await?);
                }
                Ok(made)
            }
            Err(error) => Err(error),
        }
    }
}
