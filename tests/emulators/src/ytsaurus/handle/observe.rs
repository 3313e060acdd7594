//! What tests can find out about how the cluster was used.

use std::collections::BTreeMap;

use super::Ytsaurus;
use crate::ytsaurus::calls::Call;

// === impl Ytsaurus: what happened ===

impl Ytsaurus {
    /// How often each command was called. Parts of a batch count as `execute_batch/get`.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state.calls().counts()
    }

    /// How often a command was called.
    #[must_use]
    pub fn count(&self, command: &str) -> u64 {
        self.state.calls().counts().get(command).copied().unwrap_or(0)
    }

    /// The most calls that were under way at once.
    #[must_use]
    pub fn peak_concurrency(&self) -> u64 {
        self.state.calls().peak()
    }

    /// The last calls of a command with all that is known about them, oldest first.
    #[must_use]
    pub fn seen(&self, command: &str) -> Vec<Call> {
        self.state.calls().of(command)
    }

    /// Starts counting anew.
    pub fn reset_calls(&self) {
        self.state.calls().reset();
    }
}
