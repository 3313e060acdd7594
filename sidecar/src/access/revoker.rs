//! Ending sessions before their time.

use std::time::Duration;

use taskgate_core::revocation::{Revocation, Revoked};
use taskgate_core::time::UnixTime;

use crate::access::desk::AccessDesk;
use crate::access::store::{AccessStoreError, KeptRevocation, revocation_key};

/// How much longer an entry is kept than anything lives that it ends: clocks differ.
const MARGIN: Duration = Duration::from_secs(300);
/// What began by a clock that is ahead by so much is ended too, where an operator ends it. Who ends their own sessions
/// may sign in again at once.
const AHEAD: Duration = Duration::from_secs(5);
/// Who operators are in audits.
const OPERATOR: &str = "operator";

impl AccessDesk {
    /// Ends what was begun up to now: all sessions of a person or of everybody, or those of one sign-in. `by` is who
    /// wants it, for their own sessions. In force when this returns, whatever it returns: every worker hears of it
    /// within a moment.
    ///
    /// # Errors
    /// [`AccessStoreError`]: it is not kept yet, and over if the process ends before it is.
    pub async fn end_sessions(&self, revoked: Revoked, by: &str, longest: Duration) -> Result<(), AccessStoreError> {
        let actor = Some(by.to_owned()).filter(|_| matches!(revoked, Revoked::Session(_)));
        self.end(revoked, self.now(), by, actor, longest).await
    }

    /// The same for an operator, who ends anybody's.
    ///
    /// # Errors
    /// [`AccessStoreError`], as above.
    pub async fn end_sessions_of_others(&self, revoked: Revoked, longest: Duration) -> Result<(), AccessStoreError> {
        self.end(revoked, self.now().after(AHEAD), OPERATOR, None, longest).await
    }

    async fn end(
        &self,
        revoked: Revoked,
        at: UnixTime,
        by: &str,
        actor: Option<String>,
        longest: Duration,
    ) -> Result<(), AccessStoreError> {
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
        self.revoke(KeptRevocation { revocation: Revocation { revoked, at }, until, by: by.to_owned(), actor }).await
    }
}
