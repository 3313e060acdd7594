//! `data.stores`: buckets, containers and folders.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::secret::SecretText;

/// One store.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreConfig {
    /// A container of Azure Blob Storage.
    Azure(AzureStoreConfig),
    /// A bucket of Google Cloud Storage.
    Gcs(GcsStoreConfig),
    /// A folder of this machine, which the sidecar serves itself.
    Local(LocalStoreConfig),
    /// A bucket of S3, or of a service that speaks like it.
    S3(S3StoreConfig),
}

/// A bucket of S3, or of a service that speaks like it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3StoreConfig {
    /// The bucket's name.
    pub bucket: String,
    /// Its region. Services that have none take any.
    #[serde(default = "region")]
    pub region: String,
    /// Where the sidecar reaches the service, `http://…` or `https://…`; none: Amazon's own.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    #[serde(default)]
    pub public_endpoint: Option<String>,
    /// Whether the bucket is part of the host's name, and not the first part of the path.
    #[serde(default)]
    pub virtual_hosted: bool,
    /// What everything is under; none: the bucket itself.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The access key's id. Without a key, what the platform hands out is used.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The secret of the key.
    #[serde(default)]
    pub secret_access_key: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub secret_access_key_file: Option<PathBuf>,
    /// The token of the session, where the key is of one.
    #[serde(default)]
    pub session_token: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub session_token_file: Option<PathBuf>,
    /// When the key ends, as in `2027-01-31T00:00:00Z`; no URL works longer.
    #[serde(default)]
    pub key_ends: Option<String>,
}

/// A bucket of Google Cloud Storage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcsStoreConfig {
    /// The bucket's name.
    pub bucket: String,
    /// Where the sidecar reaches the service; none: Google's own.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    #[serde(default)]
    pub public_endpoint: Option<String>,
    /// What everything is under; none: the bucket itself.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The JSON of a service account's key. Without it, what the platform hands out is used, and Google signs, for
    /// which the account needs `iam.serviceAccounts.signBlob`.
    #[serde(default)]
    pub service_account_key: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub service_account_key_file: Option<PathBuf>,
}

/// A container of Azure Blob Storage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureStoreConfig {
    /// The account.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// Where the sidecar reaches the account; none: Azure's own.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where clients reach it; none: where the sidecar does.
    #[serde(default)]
    pub public_endpoint: Option<String>,
    /// What everything is under; none: the container itself.
    #[serde(default)]
    pub prefix: Option<String>,
    /// A key of the account, in base64, as the portal shows it.
    #[serde(default)]
    pub account_key: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub account_key_file: Option<PathBuf>,
    /// When URLs that the key signs end at the latest, as in `2027-01-31T00:00:00Z`.
    #[serde(default)]
    pub key_ends: Option<String>,
}

/// A folder of this machine, which the sidecar serves itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalStoreConfig {
    /// The folder. It is made where it is not there.
    pub folder: PathBuf,
    /// Where clients reach the sidecar: scheme, host and port, and no path.
    pub public_url: String,
    /// What the raw address of an object starts with, ending in `/`; none: `taskgate://<name of the store>/`.
    #[serde(default)]
    pub uri_base: Option<String>,
    /// The most bytes of an object; none: as `data.upload.maxSize` says.
    #[serde(default)]
    pub max_object: Option<String>,
    /// How many bytes of the disk stay free.
    #[serde(default = "keep_free")]
    pub keep_free: String,
    /// Whether an object is on the disk before its upload is answered, so that it outlasts a failure of power.
    #[serde(default = "durable")]
    pub durable: bool,
}

fn region() -> String {
    defaults::S3_REGION.into()
}

fn keep_free() -> String {
    defaults::LOCAL_STORE_KEEP_FREE.into()
}

const fn durable() -> bool {
    true
}
