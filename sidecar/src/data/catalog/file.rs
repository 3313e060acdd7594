//! A catalog in a YAML file, which is read again whenever it changes.
//!
//! One bad row costs itself alone. A file that is no catalog at all leaves the last one in force.

mod contents;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::data::catalog::file::contents::Contents;
use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Project, TaskName, TriggerName,
};
use crate::data::path::ProjectName;
use crate::digest::Digest;
use crate::file::{self, FileError};
use crate::watch::{SETTLE, Watch};
use crate::yaml::InvalidYaml;

/// The largest file.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A catalog in a file.
#[derive(Debug)]
pub struct FileCatalog {
    path: PathBuf,
    poll: Duration,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    digest: Digest,
    contents: Contents,
}

/// Why a file is no catalog.
#[derive(Debug, Error)]
pub enum InvalidCatalogFile {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("`{}`: {error}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: InvalidYaml,
    },
}

impl FileCatalog {
    /// Reads a file. [`FileCatalog::run`] keeps up with it, and looks at it that often where the system gives no
    /// notice.
    ///
    /// # Errors
    /// [`InvalidCatalogFile`].
    pub fn open(path: &Path, poll: Duration) -> Result<Self, InvalidCatalogFile> {
        let current = ArcSwap::from_pointee(Current::read(path)?);
        Ok(Self { path: path.to_owned(), poll, current })
    }

    /// Keeps up with the file until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut watch = Watch::new(std::slice::from_ref(&self.path), self.poll);
        loop {
            self.refresh().await;
            tokio::select! {
                () = watch.changed() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Reads the file again. What is wrong with it is logged, once.
    async fn refresh(&self) {
        let read = |path: PathBuf| tokio::task::spawn_blocking(move || Current::read(&path));
        let Ok(first) = read(self.path.clone()).await else { return };
        if first.as_ref().is_ok_and(|first| first.digest == self.current.load().digest) {
            return;
        }
        // A file that is being written is not taken by halves: two readings a moment apart must agree.
        tokio::time::sleep(SETTLE).await;
        let Ok(second) = read(self.path.clone()).await else { return };
        match (first, second) {
            (Ok(first), Ok(second)) if first.digest == second.digest => {
                second.contents.report(&self.path);
                tracing::info!(file = %self.path.display(), projects = second.contents.projects(), "the catalog changed");
                self.current.store(Arc::new(second));
            }
            (_, Err(error)) => tracing::error!(%error, "the catalog is not taken; the last one stays"),
            (_, Ok(_)) => {}
        }
    }

    fn contents(&self) -> arc_swap::Guard<Arc<Current>> {
        self.current.load()
    }
}

impl Current {
    fn read(path: &Path) -> Result<Self, InvalidCatalogFile> {
        let text = file::read_text(path, MAX_FILE_BYTES)?;
        let contents =
            Contents::parse(&text).map_err(|error| InvalidCatalogFile::Yaml { path: path.to_owned(), error })?;
        Ok(Self { digest: Digest::of(text.as_bytes()), contents })
    }
}

#[async_trait]
impl Catalog for FileCatalog {
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        Ok(self.contents().contents.project(organization, name).cloned())
    }

    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        Ok(self.contents().contents.ignored_inputs(task))
    }

    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        Ok(self.contents().contents.trigger(trigger))
    }

    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        Ok(self.contents().contents.attempt(action, number))
    }

    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        Ok(self.contents().contents.data(action))
    }

    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        Ok(self.contents().contents.log(action, attempt))
    }
}

#[cfg(test)]
mod tests;
