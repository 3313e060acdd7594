//! What is remembered of names for the next start: `names.json` in `state.directory`.
//!
//! Which of two services with colliding ids was there first, and whose a friendly name is, is known to
//! nobody but the sidecar that saw it, so it is written down. The file is read once, before the first
//! inventory counts, and written when names change: at most once a second, and at the end. It is replaced as a whole, so that
//! a crash leaves the last one or the new one. What changed in the last second before a crash is
//! lost; the ids of those services are then those of a fresh start, mostly the same ones.
//!
//! It never stands in the way of the table. A file that can't be read or is none of ours is set aside
//! as `names.json.bad`, and the sidecar starts as if there were none: wrong ids for a few services
//! that collide are better than no ids at all. An entry that can't be true costs itself alone. Where
//! the file can't be written, ids live as long as the process, and it is tried again. All of that is
//! logged once, and counted.
//!
//! A directory is of one sidecar: two that share one overwrite what the other knows.

mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::file::{self, FileError};
use crate::registry::Registry;
use crate::registry::memory::wire::InvalidNames;
use crate::telemetry::metrics::Metrics;

/// The file in the state directory.
pub const FILE_NAME: &str = "names.json";
/// The largest such file. 200,000 services with names as long as they may be have less.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// How long a write rests after another, so that a burst of changes is one.
const REST: Duration = Duration::from_secs(1);
/// How long after a failed write the next one is tried.
const RETRY: Duration = Duration::from_secs(10);

/// What is remembered of names for the next start.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    metrics: Arc<Metrics>,
    /// What the file has, as far as is known.
    kept: Option<Digest>,
    fails: bool,
}

/// Why a file was not taken.
#[derive(Debug, Error)]
enum NotRestored {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Names(#[from] InvalidNames),
}

/// Why a file was not written.
#[derive(Debug, Error)]
enum NotKept {
    #[error("can't make `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("names are no JSON: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("writing was cut short")]
    Stopped,
}

impl Memory {
    /// What is kept in a directory, which is made when something is written.
    #[must_use]
    pub fn new(directory: &Path, metrics: Arc<Metrics>) -> Self {
        Self { path: directory.join(FILE_NAME), metrics, kept: None, fails: false }
    }

    /// Gives the registry what was kept; before the first inventory counts.
    pub fn restore(&mut self, registry: &Registry) {
        match self.read() {
            Ok(Some((names, kept))) => {
                let read = names.remembered.ids.len() + names.remembered.friendly.len();
                let doubled = registry.restore(names.remembered);
                let left_out = names.strange + doubled;
                if left_out > 0 {
                    tracing::warn!(
                        file = %self.path.display(),
                        names.left_out = left_out,
                        "some remembered names can't be those of their services, or are there twice; they are left out"
                    );
                }
                tracing::info!(file = %self.path.display(), names.remembered = read - doubled, "names remembered");
                self.kept = Some(kept);
            }
            Ok(None) => tracing::info!(file = %self.path.display(), "no names are remembered yet"),
            Err(error) => self.set_aside(&error),
        }
    }

    /// Keeps what the registry knows, until `end` and once more then.
    pub async fn keep(mut self, registry: Arc<Registry>, end: CancellationToken) {
        let mut changes = registry.follow_names();
        // Once at the start, changed or not: whether that works should show before it matters.
        changes.mark_changed();
        while !end.is_cancelled() {
            let fails = self.fails;
            tokio::select! {
                () = end.cancelled() => break,
                () = tokio::time::sleep(RETRY), if fails => {}
                _ = changes.changed(), if !fails => {}
            }
            changes.mark_unchanged();
            self.save(&registry).await;
            tokio::select! {
                () = end.cancelled() => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
        self.save(&registry).await;
    }

    async fn save(&mut self, registry: &Arc<Registry>) {
        let (registry, path, kept) = (Arc::clone(registry), self.path.clone(), self.kept);
        // Tens of thousands of names and a disk take a while; the runtime's threads have other things
        // to do.
        let written = tokio::task::spawn_blocking(move || write(&path, &registry, kept)).await;
        match written.unwrap_or(Err(NotKept::Stopped)) {
            Ok(digest) => {
                self.kept = Some(digest);
                if std::mem::take(&mut self.fails) {
                    tracing::info!(file = %self.path.display(), "ids are kept again");
                }
            }
            Err(error) => {
                self.metrics.state_writes_failed.inc();
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::error!(
                        %error,
                        "ids are not kept, and services that collide may have others after a restart; make \
                         `state.directory` writable or make room on its disk; it is tried again"
                    );
                }
            }
        }
    }

    fn read(&self) -> Result<Option<(wire::Names, Digest)>, NotRestored> {
        match file::read(&self.path, MAX_FILE_BYTES) {
            Ok(bytes) => Ok(Some((wire::decode(&bytes)?, Digest::of(&bytes)))),
            Err(FileError::Io { source, .. }) if is_missing(&source) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn set_aside(&self, error: &NotRestored) {
        self.metrics.state_reads_failed.inc();
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".bad");
        let aside = PathBuf::from(aside);
        let moved = std::fs::rename(&self.path, &aside);
        tracing::error!(
            %error,
            file = %self.path.display(),
            aside = %aside.display(),
            moved = moved.is_ok(),
            "remembered ids can't be read; starting without: services that collide may have other ids than before. \
             To go back, stop the sidecar, put a good `names.json` there and start it"
        );
    }
}

/// Writes what the registry remembers, where that is not what is there; its digest.
fn write(path: &Path, registry: &Registry, kept: Option<Digest>) -> Result<Digest, NotKept> {
    let bytes = wire::encode(&registry.remembered())?;
    let digest = Digest::of(&bytes);
    if kept == Some(digest) {
        return Ok(digest);
    }
    // One that is too large would not be read again; the last one is still of use.
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FILE_BYTES) {
        return Err(FileError::TooLarge { path: path.into(), limit: MAX_FILE_BYTES }.into());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|source| NotKept::Directory { path: directory.into(), source })?;
    }
    file::write_durably(path, &bytes)?;
    Ok(digest)
}

/// Whether there is no such file, nor could there be one.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
