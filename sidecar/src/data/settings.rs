//! How the service of data behaves, and the two ways of writing that Flyte's configuration has: Go's lengths of time
//! and Kubernetes' quantities.

pub mod base_dir;
pub mod duration;
pub mod quantity;
pub mod resolve;

use std::time::Duration;

use crate::data::path::Segments;
use crate::data::settings::base_dir::BaseDir;

pub use crate::data::settings::duration::SignedDuration;

/// The longest that a signed URL can work: what S3 and Google's stores accept.
pub const LONGEST_EXPIRY: Duration = Duration::from_secs(7 * 86_400);

/// How the service of data behaves.
#[derive(Clone, Debug, Default)]
pub struct DataSettings {
    /// Uploads, and inputs of runs.
    pub upload: UploadSettings,
    /// Downloads, and what the sidecar reads for its clients.
    pub download: DownloadSettings,
}

/// How uploads behave.
#[derive(Clone, Debug)]
pub struct UploadSettings {
    /// The most bytes of an upload, and of the inputs of a run.
    pub max_size: u64,
    /// How long a URL works at most, and where nothing is said.
    pub max_expires_in: Duration,
    /// What every key starts with.
    pub storage_prefix: Option<Segments>,
    /// Whether the store is told to refuse a second upload under a name that a client chose. Without it the second
    /// of two at one time wins.
    pub create_only: bool,
    /// After how long an upload in parts that nobody ended is given up.
    pub multipart_expires: Duration,
    /// Where inputs may be kept beside the usual place.
    pub base_dirs: Vec<BaseDir>,
}

/// How downloads behave.
#[derive(Clone, Debug)]
pub struct DownloadSettings {
    /// How long a URL works at most, and where nothing is said.
    pub max_expires_in: Duration,
    /// The most bytes of inputs or outputs that the sidecar reads for a client.
    pub max_size: u64,
    /// How many objects the sidecar reads at one time: each is in memory whole.
    pub concurrent_reads: usize,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self {
            max_size: 100 << 20,
            max_expires_in: Duration::from_secs(3_600),
            storage_prefix: Segments::parse("uploads").ok(),
            create_only: true,
            multipart_expires: Duration::from_secs(24 * 3_600),
            base_dirs: Vec::new(),
        }
    }
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self { max_expires_in: Duration::from_secs(3_600), max_size: 32 << 20, concurrent_reads: 16 }
    }
}
