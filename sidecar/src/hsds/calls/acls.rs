//! Who may do what in a domain.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hsds::calls::part;
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;

/// What a user, a group (`g:name`) or everybody (`default`) may do in a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rights {
    /// Make objects, links and attributes.
    pub create: bool,
    /// Read.
    pub read: bool,
    /// Write elements of datasets.
    pub update: bool,
    /// Delete.
    pub delete: bool,
    /// Read this list.
    #[serde(rename = "readACL")]
    pub read_rights: bool,
    /// Change this list.
    #[serde(rename = "updateACL")]
    pub update_rights: bool,
}

impl Session {
    /// What `user` may do in a domain; none if the domain does not name them.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn rights(&self, domain: &DomainName, user: &str) -> Result<Option<Rights>, HsdsError> {
        let answer = match self.json(self.call(Method::GET, &["acls", user], domain)).await {
            // A domain that is not there is no list without the user.
            Err(HsdsError::NotFound) => return self.domain(domain).await.map(|_| None),
            other => other?,
        };
        let rights: Value = part(&answer, "acl")?.clone();
        serde_json::from_value(rights).map(Some).map_err(HsdsError::malformed)
    }

    /// Says what `user` may do in a domain from now on. For tests: no task gives rights.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn put_rights(&self, domain: &DomainName, user: &str, rights: Rights) -> Result<(), HsdsError> {
        self.ask(self.call(Method::PUT, &["acls", user], domain).body(&rights)).await.map(|_| ())
    }
}
