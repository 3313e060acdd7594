//! What a worker on another machine and a sidecar say to each other, in JSON.
//!
//! Credentials go over it in the clear: the listener needs the internal secret, and is for a network that only
//! operators reach.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use taskgate_core::task::{Progress, Status};
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::secret::SecretText;
use crate::tasks::queue::{Ending, Held, Taken};
use crate::tasks::request::Request;
use crate::tasks::row::{Failure, Owner, Task, TaskId};
use crate::tasks::store::{Hold, Renewed, Settled};

/// Where tasks are claimed.
pub const CLAIM_PATH: &str = "/internal/tasks/claim";
/// Where it is asked whether there may be work.
pub const NEWS_PATH: &str = "/internal/tasks/news";
/// Where leases are prolonged.
pub const RENEW_PATH: &str = "/internal/tasks/renew";
/// Where it is asked what has become of tasks.
pub const CHECK_PATH: &str = "/internal/tasks/check";
/// Where checkpoints are kept.
pub const CHECKPOINT_PATH: &str = "/internal/tasks/checkpoint";
/// Where holds end.
pub const SETTLE_PATH: &str = "/internal/tasks/settle";

/// What can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{0}` can't be read")]
pub struct InvalidMessage(&'static str);

/// Asks for tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMessage {
    /// Who asks.
    pub worker: String,
    /// The operations that they do.
    pub operations: Vec<String>,
    /// How many at most.
    pub most: u32,
    /// For how long, in milliseconds.
    pub lease_ms: u64,
}

/// Asks whether there may be work.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewsMessage {
    /// How long to wait for it, in milliseconds.
    pub wait_ms: u64,
}

/// Prolongs leases, or asks about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewMessage {
    /// What is held.
    pub holds: Vec<WireHold>,
    /// For how long, in milliseconds; nothing for asking.
    #[serde(default)]
    pub lease_ms: u64,
}

/// Keeps a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMessage {
    /// What is held.
    pub hold: WireHold,
    /// The checkpoint, in base64.
    pub checkpoint: String,
}

/// Ends a hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleMessage {
    /// What is held.
    pub hold: WireHold,
    /// Whose it is.
    pub owner: Owner,
    /// Its operation.
    pub operation: String,
    /// How it ended.
    pub ending: WireEnding,
    /// How long the attempt took, in milliseconds.
    pub ran_ms: u64,
}

/// What is held, and how far it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireHold {
    /// The task.
    pub id: TaskId,
    /// Its epoch.
    pub epoch: u64,
    /// How far it is.
    #[serde(default)]
    pub progress: Progress,
}

/// How an attempt ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum WireEnding {
    /// It is done.
    Complete(Value),
    /// It can't be done.
    Failed(Failure),
    /// It is to be tried again.
    Retry {
        /// The pause before that, in milliseconds.
        pause_ms: u64,
        /// What went wrong.
        failure: Failure,
    },
    /// Its credential ended.
    Paused(Failure),
    /// It was not begun.
    Postponed {
        /// The pause before that, in milliseconds.
        pause_ms: u64,
        /// What is in its way.
        failure: Failure,
    },
    /// It is given back.
    Released,
}

/// A task that was claimed.
#[derive(Serialize, Deserialize)]
pub struct WireTaken {
    id: TaskId,
    owner: Owner,
    request: Request,
    attempts: u32,
    max_attempts: u32,
    epoch: u64,
    progress: Progress,
    created: UnixTime,
    deadline: Option<UnixTime>,
    time_left_ms: Option<u64>,
    checkpoint: Option<String>,
    #[serde(serialize_with = "shown")]
    credential: SecretText,
}

/// What has become of a hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireRenewed {
    /// It holds.
    Held,
    /// The task was deleted.
    Deleted,
    /// It is over.
    Lost,
}

/// What came of ending a hold: the state, or nothing where it was over before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WireSettled {
    /// The task's state.
    pub status: Option<Status>,
}

impl From<Taken> for WireTaken {
    fn from(taken: Taken) -> Self {
        let Taken { task, checkpoint, credential, time_left } = taken;
        Self {
            id: task.id,
            owner: task.owner,
            request: task.request,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            epoch: task.epoch,
            progress: task.progress,
            created: task.created,
            deadline: task.deadline,
            time_left_ms: time_left.map(millis),
            checkpoint: checkpoint.map(|bytes| STANDARD.encode(bytes)),
            credential,
        }
    }
}

impl TryFrom<WireTaken> for Taken {
    type Error = InvalidMessage;

    fn try_from(wire: WireTaken) -> Result<Self, InvalidMessage> {
        let checkpoint = wire.checkpoint.map(|text| STANDARD.decode(text)).transpose();
        let task = Task {
            digest: wire.request.digest(wire.owner.as_str()),
            id: wire.id,
            owner: wire.owner,
            request: wire.request,
            status: Status::InProgress,
            progress: wire.progress,
            attempts: wire.attempts,
            max_attempts: wire.max_attempts,
            epoch: wire.epoch,
            fenced: 0,
            created: wire.created,
            updated: wire.created,
            started: None,
            finished: None,
            not_before: wire.created,
            deadline: wire.deadline,
            worker: None,
            lease_until: None,
            credential_expires: None,
            result: None,
            failure: None,
            deleted: None,
            version: 0,
        };
        Ok(Self {
            task,
            checkpoint: checkpoint.map_err(|_| InvalidMessage("checkpoint"))?,
            credential: wire.credential,
            time_left: wire.time_left_ms.map(Duration::from_millis),
        })
    }
}

impl From<(Hold, Progress)> for WireHold {
    fn from((Hold { id, epoch }, progress): (Hold, Progress)) -> Self {
        Self { id, epoch, progress }
    }
}

impl From<WireHold> for (Hold, Progress) {
    fn from(WireHold { id, epoch, progress }: WireHold) -> Self {
        (Hold { id, epoch }, progress)
    }
}

impl SettleMessage {
    /// The message that ends a hold.
    #[must_use]
    pub fn new(held: &Held, ending: &Ending, ran: Duration) -> Self {
        Self {
            hold: (held.hold, Progress::default()).into(),
            owner: held.owner.clone(),
            operation: held.operation.clone(),
            ending: ending.into(),
            ran_ms: millis(ran),
        }
    }

    /// What it says.
    #[must_use]
    pub fn read(self) -> (Held, Ending, Duration) {
        let (hold, _) = self.hold.into();
        let held = Held { hold, owner: self.owner, operation: self.operation };
        (held, self.ending.into(), Duration::from_millis(self.ran_ms))
    }
}

impl CheckpointMessage {
    /// The message that keeps a checkpoint.
    #[must_use]
    pub fn new(hold: Hold, bytes: &[u8], progress: Progress) -> Self {
        Self { hold: (hold, progress).into(), checkpoint: STANDARD.encode(bytes) }
    }

    /// The checkpoint.
    ///
    /// # Errors
    /// [`InvalidMessage`].
    pub fn bytes(&self) -> Result<Vec<u8>, InvalidMessage> {
        STANDARD.decode(&self.checkpoint).map_err(|_| InvalidMessage("checkpoint"))
    }
}

impl From<&Ending> for WireEnding {
    fn from(ending: &Ending) -> Self {
        match ending.clone() {
            Ending::Complete(result) => Self::Complete(result),
            Ending::Failed(failure) => Self::Failed(failure),
            Ending::Retry { pause, failure } => Self::Retry { pause_ms: millis(pause), failure },
            Ending::Paused(failure) => Self::Paused(failure),
            Ending::Postponed { pause, failure } => Self::Postponed { pause_ms: millis(pause), failure },
            Ending::Released => Self::Released,
        }
    }
}

impl From<WireEnding> for Ending {
    fn from(wire: WireEnding) -> Self {
        match wire {
            WireEnding::Complete(result) => Self::Complete(result),
            WireEnding::Failed(failure) => Self::Failed(failure),
            WireEnding::Retry { pause_ms, failure } => Self::Retry { pause: Duration::from_millis(pause_ms), failure },
            WireEnding::Paused(failure) => Self::Paused(failure),
            WireEnding::Postponed { pause_ms, failure } => {
                Self::Postponed { pause: Duration::from_millis(pause_ms), failure }
            }
            WireEnding::Released => Self::Released,
        }
    }
}

impl From<Renewed> for WireRenewed {
    fn from(renewed: Renewed) -> Self {
        match renewed {
            Renewed::Held => Self::Held,
            Renewed::Deleted => Self::Deleted,
            Renewed::Lost => Self::Lost,
        }
    }
}

impl From<WireRenewed> for Renewed {
    fn from(wire: WireRenewed) -> Self {
        match wire {
            WireRenewed::Held => Self::Held,
            WireRenewed::Deleted => Self::Deleted,
            WireRenewed::Lost => Self::Lost,
        }
    }
}

impl From<Settled> for WireSettled {
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Done(status) => Self { status: Some(status) },
            Settled::Fenced => Self { status: None },
        }
    }
}

impl From<WireSettled> for Settled {
    fn from(wire: WireSettled) -> Self {
        wire.status.map_or(Self::Fenced, Self::Done)
    }
}

/// A duration in milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A worker needs it, and shows the internal secret for it.
fn shown<S: Serializer>(credential: &SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(credential.expose())
}
