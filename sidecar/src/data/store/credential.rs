//! Credentials of stores, and when they end.
//!
//! A URL is worth no more than the credential that it is signed with: when that ends, so does the URL, whatever the
//! URL itself says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;
use crate::data::store::StoreError;
use crate::secret::SecretText;

/// How long a credential of the platform is good at least: `object_store` has a new one by then.
const PLATFORM_LEAST: Duration = Duration::from_secs(5 * 60);

/// A credential, and when it ends.
#[derive(Clone, Debug)]
pub struct Lent<C> {
    /// It.
    pub credential: Arc<C>,
    /// When it ends; none: not by itself.
    pub ends: Option<UnixTime>,
}

/// Where credentials to sign with come from.
#[async_trait]
pub trait CredentialSource<C>: fmt::Debug + Send + Sync + 'static {
    /// The one to sign with now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there is none.
    async fn lend(&self) -> Result<Lent<C>, StoreError>;
}

/// A key of S3.
#[derive(Clone, Debug)]
pub struct S3Credential {
    /// The access key's id, which is no secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: SecretText,
    /// The token of the session, where the key is of one.
    pub session_token: Option<SecretText>,
}

/// A credential that somebody configured.
#[derive(Debug)]
pub struct Configured<C>(Lent<C>);

/// A credential that the platform hands out: an instance's role, a web identity, a task's.
#[derive(Debug)]
pub(crate) struct Platform {
    provider: Arc<dyn CredentialProvider<Credential = AwsCredential>>,
    clock: SharedClock,
}

impl<C> Configured<C> {
    /// A credential that ends then, or not by itself.
    #[must_use]
    pub fn new(credential: C, ends: Option<UnixTime>) -> Self {
        Self(Lent { credential: Arc::new(credential), ends })
    }
}

impl Platform {
    pub(crate) fn new(provider: Arc<dyn CredentialProvider<Credential = AwsCredential>>, clock: SharedClock) -> Self {
        Self { provider, clock }
    }
}

#[async_trait]
impl<C: fmt::Debug + Send + Sync + 'static> CredentialSource<C> for Configured<C> {
    async fn lend(&self) -> Result<Lent<C>, StoreError> {
        Ok(Lent { credential: Arc::clone(&self.0.credential), ends: self.0.ends })
    }
}

#[async_trait]
impl CredentialSource<S3Credential> for Platform {
    async fn lend(&self) -> Result<Lent<S3Credential>, StoreError> {
        let credential = self.provider.get_credential().await;
        let credential =
            credential.map_err(|_| StoreError::Unavailable("the platform gives no credential".to_owned()))?;
        // When exactly it ends is not told.
        let ends = credential.token.as_ref().map(|_| self.clock.now().after(PLATFORM_LEAST));
        let credential = S3Credential {
            access_key_id: credential.key_id.clone(),
            secret_access_key: credential.secret_key.clone().into(),
            session_token: credential.token.clone().map(SecretText::from),
        };
        Ok(Lent { credential: Arc::new(credential), ends })
    }
}
