//! `data`: uploads and downloads with signed URLs.

pub mod catalog;
pub mod service;
pub mod stores;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::data::catalog::CatalogConfig;
use crate::config::data::service::DataServiceConfig;
use crate::config::data::stores::StoreConfig;
use crate::config::defaults;

/// Uploads and downloads with signed URLs, for Flyte's SDK and for curl: which stores there are, whose data go into
/// which, and which projects there are. With no such section there is none of it.
///
/// Sizes are written as in Kubernetes (`100Mi`), lengths of time as in Go (`1h30m`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The stores, by names that you give them. At least one.
    pub stores: BTreeMap<String, StoreConfig>,
    /// Whose data go into which store: the first that fits counts. With one store this may be left out.
    #[serde(default)]
    pub placement: Vec<PlacementConfig>,
    /// What knows projects and runs, first preferred. At least one.
    pub catalog: Vec<CatalogConfig>,
    /// Where the API of data is behind the gate.
    #[serde(default)]
    pub service: DataServiceConfig,
    /// What is done about stores that can't do what will be asked of them, as far as that is found out at the start:
    /// `report` it, `require` that there is none, or, `off`, don't try.
    #[serde(default)]
    pub self_test: SelfTestConfig,
    /// Uploads, and inputs of runs.
    #[serde(default)]
    pub upload: UploadConfig,
    /// Downloads, and what the sidecar reads for its clients.
    #[serde(default)]
    pub download: DownloadConfig,
    /// From where logs are read.
    #[serde(default)]
    pub logs: DataLogsConfig,
}

/// What is done about stores that can't do what will be asked of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestConfig {
    /// Nothing is tried.
    Off,
    /// It is said in the log and in metrics.
    #[default]
    Report,
    /// The sidecar does not start.
    Require,
}

/// That some data go into a store.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementConfig {
    /// The project; none: any.
    #[serde(default)]
    pub project: Option<String>,
    /// The domain; none: any.
    #[serde(default)]
    pub domain: Option<String>,
    /// The store's name.
    pub store: String,
}

/// Uploads, and inputs of runs. The keys are those of Flyte's data proxy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct UploadConfig {
    /// The most bytes of an upload, and of the inputs of a run.
    pub max_size: String,
    /// How long a URL for an upload works at most, and where nothing is said. At most 168h.
    pub max_expires_in: String,
    /// What every key starts with; empty: nothing.
    pub storage_prefix: String,
    /// Whether the store is told to refuse a second upload under a name that a client chose (`If-None-Match` and the
    /// like). Without it the last of two at one time wins.
    pub create_only: bool,
    /// After how long an upload in parts that nobody ended is given up. Between 1h and 168h.
    pub multipart_expires: String,
    /// Where clients may have inputs kept beside the usual place (`base_dir`), as in `s3://bucket/folder`.
    pub base_dirs: Vec<String>,
}

/// Downloads, and what the sidecar reads for its clients. The keys are those of Flyte's data proxy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct DownloadConfig {
    /// How long a URL for a download works at most, and where nothing is said. At most 168h.
    pub max_expires_in: String,
    /// The most bytes of inputs or outputs of an action that the sidecar reads for a client.
    pub max_read_size: String,
    /// How many objects the sidecar reads at one time; each is in memory whole.
    pub concurrent_reads: usize,
}

/// From where logs are read, and how.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataLogsConfig {
    /// The folders that files of logs may be in; absolute. A link in them counts where it stays in them.
    pub folders: Vec<PathBuf>,
    /// What addresses of logs may start with, `http://…` or `https://…`.
    pub http: Vec<String>,
    /// The namespaces of Kubernetes whose pods' logs are read. `{organization}`, `{project}` and `{domain}` stand for
    /// those of the request, as in `{project}-{domain}`.
    pub namespaces: Vec<String>,
    /// How often a file is looked at that is at its end, in milliseconds.
    pub poll_ms: u64,
    /// How often the catalog is asked whether such a file still grows.
    pub recheck: String,
    /// How long nothing may come of a file or a pod, before its log is over.
    pub idle: String,
    /// The most bytes of a line; the rest of a longer one is left out.
    pub max_line: String,
    /// The most logs that are read at one time.
    pub max_streams: usize,
    /// The most bytes of a log that is an object; each is in memory whole.
    pub max_object: String,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            max_size: defaults::UPLOAD_MAX_SIZE.into(),
            max_expires_in: defaults::UPLOAD_MAX_EXPIRES_IN.into(),
            storage_prefix: defaults::UPLOAD_STORAGE_PREFIX.into(),
            create_only: true,
            multipart_expires: defaults::UPLOAD_MULTIPART_EXPIRES.into(),
            base_dirs: Vec::new(),
        }
    }
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            max_expires_in: defaults::DOWNLOAD_MAX_EXPIRES_IN.into(),
            max_read_size: defaults::DOWNLOAD_MAX_READ_SIZE.into(),
            concurrent_reads: defaults::DOWNLOAD_CONCURRENT_READS,
        }
    }
}

impl Default for DataLogsConfig {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            http: Vec::new(),
            namespaces: Vec::new(),
            poll_ms: defaults::DATA_LOGS_POLL_MS,
            recheck: defaults::DATA_LOGS_RECHECK.into(),
            idle: defaults::DATA_LOGS_IDLE.into(),
            max_line: defaults::DATA_LOGS_MAX_LINE.into(),
            max_streams: defaults::DATA_LOGS_MAX_STREAMS,
            max_object: defaults::DATA_LOGS_MAX_OBJECT.into(),
        }
    }
}
