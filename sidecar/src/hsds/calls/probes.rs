//! What a user may do, found out without doing it.
//!
//! HSDS has no call for that. Each of these sends a request that is judged like the real one, and can't
//! be carried out: it has nothing in it.

use reqwest::Method;
use serde_json::json;

use crate::hsds::client::error::HsdsError;
use crate::hsds::client::{Call, Session};
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;

/// An attribute that nobody has.
const NO_ATTRIBUTE: &str = "taskgate.nothing";

impl Session {
    /// Whether the user may read the domain.
    ///
    /// # Errors
    /// [`HsdsError`] if it can't be said, or if there is no such domain.
    pub async fn may_read(&self, domain: &DomainName) -> Result<bool, HsdsError> {
        match self.domain(domain).await {
            Ok(_) => Ok(true),
            Err(HsdsError::Forbidden) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the user may write elements of the dataset.
    ///
    /// # Errors
    /// [`HsdsError`] if it can't be said, or if there is no such dataset in the domain.
    pub async fn may_update(&self, domain: &DomainName, dataset: ObjectId) -> Result<bool, HsdsError> {
        let call = self.call(Method::PUT, &["datasets", &dataset.to_string(), "value"], domain).body(&json!({}));
        self.probe(call, "request has no value").await
    }

    /// Whether the user may make objects, links and attributes in the domain.
    ///
    /// # Errors
    /// [`HsdsError`] if it can't be said, or if there is no such domain.
    pub async fn may_create(&self, domain: &DomainName) -> Result<bool, HsdsError> {
        let call = self.call(Method::POST, &["datasets"], domain).body(&json!([]));
        self.probe(call, "POST Dataset with no body").await
    }

    /// Whether the user may write elements into any dataset of the domain with that root group, and flush it.
    ///
    /// A flush would say it, too; but it waits for what anybody wrote there: two seconds where something was, and ten
    /// where it does not end. This one takes the same right, to write the value of an attribute that is not there, and
    /// a few milliseconds. The node goes by the rights that it remembers: ask for the domain first.
    ///
    /// # Errors
    /// [`HsdsError`] if it can't be said.
    pub async fn may_change(&self, domain: &DomainName, root: ObjectId) -> Result<bool, HsdsError> {
        let path = [root.collection().as_str(), &root.to_string(), "attributes", NO_ATTRIBUTE, "value"];
        let call = self.call(Method::PUT, &path, domain).body(&json!({}));
        match self.probe(call, "PUT attribute value with no value").await {
            // The attribute is looked for after the rights were looked at.
            Err(HsdsError::NotFound) => Ok(true),
            other => other,
        }
    }

    /// The complaint that nothing was sent comes after the user's rights were looked at.
    async fn probe(&self, call: Call, complaint: &str) -> Result<bool, HsdsError> {
        match self.ask(call).await {
            Err(HsdsError::BadRequest { reason }) if reason.contains(complaint) => Ok(true),
            Err(HsdsError::Forbidden) => Ok(false),
            Err(error) => Err(error),
            // Another server may take an empty request for what it is: it was permitted.
            Ok(answer) => {
                tracing::debug!(status = answer.status.as_u16(), "an empty request to HSDS was carried out");
                Ok(true)
            }
        }
    }
}
