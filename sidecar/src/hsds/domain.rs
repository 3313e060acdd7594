//! What a domain is called.

use std::fmt;

/// A domain: what a file is elsewhere, or a folder of those.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName {
    /// Its path, from `/`.
    pub path: String,
    /// The bucket it is in; none is the server's own.
    pub bucket: Option<String>,
}

impl DomainName {
    /// A domain of the server's own bucket.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), bucket: None }
    }

    /// The same path in that bucket.
    #[must_use]
    pub fn in_bucket(self, bucket: Option<String>) -> Self {
        Self { bucket, ..self }
    }

    /// The folder it is in; none for what is at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (folder, _) = self.path.trim_end_matches('/').rsplit_once('/')?;
        (!folder.is_empty()).then(|| Self { path: folder.to_owned(), bucket: self.bucket.clone() })
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.bucket.as_deref().unwrap_or_default(), self.path)
    }
}
