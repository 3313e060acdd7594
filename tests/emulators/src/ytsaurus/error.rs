//! Errors as a cluster reports them: a tree of codes and messages.

use crate::yson::{Yson, YsonMap};

/// Codes of errors that clients act upon.
pub mod codes {
    /// Anything without a code of its own.
    pub const GENERIC: i64 = 1;
    /// Something took too long.
    pub const TIMEOUT: i64 = 3;
    /// The network.
    pub const TRANSPORT: i64 = 100;
    /// An object does not know the verb.
    pub const NO_SUCH_METHOD: i64 = 103;
    /// A server inside the cluster can't be reached.
    pub const UNAVAILABLE: i64 = 105;
    /// A CSRF token is wrong.
    pub const INVALID_CSRF_TOKEN: i64 = 110;
    /// Credentials are missing or wrong.
    pub const INVALID_CREDENTIALS: i64 = 111;
    /// A row does not fit the table.
    pub const SCHEMA_VIOLATION: i64 = 307;
    /// The same transaction holds a lock that excludes this one.
    pub const SAME_TRANSACTION_LOCK: i64 = 400;
    /// Another transaction holds a lock.
    pub const LOCK_CONFLICT: i64 = 402;
    /// A path leads nowhere.
    pub const RESOLVE: i64 = 500;
    /// Something is there already.
    pub const ALREADY_EXISTS: i64 = 501;
    /// A permission is missing.
    pub const ACCESS_DENIED: i64 = 901;
    /// The user may do nothing.
    pub const USER_BANNED: i64 = 903;
    /// Too many requests.
    pub const RATE_LIMIT: i64 = 904;
    /// A prerequisite transaction is gone.
    pub const PREREQUISITE: i64 = 1000;
    /// There is no such operation.
    pub const NO_SUCH_OPERATION: i64 = 1915;
    /// There is no such attribute.
    pub const NO_SUCH_ATTRIBUTE: i64 = 1920;
    /// The proxy is banned.
    pub const PROXY_BANNED: i64 = 2100;
    /// There is no such transaction.
    pub const NO_SUCH_TRANSACTION: i64 = 11000;
}

/// An error of the cluster, with what led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterError {
    /// One of [`codes`], or any other.
    pub code: i64,
    /// What it says.
    pub message: String,
    /// More about it.
    pub attributes: YsonMap,
    /// What led to it.
    pub inner: Vec<Self>,
}

// === impl ClusterError ===

impl ClusterError {
    /// An error with that code.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), attributes: YsonMap::new(), inner: Vec::new() }
    }

    /// An error without a code of its own.
    pub fn generic(message: impl Into<String>) -> Self {
        Self::new(codes::GENERIC, message)
    }

    /// A path that leads nowhere, and why.
    pub(super) fn resolve(path: &str, reason: Self) -> Self {
        Self::new(codes::RESOLVE, format!("Error resolving path {path}")).because(reason)
    }

    /// With this attribute too.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Yson>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    /// With what led to it.
    #[must_use]
    pub fn because(mut self, inner: Self) -> Self {
        self.inner.push(inner);
        self
    }

    /// Whether it or anything that led to it has that code.
    #[must_use]
    pub fn contains(&self, code: i64) -> bool {
        self.code == code || self.inner.iter().any(|inner| inner.contains(code))
    }

    /// As it is sent.
    pub(super) fn to_yson(&self) -> Yson {
        let mut attributes = self.attributes.clone();
        attributes.entry(b"host".to_vec()).or_insert_with(|| "emulator".into());
        let inner = self.inner.iter().map(Self::to_yson).collect::<Vec<_>>();
        Yson::map([
            ("code", Yson::from(self.code)),
            ("message", Yson::from(&self.message)),
            ("attributes", Yson::from(attributes)),
            ("inner_errors", Yson::from(inner)),
        ])
    }
}
