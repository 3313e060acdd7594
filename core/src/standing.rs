//! What has to stay so for as long as a permitted request lasts.
//!
//! A WebSocket, a gRPC stream or a long download was permitted once, at its beginning. Its standing is what is left of
//! the permit; the gate looks at it now and then ([`crate::gate::Gate::stand`]) and says when it ends.

use core::time::Duration;

use crate::cache::VerdictKey;
use crate::permit::Who;
use crate::time::{Moment, UnixTime};
use crate::verdict::Credential;

/// How long a stream may go on after its right became doubtful while nobody can say: then it ends.
pub const DOUBT: Duration = Duration::from_secs(8);

/// What has to stay so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    service: Box<str>,
    /// None: not of the service, but of the sidecar below its name.
    epoch: Option<u32>,
    who: Who,
    began: Moment,
    /// When its visitor's right was last confirmed, by the steady clock.
    pub(crate) confirmed: UnixTime,
    /// When nobody is asked before, by the steady clock.
    pub(crate) ask_after: UnixTime,
    /// What was asked last about it.
    pub(crate) asked: Option<VerdictKey>,
    /// Since when the right is doubtful, by the steady clock.
    pub(crate) doubtful: Option<UnixTime>,
    cookies: Vec<String>,
    /// Where it is a connection without headers.
    line: Option<Box<Line>>,
}

/// What came with a connection that has no headers, by which it is asked about again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its other end.
    pub(crate) credential: Credential,
    /// When the certificate of that ends, by the wall clock.
    pub(crate) ends_at: Option<UnixTime>,
    /// Under which epoch of verdicts its right was last confirmed: another one means other sources.
    pub(crate) verdict_epoch: u64,
    /// Since when its service is gone, by the steady clock.
    pub(crate) gone: Option<UnixTime>,
}

impl Line {
    /// What came with a connection that was permitted under that epoch of verdicts.
    #[must_use]
    pub const fn new(credential: Credential, ends_at: Option<UnixTime>, verdict_epoch: u64) -> Self {
        Self { credential, ends_at, verdict_epoch, gone: None }
    }
}

impl Standing {
    /// The standing of a request that has just been permitted; `cookies` are for its answer.
    #[must_use]
    pub fn new(service: Box<str>, epoch: Option<u32>, who: Who, began: Moment, cookies: Vec<String>) -> Self {
        let (confirmed, ask_after) = (began.steady, began.steady);
        Self { service, epoch, who, began, confirmed, ask_after, asked: None, doubtful: None, cookies, line: None }
    }

    /// The standing of a connection that has just been permitted.
    #[must_use]
    pub fn of_connection(service: Box<str>, epoch: u32, who: Who, began: Moment, line: Line) -> Self {
        Self { line: Some(Box::new(line)), ..Self::new(service, Some(epoch), who, began, Vec::new()) }
    }

    /// Whether it is a connection without headers.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        self.line.is_some()
    }

    /// What came with it, where it is a connection without headers.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.line.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn line_mut(&mut self) -> Option<&mut Line> {
        self.line.as_deref_mut()
    }

    /// The service's id.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The epoch of the service under which its visitor's right was last confirmed.
    #[must_use]
    pub const fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// Whose request it is.
    #[must_use]
    pub const fn who(&self) -> &Who {
        &self.who
    }

    /// When it was permitted.
    #[must_use]
    pub const fn began(&self) -> Moment {
        self.began
    }

    /// The `Set-Cookie` lines for its answer, once.
    pub fn take_cookies(&mut self) -> Vec<String> {
        core::mem::take(&mut self.cookies)
    }

    /// Its visitor's right was confirmed under that epoch.
    pub(crate) fn confirm(&mut self, epoch: u32, verdict_epoch: u64, now: UnixTime) {
        self.epoch = Some(epoch);
        if let Some(line) = &mut self.line {
            line.verdict_epoch = verdict_epoch;
        }
        self.confirmed = now;
        // What changes next is asked about at once.
        self.ask_after = now;
        self.doubtful = None;
        self.asked = None;
    }
}
