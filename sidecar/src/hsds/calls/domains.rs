//! The server, domains and folders.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::hsds::calls::{id, text};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;

/// How long a scan of a domain may take: the server gives up after three minutes.
const SCAN_TIMEOUT: Duration = Duration::from_secs(200);

/// Whose a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's name; `anonymous` without a credential.
    pub username: String,
    /// Whether the server lets them do everything.
    pub is_admin: bool,
}

/// A domain or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The root group; none of a folder.
    pub root: Option<ObjectId>,
    /// Whose it is.
    pub owner: String,
    /// The largest request that the server takes, in bytes, where it says so.
    pub max_request: Option<u64>,
}

impl Session {
    /// Whose the credential is.
    ///
    /// # Errors
    /// [`HsdsError::Unauthorised`] if it is nobody's; others if the server does not answer.
    pub async fn whoami(&self) -> Result<Who, HsdsError> {
        let answer = self.json(self.server_call(Method::GET, &["about"])).await?;
        let is_admin = answer.get("isadmin").and_then(Value::as_bool).unwrap_or_default();
        Ok(Who { username: text(&answer, "username")?, is_admin })
    }

    /// Whether the server takes requests.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn is_ready(&self) -> Result<bool, HsdsError> {
        let answer = self.json(self.server_call(Method::GET, &["about"])).await?;
        Ok(answer.get("state").and_then(Value::as_str) == Some("READY"))
    }

    /// A domain. The server reads the rights to it anew for this, and so do later calls to it.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn domain(&self, domain: &DomainName) -> Result<Domain, HsdsError> {
        let answer = self.json(self.call(Method::GET, &[], domain)).await?;
        read(&answer)
    }

    /// Makes a domain; the folder that it is in must be there. For tests.
    ///
    /// # Errors
    /// [`HsdsError::Conflict`] if it is there already; others.
    pub async fn create_domain(&self, domain: &DomainName) -> Result<Domain, HsdsError> {
        let answer = self.json(self.call(Method::PUT, &[], domain).once()).await?;
        read(&answer)
    }

    /// Makes a folder; the one that it is in must be there. For tests.
    ///
    /// # Errors
    /// [`HsdsError::Conflict`] if it is there already; others.
    pub async fn create_folder(&self, folder: &DomainName) -> Result<Domain, HsdsError> {
        let call = self.call(Method::PUT, &[], folder).body(&json!({"folder": true})).once();
        read(&self.json(call).await?)
    }

    /// Deletes a domain with all that is in it, or a folder with nothing in it. For tests: no task deletes.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn delete_domain(&self, domain: &DomainName) -> Result<(), HsdsError> {
        self.ask(self.call(Method::DELETE, &[], domain)).await.map(|_| ())
    }

    /// Waits until all that was written to a domain is in its storage: until then it is lost if the
    /// server dies.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn flush(&self, domain: &DomainName) -> Result<(), HsdsError> {
        self.ask(self.call(Method::PUT, &[], domain).body(&json!({"flush": 1}))).await.map(|_| ())
    }

    /// Has the server count a domain's objects and bytes anew, and waits for that.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn rescan(&self, domain: &DomainName) -> Result<(), HsdsError> {
        let call = self.call(Method::PUT, &[], domain).body(&json!({"rescan": 1})).timeout(SCAN_TIMEOUT);
        self.ask(call).await.map(|_| ())
    }
}

fn read(answer: &Value) -> Result<Domain, HsdsError> {
    let root = match answer.get("root") {
        None | Some(Value::Null) => None,
        Some(_) => Some(id(answer, "root")?),
    };
    let max_request = answer.get("limits").and_then(|limits| limits.get("max_request_size")?.as_u64());
    Ok(Domain { root, owner: text(answer, "owner")?, max_request })
}
