//! How an attempt is told that nobody wants its outcome any more, and why.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Tells an attempt that nobody wants its outcome any more. Clones tell the same attempt.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

/// Why nobody wants the outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The owner's credential ended; somebody goes on once there is another.
    CredentialEnded,
    /// The task was deleted: nobody goes on with it.
    Deleted,
    /// The worker ends; another one goes on.
    Draining,
    /// The owner may not any more what they asked for: nobody goes on with it.
    Forbidden,
    /// The task's time is over: nobody goes on with it.
    Late,
    /// The lease is over, or soon: another worker may have the task.
    Lost,
}

impl Stop {
    /// For an attempt that is wanted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody wants the outcome any more. The first reason counts.
    pub fn now(&self, reason: StopReason) {
        // A second reason is none.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Cancelled when nobody wants the outcome any more.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why; none while it is wanted.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }
}

impl StopReason {
    /// Whether nobody goes on with the task.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Deleted | Self::Forbidden | Self::Late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts_for_all_clones() {
        let stop = Stop::new();
        let seen = stop.clone();
        assert!(seen.reason().is_none() && !seen.token().is_cancelled());
        stop.now(StopReason::Draining);
        stop.now(StopReason::Deleted);
        assert!(seen.token().is_cancelled());
        assert_eq!(seen.reason(), Some(StopReason::Draining));
        assert!(StopReason::Forbidden.is_final() && !StopReason::CredentialEnded.is_final());
        assert!(!StopReason::Draining.is_final() && !StopReason::Lost.is_final() && StopReason::Late.is_final());
    }
}
