//! Tasks: the states of long work, and which may follow which.
//!
//! A task that was deleted keeps its state under a tombstone: deleting is no state, since the work it
//! asked for may still be ending.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Waits for a worker, for the first time or again.
    #[serde(rename = "queued")]
    Queued,
    /// A worker holds it.
    #[serde(rename = "in progress")]
    InProgress,
    /// Waits for its owner to hand in a credential that is still good.
    #[serde(rename = "paused")]
    Paused,
    /// Done.
    #[serde(rename = "complete")]
    Complete,
    /// Given up, with a reason.
    #[serde(rename = "failed")]
    Failed,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker took it, or took it over from one whose lease ended.
    Claimed,
    /// Its worker gave it back: to be tried again later, or because the worker ends.
    Released,
    /// Its credential is not good any more.
    CredentialEnded,
    /// Its owner handed in another credential.
    Resumed,
    /// Its worker is done.
    Completed,
    /// It can't be done, or was tried often enough, or took too long.
    GivenUp,
}

impl Status {
    /// Every state, in the order in which a task may meet them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::InProgress, Self::Paused, Self::Complete, Self::Failed];

    /// As clients see it, and as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::Paused => "paused",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }

    /// The state after an event; none where the event can't happen in this state.
    #[must_use]
    pub const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            // In progress too: the lease of whoever had it ended.
            (Self::Queued | Self::InProgress, Event::Claimed) => Some(Self::InProgress),
            (Self::InProgress, Event::Released) | (Self::Paused, Event::Resumed) => Some(Self::Queued),
            (Self::InProgress, Event::CredentialEnded) => Some(Self::Paused),
            (Self::InProgress, Event::Completed) => Some(Self::Complete),
            (Self::Queued | Self::InProgress | Self::Paused, Event::GivenUp) => Some(Self::Failed),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// How much there is; none while it is not known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

/// What progress counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes of data.
    #[default]
    Bytes,
    /// Objects of a file.
    Objects,
    /// Steps of an operation that is not ours.
    Steps,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back_and_nothing_follows_the_last_ones() {
        const EVENTS: [Event; 6] =
            [Event::Claimed, Event::Released, Event::CredentialEnded, Event::Resumed, Event::Completed, Event::GivenUp];
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(EVENTS.iter().all(|event| status.after(*event).is_none()), status.is_over(), "{status}");
        }
        assert_eq!(Status::parse("done"), None);
    }

    #[test]
    fn a_task_that_paused_goes_on_from_the_queue() {
        let paused = Status::Queued.after(Event::Claimed).and_then(|status| status.after(Event::CredentialEnded));
        assert_eq!(paused, Some(Status::Paused));
        assert_eq!(Status::Paused.after(Event::Claimed), None);
        assert_eq!(Status::Paused.after(Event::Resumed), Some(Status::Queued));
    }
}
