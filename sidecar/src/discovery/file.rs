//! Services from a YAML file, or a JSON file where its name ends so.
//!
//! The file is read again whenever it changes. It is taken only when two readings a moment apart
//! agree, so that a file that is being written is not taken by halves. One bad service costs itself
//! alone; a file that is no list of services at all leaves the last one in force. Names among the endpoints are looked
//! up: the file's author is an operator.

mod row;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::file::FileProviderConfig;
use crate::digest::Digest;
use crate::discovery::inventory::Inventory;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::discovery::written::Written;
use crate::dns::names::Names;
use crate::dns::settings::DnsSettings;
use crate::file::{self, FileError};
use crate::watch::{SETTLE, Watch};
use crate::yaml::InvalidYaml;

/// The largest services file.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// How often a file that keeps changing is read before the next notice is awaited.
const MAX_READINGS: usize = 100;

/// The file provider.
#[derive(Clone, Debug)]
pub struct FileProvider {
    path: PathBuf,
    poll: Duration,
    dns: Arc<DnsSettings>,
}

/// Why a file was not taken.
#[derive(Debug, Error)]
enum ReadError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{}` kept changing while it was read", .0.display())]
    Unsettled(PathBuf),
    #[error("`{}`: {error}", path.display())]
    Yaml { path: PathBuf, error: InvalidYaml },
    #[error("reading `{}` was cut short", .0.display())]
    Stopped(PathBuf),
}

impl FileProvider {
    /// A provider of the services in a file.
    #[must_use]
    pub fn new(config: &FileProviderConfig, dns: &Arc<DnsSettings>) -> Self {
        Self { path: config.path.clone(), poll: Duration::from_secs(config.poll_secs), dns: Arc::clone(dns) }
    }

    fn form(&self) -> row::Form {
        if self.path.extension().is_some_and(|extension| extension == "json") {
            row::Form::Json
        } else {
            row::Form::Yaml
        }
    }

    async fn read(&self, last: Option<Digest>) -> Result<Option<(Digest, Written)>, ReadError> {
        let text = settled(&self.path, |path| file::read_text(path, MAX_FILE_BYTES)).await?;
        let (path, form) = (self.path.clone(), self.form());
        // A large file takes a while; the runtime's threads have other things to do.
        let parsed = tokio::task::spawn_blocking(move || {
            let digest = Digest::of(text.as_bytes());
            if last == Some(digest) {
                return Ok(None);
            }
            match row::read(&text, form) {
                Ok(written) => Ok(Some((digest, written))),
                Err(error) => Err(ReadError::Yaml { path, error }),
            }
        });
        parsed.await.map_err(|_| ReadError::Stopped(self.path.clone()))?
    }
}

#[async_trait]
impl Provider for FileProvider {
    async fn look(&self) -> Result<Inventory, String> {
        let read = self.read(None).await.map_err(|error| error.to_string())?;
        let mut written = read.map(|(_, written)| written).unwrap_or_default();
        let mut names = Names::new(Arc::clone(&self.dns));
        names.follow(written.names());
        names.settle().await;
        Ok(written.inventory(&names))
    }

    async fn run(&self, publisher: Publisher, stop: CancellationToken) {
        let mut watch = Watch::new(std::slice::from_ref(&self.path), self.poll);
        let mut names = Names::new(Arc::clone(&self.dns));
        let (mut last, mut written, mut is_partial) = (None, Written::default(), false);
        loop {
            match self.read(last).await {
                Ok(Some((digest, new))) => {
                    (last, written) = (Some(digest), new);
                    names.follow(written.names());
                    names.settle().await;
                    is_partial = publish(&publisher, &mut written, &names);
                }
                // What was published is not all yet, so there is nothing to confirm.
                Ok(None) if is_partial => {}
                Ok(None) => publisher.confirm(),
                Err(error) => publisher.fail(error.to_string()),
            }
            let changed = watch.changed();
            futures_util::pin_mut!(changed);
            loop {
                tokio::select! {
                    () = &mut changed => break,
                    () = names.renew() => is_partial = publish(&publisher, &mut written, &names),
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}

/// Publishes services with what is known of their names; whether that is not all yet.
fn publish(publisher: &Publisher, written: &mut Written, names: &Names) -> bool {
    let inventory = written.inventory(names);
    let is_partial = inventory.partial.is_some();
    publisher.publish(inventory);
    is_partial
}

/// Reads until two readings a moment apart agree.
async fn settled(path: &Path, mut read: impl FnMut(&Path) -> Result<String, FileError>) -> Result<String, ReadError> {
    let mut text = read(path)?;
    for _ in 0..MAX_READINGS {
        tokio::time::sleep(SETTLE).await;
        let again = read(path)?;
        if again == text {
            return Ok(text);
        }
        text = again;
    }
    Err(ReadError::Unsettled(path.into()))
}

#[cfg(test)]
mod tests;
