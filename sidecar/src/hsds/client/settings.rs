//! How an HSDS server is reached, and how hard it is driven.

use std::time::Duration;

use url::Url;

/// How an HSDS server is reached, and how hard it is driven.
#[derive(Clone, Debug)]
pub struct HsdsSettings {
    /// Its address, with the path that stands before its API where there is one.
    pub endpoint: Url,
    /// The most requests at one time, of all who use this client. The server answers 503 above 100 tasks
    /// of its own, and one request can be many of those.
    pub max_in_flight: usize,
    /// How long one exchange may take.
    pub timeout: Duration,
    /// How long a call may take with all its attempts and waits, unless its caller says otherwise.
    pub patience: Duration,
    /// The most bytes of an answer that is no value of a dataset.
    pub max_answer: usize,
    /// The most bytes of a dataset's values in one answer.
    pub max_values: usize,
}

impl HsdsSettings {
    /// The defaults for a server.
    #[must_use]
    pub fn new(endpoint: Url) -> Self {
        Self {
            endpoint,
            max_in_flight: 8,
            timeout: Duration::from_secs(60),
            patience: Duration::from_secs(120),
            max_answer: 64 << 20,
            max_values: 128 << 20,
        }
    }
}
