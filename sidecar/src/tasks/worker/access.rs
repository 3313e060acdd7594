//! Whether a task's owner may still do what they asked for.
//!
//! An HSDS node goes by rights that it read once, until something makes it read them anew: a request for the domain
//! itself does. So that is asked when a task is begun and at every heartbeat, and the writes that follow are judged
//! by the rights of now. What is asked is what was asked before the task was accepted: paths are followed anew, so
//! that a link that leads elsewhere by now is seen, too.

use std::time::Duration;

use tokio::time::sleep;

use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::tasks::authorise::{Objection, examine};
use crate::tasks::operation::{WorkError, Writes};
use crate::tasks::request::Request;

/// How long each question may take, with its attempts.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a task needs.
#[derive(Debug)]
pub(super) struct Access {
    session: Option<Session>,
    request: Request,
    writes: Writes,
}

impl Access {
    pub(super) fn new(session: Option<&Session>, request: &Request, writes: Writes) -> Self {
        Self { session: session.map(|session| session.patient(PATIENCE)), request: request.clone(), writes }
    }

    /// Whether the owner may.
    ///
    /// # Errors
    /// [`WorkError`]: they may not any more, or it can't be said.
    pub(super) async fn check(&self) -> Result<(), WorkError> {
        let Some(session) = &self.session else { return Ok(()) };
        // What is not there is for the operation to say.
        examine(session, &self.request, self.writes, HsdsError::is_absent).await.map_err(reason)
    }

    /// Asks again and again; what is returned is why the work must end.
    pub(super) async fn watch(&self, every: Duration) -> WorkError {
        if self.session.is_none() || (self.request.src.is_empty() && self.request.des.is_empty()) {
            return std::future::pending().await;
        }
        loop {
            sleep(every).await;
            match self.check().await {
                // What can't be said now does not end work; the server ends it itself if it does not answer.
                Ok(()) | Err(WorkError::Transient(_)) => {}
                Err(error) => return error,
            }
        }
    }
}

fn reason(Objection { at, action, error }: Objection) -> WorkError {
    match error {
        HsdsError::Forbidden => {
            WorkError::permanent("forbidden", format!("the task's owner may not {action} {at} any more"))
        }
        HsdsError::BadRequest { reason } => {
            WorkError::permanent("refused", format!("the server does not take {at} any more: {reason}"))
        }
        error => error.into(),
    }
}
