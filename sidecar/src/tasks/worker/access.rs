//! Whether a task's owner may still do what they asked for.
//!
//! An HSDS node goes by rights that it read once, until something makes it read them anew: a request for the domain
//! itself does. So that is asked when a task is begun and at every heartbeat, and the writes that follow are judged
//! by the rights of now.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::sleep;

use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::tasks::operation::{WorkError, Writes};
use crate::tasks::request::Request;

/// How long the question may take, with its attempts.
const PATIENCE: Duration = Duration::from_secs(15);

/// The domains of a task.
#[derive(Debug)]
pub(super) struct Access {
    session: Option<Session>,
    read: BTreeSet<DomainName>,
    written: BTreeSet<DomainName>,
    writes: Writes,
}

impl Access {
    pub(super) fn new(session: Option<&Session>, request: &Request, writes: Writes) -> Self {
        let read: BTreeSet<DomainName> = request.src.iter().map(DomainName::from).collect();
        let written = request.des.iter().map(DomainName::from).collect();
        Self { session: session.map(|session| session.patient(PATIENCE)), read, written, writes }
    }

    /// Whether the owner may.
    ///
    /// # Errors
    /// [`WorkError`]: they may not any more, or it can't be said.
    pub(super) async fn check(&self) -> Result<(), WorkError> {
        let Some(session) = &self.session else { return Ok(()) };
        try_join_all(self.read.iter().map(|domain| may_read(session, domain))).await?;
        try_join_all(self.written.iter().map(|domain| may_write(session, domain, self.writes))).await?;
        Ok(())
    }

    /// Asks again and again; what is returned is why the work must end.
    pub(super) async fn watch(&self, every: Duration) -> WorkError {
        if self.session.is_none() || (self.read.is_empty() && self.written.is_empty()) {
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

async fn may_read(session: &Session, domain: &DomainName) -> Result<(), WorkError> {
    match session.domain(domain).await {
        Ok(_) => Ok(()),
        Err(HsdsError::Forbidden) => Err(forbidden(domain, "read")),
        Err(error) => unless_absent(error),
    }
}

async fn may_write(session: &Session, domain: &DomainName, writes: Writes) -> Result<(), WorkError> {
    match session.domain(domain).await {
        // Who may write need not be one who may read; the rights were read anew all the same.
        Ok(_) | Err(HsdsError::Forbidden) => {}
        Err(error) => return unless_absent(error),
    }
    // Whether data may be written is not asked, since that needs a dataset: the next write is refused.
    if writes == Writes::Updates {
        return Ok(());
    }
    match session.may_create(domain).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(HsdsError::Forbidden) => Err(forbidden(domain, "write")),
        Err(error) => unless_absent(error),
    }
}

/// What is not there is for the operation to say, or to make.
fn unless_absent(error: HsdsError) -> Result<(), WorkError> {
    match error {
        error if error.is_absent() => Ok(()),
        HsdsError::Unauthorised => Err(WorkError::CredentialEnded),
        error => Err(WorkError::Transient(error.to_string())),
    }
}

fn forbidden(domain: &DomainName, what: &str) -> WorkError {
    WorkError::permanent("forbidden", format!("the task's owner may not {what} `{domain}` any more"))
}
