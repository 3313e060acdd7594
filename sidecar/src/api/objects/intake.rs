//! Taking a body in: while one batch of it is written the next one is gathered.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::problem::Problem;
use crate::data::store::local::{LocalError, Resuming, Writing};

/// How many bytes are gathered before they are written; as many are on their way to the disk meanwhile.
const BATCH: usize = 256 << 10;
/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a body is taken in though nobody wants it any more: a client that still sends sees no answer.
const DRAINED_BYTES: usize = 16 << 20;
/// How long that may take.
const DRAINED_TIME: Duration = Duration::from_secs(5);

/// What bytes are written to.
pub(super) trait Sink: Send + 'static {
    /// Writes what came next. It blocks.
    fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError>;
}

impl Sink for Resuming {
    fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        self.push(bytes)
    }
}

impl Sink for Writing {
    fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        self.push(bytes)
    }
}

/// How a body ended.
#[derive(Debug)]
pub(super) enum End {
    /// It did not come whole. What came is written.
    Cut(Problem),
    /// All of it came.
    Whole,
}

/// What is being written to the disk, or is about to be.
enum Flight<S> {
    Idle(Box<S>),
    Busy(JoinHandle<Result<Box<S>, LocalError>>),
}

impl<S: Sink> Flight<S> {
    async fn land(self) -> Result<Box<S>, LocalError> {
        match self {
            Self::Idle(sink) => Ok(sink),
            Self::Busy(task) => task.await.unwrap_or_else(|error| Err(LocalError::Io(std::io::Error::other(error)))),
        }
    }
}

/// Takes a body in, until it ends or `stop`.
///
/// # Errors
/// What the sink refuses.
pub(super) async fn receive<S: Sink>(
    body: &mut Body,
    sink: S,
    stop: &CancellationToken,
) -> Result<(S, End), LocalError> {
    let mut flight = Flight::Idle(Box::new(sink));
    loop {
        let (batch, end) = gather(body, stop).await;
        let mut sink = flight.land().await?;
        flight = if batch.is_empty() {
            Flight::Idle(sink)
        } else {
            Flight::Busy(tokio::task::spawn_blocking(move || {
                batch.iter().try_for_each(|bytes| sink.push(bytes))?;
                Ok(sink)
            }))
        };
        if let Some(end) = end {
            return Ok((*flight.land().await?, end));
        }
    }
}

/// The next bytes of a body, about [`BATCH`] of them, and how it ended if it did.
async fn gather(body: &mut Body, stop: &CancellationToken) -> (Vec<Bytes>, Option<End>) {
    let (mut batch, mut gathered) = (Vec::new(), 0_usize);
    while gathered < BATCH {
        let frame = tokio::select! {
            frame = tokio::time::timeout(PATIENCE, body.frame()) => frame,
            () = stop.cancelled() => {
                let detail = "another request goes on with the upload";
                return (batch, Some(End::Cut(Problem::new(StatusCode::CONFLICT, "upload-taken-over", detail))));
            }
        };
        let frame = match frame {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return (batch, Some(End::Whole)),
            Ok(Some(Err(_))) => return (batch, Some(End::Cut(Problem::malformed("the body did not arrive whole")))),
            Err(_) => {
                let detail = "nothing came for too long";
                return (batch, Some(End::Cut(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail))));
            }
        };
        if let Ok(bytes) = frame.into_data()
            && !bytes.is_empty()
        {
            gathered = gathered.saturating_add(bytes.len());
            batch.push(bytes);
        }
    }
    (batch, None)
}

/// Takes in what a client still sends, within bounds.
pub(super) async fn drain(body: &mut Body) {
    let all = async {
        let mut drained = 0;
        while drained < DRAINED_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            drained += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // What is left then is cut off with the connection.
    let _ = tokio::time::timeout(DRAINED_TIME, all).await;
}
