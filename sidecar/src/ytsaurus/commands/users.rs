//! `/auth/whoami`.

use serde::Deserialize;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::credential::Credential;
use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::commands::parse;
use crate::ytsaurus::text;

#[derive(Deserialize)]
struct Whoami {
    login: String,
}

impl Client {
    /// The login name that a credential stands for, empty where it is no text; with none, the one that
    /// the cluster gives to everybody, if it does.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn login(&self, credential: Option<&Credential>, deadline: Instant) -> Result<String, CallError> {
        let whoami: Whoami = parse(&self.whoami(credential, deadline).await?)?;
        Ok(text::decode(&whoami.login).unwrap_or_default())
    }
}
