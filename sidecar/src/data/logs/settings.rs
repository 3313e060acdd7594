//! From where logs are read, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::data::catalog::templates::Template;
use crate::data::logs::http::HttpPrefix;

/// From where logs are read, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The folders that files may be in; absolute.
    pub folders: Vec<PathBuf>,
    /// What addresses of logs may start with.
    pub prefixes: Vec<HttpPrefix>,
    /// The namespaces of Kubernetes that pods may be in, with the names of the request in them.
    pub namespaces: Vec<Template>,
    /// How often a file is looked at that is at its end.
    pub poll: Duration,
    /// How often the catalog is asked whether such a file still grows.
    pub recheck: Duration,
    /// How long a file that is gone is waited for, before its log is over.
    pub linger: Duration,
    /// How long nothing may come of a file or a pod, before its log is over.
    pub idle: Duration,
    /// The most bytes of a line; the rest of a longer one is left out.
    pub max_line: usize,
    /// The most logs that are read at one time.
    pub max_streams: usize,
    /// The most logs among them that are objects: each is in memory whole.
    pub max_objects: usize,
    /// The most bytes of a log that is an object.
    pub max_object: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            prefixes: Vec::new(),
            namespaces: Vec::new(),
            poll: Duration::from_millis(250),
            recheck: Duration::from_secs(10),
            linger: Duration::from_secs(10),
            idle: Duration::from_secs(3_600),
            max_line: 64 << 10,
            max_streams: 500,
            max_objects: 8,
            max_object: 64 << 20,
        }
    }
}
