//! Google Cloud Storage.

mod signer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::gcp::GoogleCloudStorageBuilder;
use reqwest::Client;

use crate::clock::SharedClock;
use crate::data::path::{Key, Segments};
use crate::data::store::endpoint::Endpoint;
use crate::data::store::gcs::signer::Signer;
use crate::data::store::multipart::Multipart;
use crate::data::store::object::{Objects, Permissions, client_options, failure, retries};
use crate::data::store::place::Place;
use crate::data::store::sign::order::{Order, Sender};
use crate::data::store::sign::stamp::Span;
use crate::data::store::sign::v4::{Dialect, Grant, MAX_SECS, Request, Unsigned};
use crate::data::store::upload::md5_headers;
use crate::data::store::xml::{Manners, XmlBucket, own_client};
use crate::data::store::{
    DownloadTerms, Object, SignedRequest, Store, StoreError, Ties, UploadTerms, WriteMode, download,
};
use crate::secret::SecretText;

const SERVICE: &str = "https://storage.googleapis.com";
const PERMISSIONS: Permissions = Permissions {
    read: "storage.objects.get",
    write: "storage.objects.create, and storage.objects.delete to replace,",
    delete: "storage.objects.delete",
};

const MANNERS: Manners = Manners {
    metadata_prefix: "x-goog-meta-",
    // The header that does it for objects is not documented for parts, and conditions are not taken there.
    ties_length: false,
    creates_only: false,
    begin: "storage.multipartUploads.create",
    parts: "storage.multipartUploads.listParts",
    complete: "storage.multipartUploads.create, and storage.objects.create, and storage.objects.delete to replace,",
    abort: "storage.multipartUploads.abort",
    list: "storage.multipartUploads.list",
};

/// A bucket, and how to use it.
#[derive(Clone, Debug, Default)]
pub struct GcsSettings {
    /// The bucket's name.
    pub bucket: String,
    /// Where the sidecar reaches the service; none: Google's own.
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    pub public_endpoint: Option<String>,
    /// What everything is under; none: the bucket itself.
    pub prefix: Option<Segments>,
    /// The JSON of a service account's key; none: what the platform hands out, and Google signs
    /// (`iam.serviceAccounts.signBlob`).
    pub service_account_key: Option<SecretText>,
}

/// A bucket.
#[derive(Debug)]
pub struct GcsStore {
    objects: Objects,
    client: Client,
    internal: Endpoint,
    public: Endpoint,
    bucket: String,
    signer: Signer,
    clock: SharedClock,
}

impl GcsStore {
    /// A bucket with these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the settings can't be.
    pub fn new(settings: &GcsSettings, clock: SharedClock) -> Result<Self, StoreError> {
        let bucket = &settings.bucket;
        if bucket.is_empty() || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            return Err(StoreError::Failed("a bucket has letters, digits and `.-_`".to_owned()));
        }
        let internal = Endpoint::parse(settings.endpoint.as_deref().unwrap_or(SERVICE))?;
        let public = settings.public_endpoint.as_deref().map(Endpoint::parse).transpose()?;
        let builder = match &settings.service_account_key {
            Some(key) => GoogleCloudStorageBuilder::new().with_service_account_key(key.expose()),
            None => GoogleCloudStorageBuilder::from_env(),
        };
        let store = builder
            .with_bucket_name(bucket)
            .with_base_url(&internal.to_string())
            .with_client_options(client_options(internal.is_plain()))
            .with_retry(retries())
            .build()
            .map_err(|error| failure(&error, ""))?;
        let signer = match &settings.service_account_key {
            Some(key) => Signer::key(key)?,
            None => Signer::service(&store)?,
        };
        let place = Place::new(format!("gs://{bucket}/"), vec![format!("gcs://{bucket}/")], settings.prefix.clone());
        Ok(Self {
            objects: Objects::new(Arc::new(store), place, PERMISSIONS),
            client: own_client()?,
            public: public.unwrap_or_else(|| internal.clone()),
            internal,
            bucket: bucket.clone(),
            signer,
            clock,
        })
    }

    async fn sign(&self, order: Order<'_>) -> Result<SignedRequest, StoreError> {
        let span = Span::new(self.clock.now(), order.expires_in.min(Duration::from_secs(MAX_SECS)), None)
            .ok_or(StoreError::Unsupported("sign for less than a second"))?;
        let account = self.signer.account().await?;
        let grant = Grant { key_id: &account, region: "auto", session_token: None, span };
        let request = Request {
            method: order.method,
            endpoint: match order.sender {
                Sender::Client => &self.public,
                Sender::Sidecar => &self.internal,
            },
            path: &order.path(&format!("/{}/", self.bucket)),
            parameters: order.parameters,
            headers: &order.headers,
        };
        let unsigned = Unsigned::new(Dialect::Google, &request, &grant);
        let signature = self.signer.sign(&account, unsigned.to_sign()).await?;
        let url = unsigned.with_signature(&signature).into();
        Ok(SignedRequest { url, headers: order.headers, expires_at: span.end() })
    }
}

#[async_trait]
impl Store for GcsStore {
    fn uri(&self, key: &Key) -> String {
        self.objects.place().uri(key)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        self.objects.place().key(uri)
    }

    fn ties(&self) -> Ties {
        Ties { content_md5: true, content_sha256: false, content_length: true, create_only: true }
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
        let mut headers = md5_headers(terms, "x-goog-meta-");
        let range = terms.content_length.map(|length| (length, length));
        if let Some((least, most)) = range.or(terms.max_length.map(|most| (0, most))) {
            headers.push(("x-goog-content-length-range".to_owned(), format!("{least},{most}")));
        }
        if terms.create_only {
            headers.push(("x-goog-if-generation-match".to_owned(), "0".to_owned()));
        }
        let name = self.objects.place().name(key);
        self.sign(Order { headers, ..Order::of_client("PUT", &name, terms.expires_in) }).await
    }

    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        let name = self.objects.place().name(key);
        let parameters = &download::v4_parameters(terms);
        self.sign(Order { parameters, ..Order::of_client("GET", &name, terms.expires_in) }).await
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }
}

#[async_trait]
impl XmlBucket for GcsStore {
    fn manners(&self) -> &'static Manners {
        &MANNERS
    }

    fn place(&self) -> &Place {
        self.objects.place()
    }

    fn client(&self) -> &Client {
        &self.client
    }

    async fn signed(&self, order: Order<'_>) -> Result<SignedRequest, StoreError> {
        self.sign(order).await
    }
}

#[cfg(test)]
mod tests;
