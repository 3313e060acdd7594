//! A task as it is kept: what its owner may see, and who works on it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;
use thiserror::Error;
use uuid::{Builder, Uuid};

use crate::digest::Digest;
use crate::tasks::request::Request;

/// A task's id: a UUID of version 7, so that ids are in the order in which tasks were made.
///
/// Invariant: its text is 36 bytes, lower case, with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(Uuid);

/// Text that is no task's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the id of a task: a UUID with hyphens is expected")]
pub struct InvalidTaskId;

/// Who asked for a task: the user's name, as the server of the data knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

/// A sealed credential: bytes that only a holder of the key ring can read.
///
/// Invariant: its `Debug` is `****`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Who asked for it.
    pub owner: Owner,
    /// What was asked for.
    pub request: Request,
    /// The digest of owner and request: of equal ones, one may be under way at a time.
    pub digest: Digest,
    /// Where it is.
    pub status: Status,
    /// How far it is.
    pub progress: Progress,
    /// How often it was begun. A worker that gives it back, or finds its credential ended, does not count.
    pub attempts: u32,
    /// How often it may be begun.
    pub max_attempts: u32,
    /// Rises with every claim: a write by a holder of an older one is refused.
    pub epoch: u64,
    /// How many writes were refused since they came from somebody who did not hold it any more.
    pub fenced: u64,
    /// When it was accepted.
    pub created: UnixTime,
    /// When anything of it last changed that can be seen.
    pub updated: UnixTime,
    /// When it was begun for the first time.
    pub started: Option<UnixTime>,
    /// When nothing more was to happen to it: it was complete, failed, or deleted and held by nobody.
    pub finished: Option<UnixTime>,
    /// It is not begun before this.
    pub not_before: UnixTime,
    /// It fails where it is not over by then.
    pub deadline: Option<UnixTime>,
    /// Who holds it, or held it last.
    pub worker: Option<String>,
    /// How long they do; none where nobody does.
    pub lease_until: Option<UnixTime>,
    /// When its credential ends, where that is known.
    pub credential_expires: Option<UnixTime>,
    /// What came out, where it is complete.
    pub result: Option<Value>,
    /// What last went wrong.
    pub failure: Option<Failure>,
    /// When it was deleted: a tombstone.
    pub deleted: Option<UnixTime>,
    /// Rises with every change that can be seen.
    pub version: u64,
}

/// What went wrong with a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it is, for programs.
    pub code: String,
    /// What it is, for people.
    pub detail: String,
    /// Whether no other attempt follows.
    pub is_final: bool,
}

impl TaskId {
    /// The id of a task that is made at `now`.
    #[must_use]
    pub fn new(now: UnixTime, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
    }

    /// Reads an id's text form, in either case.
    ///
    /// # Errors
    /// [`InvalidTaskId`].
    pub fn parse(text: &str) -> Result<Self, InvalidTaskId> {
        // The crate reads other forms too, which would be other addresses of the same task.
        if text.len() != 36 {
            return Err(InvalidTaskId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidTaskId)
    }
}

impl Owner {
    /// A user by name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The user's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sealed {
    /// Bytes that were sealed.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Task {
    /// Whether nothing more happens to it: it is complete, failed, or deleted and held by nobody.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.finished.is_some()
    }

    /// How long it waited from when it was accepted until it was begun.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        self.started.map(|started| started.since(self.created))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), formatter)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(text: String) -> Result<Self, InvalidTaskId> {
        Self::parse(&text)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_times_and_read_back() {
        let at = |millis, random| TaskId::new(UnixTime::from_millis(millis), random);
        let (early, late) = (at(1_700_000_000_000, [255; 10]), at(1_700_000_000_001, [0; 10]));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(TaskId::parse(&early.to_string()), Ok(early));
        assert_eq!(TaskId::parse(&early.to_string().to_uppercase()), Ok(early));
        let json = serde_json::to_string(&late).expect("JSON");
        assert_eq!(json, format!("\"{late}\""));
        assert_eq!(serde_json::from_str::<TaskId>(&json).expect("an id"), late);
    }

    #[test]
    fn other_texts_are_no_ids() {
        let id = TaskId::new(UnixTime::from_millis(1), [7; 10]).to_string();
        for text in
            ["", "42", &id.replace('-', ""), &format!("{{{id}}}"), &format!("urn:uuid:{id}"), &id.replace('0', "g")]
        {
            assert_eq!(TaskId::parse(text), Err(InvalidTaskId), "{text}");
        }
    }

    #[test]
    fn a_sealed_credential_does_not_show() {
        assert_eq!(format!("{:?}", Sealed::new(b"Bearer x".to_vec())), "****");
    }
}
