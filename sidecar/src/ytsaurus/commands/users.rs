//! `/auth/whoami`.

use serde::Deserialize;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::credential::Credential;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::commands::parse;

#[derive(Deserialize)]
struct Whoami {
    login: String,
}

impl Client {
    /// The login name that a credential stands for; with none, the one that the cluster gives to
    /// everybody, if it does.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn login(&self, credential: Option<&Credential>, deadline: Instant) -> Result<String, CallError> {
        let whoami: Whoami = parse(&self.whoami(credential, deadline).await?)?;
        Ok(whoami.login)
    }
}
