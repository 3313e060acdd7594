//! Azure Blob Storage.

mod blocks;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::azure::MicrosoftAzureBuilder;
use reqwest::Client;
use taskgate_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::clock::SharedClock;
use crate::data::path::{Key, Segments};
use crate::data::store::endpoint::Endpoint;
use crate::data::store::multipart::Multipart;
use crate::data::store::object::{Objects, Permissions, client_options, failure, retries};
use crate::data::store::place::Place;
use crate::data::store::sign::azure::{Blob, Right};
use crate::data::store::sign::encode;
use crate::data::store::sign::order::{Order, Sender};
use crate::data::store::sign::stamp::Span;
use crate::data::store::upload::md5_headers;
use crate::data::store::xml::own_client;
use crate::data::store::{DownloadTerms, Object, SignedRequest, Store, StoreError, Ties, UploadTerms, WriteMode};
use crate::secret::SecretText;

const PERMISSIONS: Permissions = Permissions {
    read: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    write: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
    delete: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
};

/// A container, and how to use it.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The account.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// Where the sidecar reaches the account; none: Azure's own.
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    pub public_endpoint: Option<String>,
    /// What everything is under; none: the container itself.
    pub prefix: Option<Segments>,
    /// The key to use.
    pub key: AzureKey,
}

/// A key of the account.
#[derive(Clone, Debug)]
pub struct AzureKey {
    /// It, in base64, as the portal shows it.
    pub key: SecretText,
    /// When URLs that it signs end at the latest; none: never by themselves.
    pub ends: Option<UnixTime>,
}

/// A container.
#[derive(Debug)]
pub struct AzureStore {
    objects: Objects,
    client: Client,
    internal: Endpoint,
    public: Endpoint,
    account: String,
    container: String,
    key: AccountKey,
    ends: Option<UnixTime>,
    clock: SharedClock,
}

/// The bytes of a key.
struct AccountKey(Zeroizing<Vec<u8>>);

impl AzureStore {
    /// A container with these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the settings can't be.
    pub fn new(settings: &AzureSettings, clock: SharedClock) -> Result<Self, StoreError> {
        let (account, container) = (&settings.account, &settings.container);
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'$')
        };
        if !is_name(account) || !is_name(container) {
            return Err(StoreError::Failed("an account and a container have letters, digits and `-`".to_owned()));
        }
        let key = STANDARD.decode(settings.key.key.expose());
        let key = key.map_err(|_| StoreError::Failed("the account's key is not base64".to_owned()))?;
        let azure = format!("https://{account}.blob.core.windows.net");
        let internal = Endpoint::parse(settings.endpoint.as_deref().unwrap_or(&azure))?;
        let public = settings.public_endpoint.as_deref().map(Endpoint::parse).transpose()?;
        let store = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_access_key(settings.key.key.expose())
            .with_endpoint(internal.to_string())
            .with_allow_http(internal.is_plain())
            .with_client_options(client_options(internal.is_plain()))
            .with_retry(retries())
            .build()
            .map_err(|error| failure(&error, ""))?;
        let aliases = ["abfs", "abfss"].map(|scheme| format!("{scheme}://{container}@{account}.dfs.core.windows.net/"));
        let place = Place::new(format!("abfs://{container}/"), aliases.to_vec(), settings.prefix.clone());
        Ok(Self {
            objects: Objects::new(Arc::new(store), place, PERMISSIONS),
            client: own_client()?,
            public: public.unwrap_or_else(|| internal.clone()),
            internal,
            account: account.clone(),
            container: container.clone(),
            key: AccountKey(Zeroizing::new(key)),
            ends: settings.key.ends,
            clock,
        })
    }

    fn sign(&self, right: Right, order: Order<'_>, answer: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        let span = Span::new(self.clock.now(), order.expires_in, self.ends)
            .ok_or_else(|| StoreError::Unavailable("the credential to sign with has ended".to_owned()))?;
        let endpoint = match order.sender {
            Sender::Client => &self.public,
            Sender::Sidecar => &self.internal,
        };
        let blob = Blob {
            account: &self.account,
            container: &self.container,
            name: order.name.unwrap_or_default(),
            right,
            span,
            plain: endpoint.is_plain(),
            content_disposition: answer.content_disposition.as_deref().unwrap_or_default(),
            content_type: answer.content_type.as_deref().unwrap_or_default(),
        };
        let path = encode::path(&endpoint.path(&order.path(&format!("/{}/", self.container))));
        let mut url = format!("{}{path}?{}", endpoint.origin(), blob.query(&self.key.0));
        if !order.parameters.is_empty() {
            url = format!("{url}&{}", encode::query(order.parameters.iter().copied()));
        }
        Ok(SignedRequest { url: url.into(), headers: order.headers, expires_at: span.end() })
    }
}

#[async_trait]
impl Store for AzureStore {
    fn uri(&self, key: &Key) -> String {
        self.objects.place().uri(key)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        self.objects.place().key(uri)
    }

    fn ties(&self) -> Ties {
        // A signature says what may be done with a blob, and nothing of its bytes: `Content-MD5` is looked at where
        // the client sends it.
        Ties { content_md5: false, content_sha256: false, content_length: false, create_only: true }
    }

    fn permissions(&self) -> Permissions {
        PERMISSIONS
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.objects.head(key).await
    }

    async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError> {
        self.objects.read(key, most).await
    }

    async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        self.objects.write(key, bytes, mode).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.objects.delete(key).await
    }

    async fn sign_upload(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        if terms.content_sha256.is_some() {
            return Err(StoreError::Unsupported("check SHA-256 digests"));
        }
        let mut headers = vec![("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())];
        headers.extend(md5_headers(terms, "x-ms-meta-"));
        let right = if terms.create_only { Right::Create } else { Right::Write };
        if terms.create_only {
            // Whoever leaves it out is still held to the right. Of uploads that come together, Azurite lets one win
            // for this header alone.
            headers.push(("If-None-Match".to_owned(), "*".to_owned()));
        }
        let name = self.objects.place().name(key);
        let order = Order { headers, ..Order::of_client("PUT", &name, terms.expires_in) };
        self.sign(right, order, &DownloadTerms::default())
    }

    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        let name = self.objects.place().name(key);
        self.sign(Right::Read, Order::of_client("GET", &name, terms.expires_in), terms)
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }
}

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("****")
    }
}

#[cfg(test)]
mod tests;
