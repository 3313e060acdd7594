//! Ending sessions before their time.

use std::time::Duration;

use taskgate_core::revocation::{Revocation, Revoked};

use crate::access::desk::AccessDesk;
use crate::access::store::{AccessStoreError, KeptRevocation, revocation_key};

/// How much longer an entry is kept than anything lives that it ends: clocks differ.
const MARGIN: Duration = Duration::from_secs(300);

impl AccessDesk {
    /// Ends what was begun up to now: all sessions of a person or of everybody, or those of one sign-in. `by` is who
    /// wants it. In force when this returns, whatever it returns: every worker hears of it within a moment.
    ///
    /// # Errors
    /// [`AccessStoreError`]: it is not kept yet, and over if the process ends before it is.
    pub async fn end_sessions(&self, revoked: Revoked, by: &str, longest: Duration) -> Result<(), AccessStoreError> {
        let at = self.now();
        let longest = longest.max(Duration::from_secs(self.control().gate.session_lifetime_secs));
        let until = at.after(longest).after(MARGIN);
        let (kind, subject) = revocation_key(&revoked);
        tracing::info!(
            audit = true,
            event = "session-ended",
            ended = kind,
            subject = subject,
            actor.id = by,
            "sessions ended"
        );
        self.revoke(KeptRevocation { revocation: Revocation { revoked, at }, until, by: by.to_owned() }).await
    }
}
