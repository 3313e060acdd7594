//! Signatures of a service account: with its key, or by Google, which keeps the key.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use object_store::gcp::{GcpCredentialProvider, GcpSigningCredentialProvider, GoogleCloudStorage};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::data::store::StoreError;
use crate::data::store::sign::encode;
use crate::http;
use crate::secret::SecretText;

/// Google's service that signs.
const SERVICE: &str = "https://iamcredentials.googleapis.com";
/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What signs.
pub(crate) enum Signer {
    /// A key.
    Key {
        /// The account's address.
        account: String,
        /// It.
        key: Box<EncodingKey>,
    },
    /// Google, asked with the platform's credential.
    Service {
        /// Whose address it is.
        account: GcpSigningCredentialProvider,
        /// Who asks.
        credentials: GcpCredentialProvider,
        /// How it is asked.
        client: Client,
        /// Where it is.
        service: String,
    },
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedBlob {
    signed_blob: String,
}

impl Signer {
    /// The key in the JSON that Google hands out.
    pub(crate) fn key(json: &SecretText) -> Result<Self, StoreError> {
        let wrong = || StoreError::Failed("that is no key of a service account".to_owned());
        let file: KeyFile = serde_json::from_str(json.expose()).map_err(|_| wrong())?;
        let pem = Zeroizing::new(file.private_key);
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| wrong())?;
        Ok(Self::Key { account: file.client_email, key: Box::new(key) })
    }

    /// Google, for whom the store asks.
    pub(crate) fn service(store: &GoogleCloudStorage) -> Result<Self, StoreError> {
        let client = http::client(TIMEOUT).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self::Service {
            account: store.signing_credentials().clone(),
            credentials: store.credentials().clone(),
            client,
            service: SERVICE.to_owned(),
        })
    }

    /// The account's address.
    pub(crate) async fn account(&self) -> Result<String, StoreError> {
        match self {
            Self::Key { account, .. } => Ok(account.clone()),
            Self::Service { account, .. } => {
                let credential = account.get_credential().await;
                Ok(credential.map_err(|_| no_credential())?.email.clone())
            }
        }
    }

    /// The RSA signature (PKCS #1 v1.5, SHA-256) of a text.
    pub(crate) async fn sign(&self, account: &str, text: &str) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Key { key, .. } => {
                let signature = crypto::sign(text.as_bytes(), key, Algorithm::RS256).ok();
                let signature = signature.and_then(|signature| URL_SAFE_NO_PAD.decode(signature).ok());
                signature.ok_or_else(|| StoreError::Failed("the service account's key does not sign".to_owned()))
            }
            Self::Service { credentials, client, service, .. } => {
                let bearer = credentials.get_credential().await.map_err(|_| no_credential())?;
                let account = encode::component(account);
                let url = format!("{service}/v1/projects/-/serviceAccounts/{account}:signBlob");
                let body = json!({"payload": STANDARD.encode(text)});
                let answer = http::exchange(client.post(url).bearer_auth(&bearer.bearer).json(&body)).await;
                let answer = answer.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                match answer.status {
                    StatusCode::OK => {}
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        let text = "iam.serviceAccounts.signBlob is needed, on the service account itself";
                        return Err(StoreError::Denied(text.to_owned()));
                    }
                    status => return Err(StoreError::Unavailable(format!("signBlob answers {status}"))),
                }
                let signed: Option<SignedBlob> = serde_json::from_slice(&answer.body).ok();
                let signature = signed.and_then(|signed| STANDARD.decode(signed.signed_blob).ok());
                signature.ok_or_else(|| StoreError::Failed("signBlob's answer makes no sense".to_owned()))
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { account, .. } => write!(formatter, "Key({account})"),
            Self::Service { service, .. } => write!(formatter, "Service({service})"),
        }
    }
}

fn no_credential() -> StoreError {
    StoreError::Unavailable("the platform gives no credential".to_owned())
}

#[cfg(test)]
pub(crate) mod tests;
