//! Amazon S3, and what speaks its protocol.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use reqwest::Client;
use taskgate_core::time::UnixTime;

use crate::clock::SharedClock;
use crate::data::path::{Key, Segments};
use crate::data::store::credential::{Configured, CredentialSource, Platform, S3Credential};
use crate::data::store::endpoint::Endpoint;
use crate::data::store::multipart::Multipart;
use crate::data::store::object::{Objects, Permissions, client_options, failure, retries};
use crate::data::store::place::Place;
use crate::data::store::sign::order::{Order, Sender};
use crate::data::store::sign::stamp::Span;
use crate::data::store::sign::v4::{Dialect, Grant, MAX_SECS, Request, Unsigned, amazon_signature};
use crate::data::store::upload::md5_headers;
use crate::data::store::xml::{Manners, XmlBucket, own_client};
use crate::data::store::{
    DownloadTerms, Object, SignedRequest, Store, StoreError, Ties, UploadTerms, WriteMode, download,
};
use crate::secret::SecretText;

const PERMISSIONS: Permissions = Permissions {
    // Without the second, S3 refuses to say that something is not there.
    read: "s3:GetObject, and s3:ListBucket of the bucket,",
    write: "s3:PutObject",
    delete: "s3:DeleteObject",
};

const MANNERS: Manners = Manners {
    metadata_prefix: "x-amz-meta-",
    ties_length: true,
    creates_only: true,
    begin: "s3:PutObject",
    parts: "s3:ListMultipartUploadParts",
    complete: "s3:PutObject",
    abort: "s3:AbortMultipartUpload",
    list: "s3:ListBucketMultipartUploads",
};

/// A bucket, and how to use it.
#[derive(Clone, Debug, Default)]
pub struct S3Settings {
    /// The bucket's name.
    pub bucket: String,
    /// Its region. Services that have none take any.
    pub region: String,
    /// Where the sidecar reaches the service; none: Amazon's own.
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    pub public_endpoint: Option<String>,
    /// Whether the bucket is part of the host's name, and not the first part of the path.
    pub virtual_hosted: bool,
    /// What everything is under; none: the bucket itself.
    pub prefix: Option<Segments>,
    /// The key to use; none: what the platform hands out.
    pub key: Option<S3Key>,
}

/// A configured key.
#[derive(Clone, Debug)]
pub struct S3Key {
    /// It.
    pub credential: S3Credential,
    /// When it ends; none: not by itself.
    pub ends: Option<UnixTime>,
}

/// A bucket.
#[derive(Debug)]
pub struct S3Store {
    objects: Objects,
    client: Client,
    internal: Endpoint,
    public: Endpoint,
    /// What the path of an object starts with: `/`, or `/bucket/`.
    root: String,
    region: String,
    credentials: Arc<dyn CredentialSource<S3Credential>>,
    clock: SharedClock,
}

impl S3Store {
    /// A bucket with these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the settings can't be.
    pub fn new(settings: &S3Settings, clock: SharedClock) -> Result<Self, StoreError> {
        let internal = endpoint(settings, settings.endpoint.as_deref())?;
        let public = endpoint(settings, settings.public_endpoint.as_deref().or(settings.endpoint.as_deref()))?;
        let store = Arc::new(builder(settings, &internal)?.build().map_err(|error| failure(&error, ""))?);
        let credentials: Arc<dyn CredentialSource<S3Credential>> = match &settings.key {
            Some(key) => Arc::new(Configured::new(key.credential.clone(), key.ends)),
            None => Arc::new(Platform::new(AmazonS3::credentials(&store).clone(), Arc::clone(&clock))),
        };
        let bucket = &settings.bucket;
        let place = Place::new(format!("s3://{bucket}/"), vec![format!("s3a://{bucket}/")], settings.prefix.clone());
        Ok(Self {
            objects: Objects::new(store, place, PERMISSIONS),
            client: own_client()?,
            internal,
            public,
            root: if settings.virtual_hosted { "/".to_owned() } else { format!("/{bucket}/") },
            region: settings.region.clone(),
            credentials,
            clock,
        })
    }

    async fn sign(&self, order: Order<'_>) -> Result<SignedRequest, StoreError> {
        let lent = self.credentials.lend().await?;
        let (now, most) = (self.clock.now(), std::time::Duration::from_secs(MAX_SECS));
        let span = Span::new(now, order.expires_in.min(most), lent.ends)
            .ok_or_else(|| StoreError::Unavailable("the credential to sign with has ended".to_owned()))?;
        let credential = &lent.credential;
        let grant = Grant {
            key_id: &credential.access_key_id,
            region: &self.region,
            session_token: credential.session_token.as_ref().map(SecretText::expose),
            span,
        };
        let length = order.content_length.map(|length| ("Content-Length".to_owned(), length.to_string()));
        let signed: Vec<(String, String)> = order.headers.iter().cloned().chain(length).collect();
        let request = Request {
            method: order.method,
            endpoint: match order.sender {
                Sender::Client => &self.public,
                Sender::Sidecar => &self.internal,
            },
            path: &order.path(&self.root),
            parameters: order.parameters,
            headers: &signed,
        };
        let unsigned = Unsigned::new(Dialect::Amazon, &request, &grant);
        let signature = amazon_signature(credential.secret_access_key.expose(), &grant, unsigned.to_sign());
        let url = unsigned.with_signature(&signature).into();
        Ok(SignedRequest { url, headers: order.headers, expires_at: span.end() })
    }
}

#[async_trait]
impl Store for S3Store {
    fn uri(&self, key: &Key) -> String {
        self.objects.place().uri(key)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        self.objects.place().key(uri)
    }

    fn ties(&self) -> Ties {
        Ties { content_md5: true, content_sha256: true, content_length: true, create_only: true }
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
        let mut headers = md5_headers(terms, "x-amz-meta-");
        if let Some(sha256) = terms.content_sha256 {
            headers.push(("x-amz-checksum-sha256".to_owned(), STANDARD.encode(sha256)));
        }
        if terms.create_only {
            headers.push(("If-None-Match".to_owned(), "*".to_owned()));
        }
        let name = self.objects.place().name(key);
        let content_length = terms.content_length;
        self.sign(Order { headers, content_length, ..Order::of_client("PUT", &name, terms.expires_in) }).await
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
impl XmlBucket for S3Store {
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

/// Where the bucket is reached, its name in the host where it belongs there.
fn endpoint(settings: &S3Settings, text: Option<&str>) -> Result<Endpoint, StoreError> {
    let amazon = format!("https://s3.{}.amazonaws.com", settings.region);
    let endpoint = Endpoint::parse(text.unwrap_or(&amazon))?;
    Ok(if settings.virtual_hosted { endpoint.below(&settings.bucket) } else { endpoint })
}

fn builder(settings: &S3Settings, internal: &Endpoint) -> Result<AmazonS3Builder, StoreError> {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    if !is_name(&settings.bucket) || !is_name(&settings.region) {
        return Err(StoreError::Failed("a bucket and a region have letters, digits and `.-_`".to_owned()));
    }
    let builder = match &settings.key {
        // The environment says which of the platform's ways it is.
        None => AmazonS3Builder::from_env(),
        Some(S3Key { credential, .. }) => {
            let builder = AmazonS3Builder::new()
                .with_access_key_id(&credential.access_key_id)
                .with_secret_access_key(credential.secret_access_key.expose());
            match &credential.session_token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
    };
    Ok(builder
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        // Before it would come the one that the environment may have.
        .with_config(AmazonS3ConfigKey::S3Endpoint, internal.to_string())
        .with_virtual_hosted_style_request(settings.virtual_hosted)
        .with_allow_http(internal.is_plain())
        .with_client_options(client_options(internal.is_plain()))
        .with_retry(retries()))
}

#[cfg(test)]
mod tests;
