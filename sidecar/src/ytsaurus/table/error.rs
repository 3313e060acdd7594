//! Why a table is not written.

use thiserror::Error;

use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::path;

/// Why a table is not written.
#[derive(Debug, Error)]
pub enum TableError {
    /// The sidecar is about to end.
    #[error("making the rows was cut short")]
    Cut,
    /// The robot may not do it.
    #[error(
        "can't {doing} `{path}`: {error}; give the robot `read`, `write`, `create` and `remove` on `{directory}`, and \
         `use` on its account (`sys` for what is under `//sys`)",
        directory = directory(path)
    )]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// With which node.
        path: String,
        /// What the cluster says.
        error: CallError,
    },
    /// It failed, and may go right later.
    #[error("can't {doing} `{path}`: {error}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// With which node.
        path: String,
        /// What the cluster says.
        error: CallError,
    },
    /// The transaction that held the lock is over: someone else may write now.
    #[error("the lock is lost: {0}")]
    Lost(CallError),
    /// Which ids other sidecars gave is not known, and a table says it.
    #[error(
        "which ids other sidecars gave can't be read, so `{path}`, which says it, is left as it is; let the robot `read` \
         it, or remove it where it is no such table"
    )]
    Unclaimed {
        /// The table.
        path: String,
    },
}

impl TableError {
    /// What a call's error means for whoever holds the lock.
    #[must_use]
    pub fn new(doing: &'static str, path: &str, error: CallError) -> Self {
        let path = path.to_owned();
        if error.has(code::AUTHORIZATION) {
            Self::Denied { doing, path, error }
        } else if error.has(code::NO_SUCH_TRANSACTION) || error.has(code::PREREQUISITE_CHECK_FAILED) {
            Self::Lost(error)
        } else {
            Self::Failed { doing, path, error }
        }
    }

    /// Whether the same would have the same end a moment later.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Cut | Self::Lost(_) => false,
            Self::Denied { .. } | Self::Unclaimed { .. } => true,
            Self::Failed { error, .. } => !error.is_passing(),
        }
    }

    /// Whether it went wrong with this node.
    #[must_use]
    pub fn is_about(&self, node: &str) -> bool {
        match self {
            Self::Cut | Self::Lost(_) => false,
            Self::Denied { path, .. } | Self::Failed { path, .. } | Self::Unclaimed { path } => path == node,
        }
    }

    /// Whether the robot may not do it: nothing but a person's hand changes that.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

fn directory(path: &str) -> &str {
    path::split(path).map_or(path, |(directory, _)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ytsaurus::client::error::YtError;

    #[test]
    fn a_missing_permission_says_what_to_grant() {
        let refused = || CallError::Refused(YtError::new(code::AUTHORIZATION, "Access denied"));
        let error = TableError::new("lock", "//sys/task_proxies/services_writer", refused());
        assert!(error.is_denied());
        assert_eq!(
            error.to_string(),
            "can't lock `//sys/task_proxies/services_writer`: Access denied (code 901); give the robot `read`, `write`, \
             `create` and `remove` on `//sys/task_proxies`, and `use` on its account (`sys` for what is under `//sys`)"
        );
    }

    #[test]
    fn a_dead_transaction_is_a_lost_lock() {
        for code in [code::NO_SUCH_TRANSACTION, code::PREREQUISITE_CHECK_FAILED] {
            let mut error = YtError::new(1, "error committing");
            error.inner_errors.push(YtError::new(code, "it is over"));
            assert!(matches!(TableError::new("commit", "//a/b", CallError::Refused(error)), TableError::Lost(_)));
        }
        let other = CallError::Refused(YtError::new(code::LOCK_CONFLICT, "taken"));
        assert!(matches!(TableError::new("write", "//a/b", other), TableError::Failed { .. }));
    }
}
