//! Logs of actions, as they are written.
//!
//! Where a log is, the catalog says; it is read only from folders, stores and services that an operator listed. It is
//! read as fast as its reader takes it, so what waits in memory is bounded, and reading ends with whoever reads.

mod file;
pub mod http;
#[cfg(feature = "kubernetes")]
mod kubernetes;
pub mod lines;
mod object;
pub mod settings;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::data::audit::{self, Grant};
use crate::data::caller::Caller;
use crate::data::catalog::{ActionName, Catalog, LogSource};
use crate::data::error::DataError;
use crate::data::logs::file::{FileTail, Following};
use crate::data::logs::http::HttpLog;
#[cfg(feature = "kubernetes")]
use crate::data::logs::kubernetes::{Cluster, PodLog};
use crate::data::logs::lines::Splitter;
use crate::data::logs::object::ObjectLog;
use crate::data::logs::settings::LogSettings;
use crate::data::placement::NamedStore;
use crate::data::service::DataService;

/// The most lines that are handed on at once.
pub const MAX_BATCH_LINES: usize = 100;
/// The most bytes that are handed on at once, but for the last line.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// A line of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, where the line says so: seconds since 1970, and nanoseconds.
    pub time: Option<(i64, i32)>,
    /// What it says, without the end of the line.
    pub message: String,
}

/// Lines as they come. It ends when the log does; dropping it ends the reading.
pub type LogStream = BoxStream<'static, Result<Vec<LogLine>, DataError>>;

/// Why logs can't be read at all.
#[derive(Debug, Error)]
#[error("no HTTP client for logs: {0}")]
pub struct NoLogReaders(#[from] reqwest::Error);

/// What reads logs.
#[derive(Debug)]
pub struct LogReaders {
    settings: Arc<LogSettings>,
    catalog: Arc<dyn Catalog>,
    client: reqwest::Client,
    #[cfg(feature = "kubernetes")]
    cluster: Cluster,
    streams: Arc<Semaphore>,
    objects: Arc<Semaphore>,
    /// What each caller who reads any may read at one time.
    shares: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Which part of all logs one caller may read at one time.
const SHARE: usize = 10;

/// What a log's source gives next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// What follows is another file: a line that has no end yet has none.
    Break,
}

/// Where the bytes of a log come from.
#[async_trait]
trait Source: Send {
    /// What comes next, as soon as there is something; none at the end.
    async fn next(&mut self) -> Result<Option<Piece>, DataError>;
}

/// A log that is read.
struct Tail {
    source: Box<dyn Source>,
    splitter: Splitter,
    pending: VecDeque<LogLine>,
    has_ended: bool,
    /// How many logs are read at one time is bounded.
    _permits: Vec<OwnedSemaphorePermit>,
}

impl DataService {
    /// The log of an attempt, from its beginning and as it grows.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn tail_logs(&self, caller: &Caller, action: &ActionName, attempt: u32) -> Result<LogStream, DataError> {
        if attempt == 0 {
            return Err(DataError::Invalid("attempt must be greater than 0".into()));
        }
        self.admit_to(caller, action).await?;
        let found = self.catalog.log(action, attempt).await?;
        let source = found.ok_or_else(|| DataError::NotFound("no log context found".into()))?;
        let readers = &self.logs;
        let permits = vec![permit(&readers.share(&caller.user))?, permit(&readers.streams)?];
        let tail = match source {
            LogSource::File { path, follow } => {
                let following = follow.then(|| Following {
                    catalog: Arc::clone(&readers.catalog),
                    action: action.clone(),
                    attempt,
                    path: path.clone(),
                });
                readers.tail(Box::new(FileTail::open(&readers.settings, &path, following).await?), permits)
            }
            LogSource::Object { uri } => {
                let missing = || DataError::NotFound(format!("log not found at [{uri}]"));
                let (NamedStore { name, store }, key) = self.object_of(action, &uri).ok_or_else(missing)?;
                let room = permit(&readers.objects)?;
                let log = ObjectLog::read(&*store, &key, readers.settings.max_object).await?.ok_or_else(missing)?;
                let size = Some(log.size());
                let grant = Grant { event: "logs", store: &name, key: &key, digest: None, size, expires_at_ms: None };
                audit::grant(caller, &grant);
                readers.tail(Box::new(log), permits.into_iter().chain([room]).collect())
            }
            LogSource::Http { url } => {
                readers.tail(Box::new(HttpLog::open(&readers.settings, &readers.client, &url).await?), permits)
            }
            #[cfg(feature = "kubernetes")]
            LogSource::Kubernetes(source) => {
                let log = PodLog::open(&readers.settings, &readers.cluster, action, &source).await?;
                readers.tail(Box::new(log), permits)
            }
            #[cfg(not(feature = "kubernetes"))]
            LogSource::Kubernetes(_) => {
                return Err(DataError::Unimplemented("this sidecar was built without Kubernetes".into()));
            }
        };
        Ok(tail.into_stream())
    }
}

impl LogReaders {
    /// Readers by these settings. Whether a file still grows, the catalog says.
    ///
    /// # Errors
    /// [`NoLogReaders`].
    pub fn new(settings: LogSettings, catalog: Arc<dyn Catalog>) -> Result<Self, NoLogReaders> {
        Ok(Self {
            client: http::client()?,
            #[cfg(feature = "kubernetes")]
            cluster: Cluster::default(),
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            objects: Arc::new(Semaphore::new(settings.max_objects)),
            shares: Mutex::default(),
            settings: Arc::new(settings),
            catalog,
        })
    }

    /// What a caller may read at one time: a tenth of all that is read, so that no one person takes it all.
    fn share(&self, user: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        shares.get(user).and_then(Weak::upgrade).unwrap_or_else(|| {
            let share = Arc::new(Semaphore::new((self.settings.max_streams / SHARE).max(1)));
            shares.insert(user.to_owned(), Arc::downgrade(&share));
            share
        })
    }

    fn tail(&self, source: Box<dyn Source>, permits: Vec<OwnedSemaphorePermit>) -> Tail {
        let splitter = Splitter::new(self.settings.max_line);
        Tail { source, splitter, pending: VecDeque::new(), has_ended: false, _permits: permits }
    }
}

impl Tail {
    fn into_stream(self) -> LogStream {
        stream::unfold(self, |mut tail| async move { tail.next().await.map(|batch| (batch, tail)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<Vec<LogLine>, DataError>> {
        loop {
            if !self.pending.is_empty() {
                return Some(Ok(self.batch()));
            }
            if self.has_ended {
                return None;
            }
            match self.source.next().await {
                Ok(Some(Piece::Bytes(bytes))) => self.splitter.push(&bytes, &mut self.pending),
                Ok(Some(Piece::Break)) => self.splitter.finish(&mut self.pending),
                Ok(None) => {
                    self.splitter.finish(&mut self.pending);
                    self.has_ended = true;
                }
                Err(error) => {
                    self.has_ended = true;
                    return Some(Err(error));
                }
            }
        }
    }

    fn batch(&mut self) -> Vec<LogLine> {
        let mut size = 0;
        let fits = |line: &&LogLine| {
            let has_room = size < MAX_BATCH_BYTES;
            size += line.message.len();
            has_room
        };
        let count = self.pending.iter().take(MAX_BATCH_LINES).take_while(fits).count();
        self.pending.drain(..count).collect()
    }
}

fn permit(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DataError> {
    Arc::clone(semaphore)
        .try_acquire_owned()
        .map_err(|_| DataError::Unavailable("too many logs are read at this time; try again in a while".into()))
}

#[cfg(test)]
mod tests;
