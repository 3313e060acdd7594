//! Where a digest is written to.

use bytes::Bytes;
use serde_json::json;

use super::algorithm::Algorithm;
use crate::hsds::calls::attributes::{Attribute, AttributeValue};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::{Class, Datatype};
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;
use crate::hsds::vlen::Writer;
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::place::{self, Place};
use crate::tasks::request::Location;

/// Where a digest is written to.
pub(super) enum Destination {
    /// An attribute.
    Attribute { domain: DomainName, object: ObjectId, name: String },
    /// A dataset of one text, of so many bytes or of any number.
    Text { place: Box<Place>, bytes: Option<usize> },
}

impl Destination {
    pub(super) async fn find(
        session: &Session,
        location: &Location,
        attribute: Option<String>,
        algorithm: Algorithm,
        source: &Place,
    ) -> Result<Self, Fault> {
        if let Some(name) = attribute {
            let (domain, object) = place::object(session, "des[0]", location, false).await?;
            let may = session.may_create(&domain).await;
            let place = "des[0]".to_owned();
            return match may {
                Ok(true) => Ok(Self::Attribute { domain, object: object.id, name }),
                Ok(false) => Err(Fault::Server { place, error: HsdsError::Forbidden }),
                Err(error) => Err(Fault::Server { place, error }),
            };
        }
        let place = Place::find(session, "des[0]", location, false).await?;
        let Class::Text(text) = place.dataset().datatype.class() else {
            return Err(Fault::malformed(format!("{} must hold text, or `args.attribute` be given", place.name())));
        };
        let bytes = text.bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if place.is_null() || place.count() != 1 || bytes.is_some_and(|bytes| bytes < algorithm.length()) {
            let length = algorithm.length();
            return Err(Fault::malformed(format!("{} must have one text of {length} bytes", place.name())));
        }
        if place.overlaps(source) {
            return Err(Fault::malformed(format!("{} and {} overlap", place.name(), source.name())));
        }
        Ok(Self::Text { place: Box::new(place), bytes })
    }

    pub(super) async fn write(&self, session: &Session, text: &str) -> Result<(), Fault> {
        match self {
            Self::Attribute { domain, object, name } => {
                let attribute = Attribute {
                    name: name.clone(),
                    datatype: Datatype::text(),
                    dataspace: Dataspace::Scalar,
                    value: AttributeValue::Json(json!(text)),
                };
                let put = session.put_attributes(domain, *object, &[attribute], true).await;
                put.map_err(|error| Fault::Server { place: "des[0]".to_owned(), error })
            }
            Self::Text { place, bytes } => {
                let values = match bytes {
                    Some(bytes) => {
                        let mut values = text.as_bytes().to_vec();
                        values.resize(*bytes, 0);
                        values
                    }
                    None => {
                        let mut writer = Writer::default();
                        let malformed = |error| place.fault(HsdsError::malformed(error));
                        writer.push(text.as_bytes()).map_err(malformed)?;
                        writer.finish()
                    }
                };
                place.write_bytes(session, place.selection(), Bytes::from(values)).await
            }
        }
    }
}
