//! The queue of a sidecar elsewhere, over its internal listener.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use taskgate_core::task::Progress;
use url::Url;

use crate::api::guard::SECRET_HEADER;
use crate::http::{HttpError, client, explain};
use crate::retry;
use crate::secret::SecretText;
use crate::tasks::queue::wire::{
    CHECK_PATH, CHECKPOINT_PATH, CLAIM_PATH, CheckpointMessage, ClaimMessage, NEWS_PATH, NewsMessage, RENEW_PATH,
    RenewMessage, SETTLE_PATH, SettleMessage, WireRenewed, WireSettled, WireTaken, millis,
};
use crate::tasks::queue::{Ending, Held, Queue, QueueError, Taken};
use crate::tasks::store::{Claimant, Hold, Renewed, Settled};

/// How long an exchange may take: well below a lease.
const TIMEOUT: Duration = Duration::from_secs(8);
/// The longest wait for news in one exchange.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The most bytes of an answer: checkpoints are in it.
const MAX_ANSWER: usize = 256 << 20;

/// The queue of a sidecar elsewhere.
pub struct RemoteQueue {
    http: Client,
    sidecar: Url,
    secret: Option<SecretText>,
}

impl RemoteQueue {
    /// The queue of the sidecar whose internal listener is there.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(sidecar: Url, secret: Option<SecretText>) -> Result<Self, HttpError> {
        Ok(Self { http: client(TIMEOUT)?, sidecar, secret })
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, message: &(impl Serialize + Sync)) -> Result<T, QueueError> {
        let mut url = self.sidecar.clone();
        url.set_path(&format!("{}{path}", self.sidecar.path().trim_end_matches('/')));
        let body = serde_json::to_vec(message).map_err(|error| QueueError::Refused(error.to_string()))?;
        let mut request = self.http.post(url).header("content-type", "application/json").body(body);
        if let Some(secret) = &self.secret {
            request = request.header(SECRET_HEADER, secret.expose());
        }
        let failed = |error: reqwest::Error| QueueError::Unavailable(explain(&error));
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(QueueError::Refused("the sidecar's answer is too large".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::OK => serde_json::from_slice(&bytes)
                .map_err(|_| QueueError::Refused("are both of the same release?".to_owned())),
            status if status.is_server_error() => Err(QueueError::Unavailable(format!("status {status}"))),
            status => Err(QueueError::Refused(format!("status {status}"))),
        }
    }
}

#[async_trait]
impl Queue for RemoteQueue {
    async fn claim(&self, claimant: &Claimant, most: u32, lease: Duration) -> Result<Vec<Taken>, QueueError> {
        let Claimant { name, operations } = claimant.clone();
        let message = ClaimMessage { worker: name, operations, most, lease_ms: millis(lease) };
        let taken: Vec<WireTaken> = self.ask(CLAIM_PATH, &message).await?;
        let read = |wire: WireTaken| wire.try_into().map_err(|error| QueueError::Refused(format!("{error}")));
        taken.into_iter().map(read).collect()
    }

    async fn news(&self, most: Duration) {
        let wait = most.min(LONGEST_WAIT);
        let message = NewsMessage { wait_ms: millis(wait) };
        if self.ask::<()>(NEWS_PATH, &message).await.is_err() {
            tokio::time::sleep(retry::fraction(wait)).await;
        }
    }

    async fn renew(&self, holds: &[(Hold, Progress)], lease: Duration) -> Result<Vec<Renewed>, QueueError> {
        let holds = holds.iter().map(|hold| (*hold).into()).collect();
        let answer: Vec<WireRenewed> = self.ask(RENEW_PATH, &RenewMessage { holds, lease_ms: millis(lease) }).await?;
        Ok(answer.into_iter().map(Renewed::from).collect())
    }

    async fn check(&self, holds: &[Hold]) -> Result<Vec<Renewed>, QueueError> {
        let holds = holds.iter().map(|hold| (*hold, Progress::default()).into()).collect();
        let answer: Vec<WireRenewed> = self.ask(CHECK_PATH, &RenewMessage { holds, lease_ms: 0 }).await?;
        Ok(answer.into_iter().map(Renewed::from).collect())
    }

    async fn checkpoint(&self, hold: Hold, bytes: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError> {
        let answer: WireRenewed = self.ask(CHECKPOINT_PATH, &CheckpointMessage::new(hold, &bytes, progress)).await?;
        Ok(answer.into())
    }

    async fn settle(&self, held: &Held, ending: &Ending, ran: Duration) -> Result<Settled, QueueError> {
        let answer: WireSettled = self.ask(SETTLE_PATH, &SettleMessage::new(held, ending, ran)).await?;
        Ok(answer.into())
    }
}

impl fmt::Debug for RemoteQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteQueue").field("sidecar", &self.sidecar.as_str()).finish_non_exhaustive()
    }
}
