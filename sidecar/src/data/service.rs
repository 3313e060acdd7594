//! The service of data: what it decides, free of any wire.
//!
//! Each of its functions first says who may ask (`DataService::admit`); to a caller who has nothing in a project
//! there is no such project.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::Semaphore;

use crate::data::caller::{Callers, includes};
use crate::data::catalog::{Catalog, Project};
use crate::data::error::DataError;
use crate::data::logs::settings::LogSettings;
use crate::data::logs::{LogReaders, NoLogReaders};
use crate::data::path::{DomainName, MAX_NAME, ProjectName, Segments};
use crate::data::placement::Placement;
use crate::data::settings::DataSettings;

pub use crate::data::action::ActionBytes;
pub use crate::data::caller::Caller;
pub use crate::data::download::{Artifact, Download, DownloadAsk, DownloadSource, ObjectAsk};
pub use crate::data::inputs::{Inputs, InputsAsk, TaskOf};
pub use crate::data::logs::{LogLine, LogStream};
pub use crate::data::settings::SignedDuration;
pub use crate::data::upload::{Upload, UploadAsk};

/// How many inputs of runs are taken in at one time. Each may be 64 MiB as it is sent, and some times that as it is read.
const MAX_INPUTS: usize = 4;

/// The service of data.
#[derive(Debug)]
pub struct DataService {
    pub(super) callers: Arc<dyn Callers>,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) placement: Placement,
    pub(super) settings: DataSettings,
    pub(super) logs: Arc<LogReaders>,
    /// How many reads of whole objects there may be at one time: each takes memory.
    reads: Arc<Semaphore>,
    /// How many inputs of runs are taken in at one time.
    inputs: Arc<Semaphore>,
}

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct DataParts {
    /// What knows callers.
    pub callers: Arc<dyn Callers>,
    /// What knows projects and runs.
    pub catalog: Arc<dyn Catalog>,
    /// The stores.
    pub placement: Placement,
    /// How it behaves.
    pub settings: DataSettings,
    /// How logs are read.
    pub logs: LogSettings,
}

/// What a caller wants to do in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

impl DataService {
    /// A service of these parts.
    ///
    /// # Errors
    /// [`NoLogReaders`].
    pub fn new(parts: DataParts) -> Result<Self, NoLogReaders> {
        let DataParts { callers, catalog, placement, settings, logs } = parts;
        let logs = Arc::new(LogReaders::new(logs, Arc::clone(&catalog))?);
        let reads = Arc::new(Semaphore::new(settings.download.concurrent_reads));
        let inputs = Arc::new(Semaphore::new(MAX_INPUTS));
        Ok(Self { callers, catalog, placement, settings, logs, reads, inputs })
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`DataError::Unauthenticated`], and [`DataError::Unavailable`] where that can't be said now.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        self.callers.caller(headers).await
    }

    /// Room for requests that read whole objects, until their answers are sent.
    #[must_use]
    pub fn room_for_reads(&self) -> Arc<Semaphore> {
        Arc::clone(&self.reads)
    }

    /// Room for requests with inputs of runs.
    #[must_use]
    pub fn room_for_inputs(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inputs)
    }

    /// How the service behaves.
    #[must_use]
    pub const fn settings(&self) -> &DataSettings {
        &self.settings
    }

    /// Looks whether a caller may do that in a domain of a project. Who has nothing in the project is told that
    /// there is none.
    pub(super) async fn admit(
        &self,
        caller: &Caller,
        organization: &str,
        project: &ProjectName,
        domain: &DomainName,
        right: Right,
    ) -> Result<(), DataError> {
        let unknown = || DataError::NotFound(format!("project {project:?} not found", project = project.as_str()));
        // Catalogs are asked with it, and keep what they were asked.
        short("organization", organization, MAX_NAME)?;
        let found = self
            .catalog
            .project(organization, project)
            .await
            .map_err(|error| DataError::Internal(format!("failed to validate project: {error}")))?;
        let Project { domains, writers, readers } = found.ok_or_else(unknown)?;
        let (may_write, may_read) = (includes(&writers, caller), includes(&readers, caller));
        match right {
            _ if !may_write && !may_read => return Err(unknown()),
            Right::Write if !may_write => {
                let text = format!("you may read from project {:?}, but not write to it", project.as_str());
                return Err(DataError::Denied(text));
            }
            Right::Read | Right::Write => {}
        }
        if !domains.is_empty() && !domains.contains(domain) {
            let text = format!("domain {:?} not found in project {:?}", domain.as_str(), project.as_str());
            return Err(DataError::NotFound(text));
        }
        Ok(())
    }
}

/// Reads the names of a project and a domain.
pub(super) fn names(project: &str, domain: &str) -> Result<(ProjectName, DomainName), DataError> {
    let project = ProjectName::parse(project).map_err(|error| DataError::Invalid(format!("project: {error}")))?;
    let domain = DomainName::parse(domain).map_err(|error| DataError::Invalid(format!("domain: {error}")))?;
    Ok((project, domain))
}

/// Looks that a name is no longer than so many bytes.
pub(super) fn short(name: &str, text: &str, most: usize) -> Result<(), DataError> {
    if text.len() > most {
        return Err(DataError::Invalid(format!("{name}: is longer than {most} bytes")));
    }
    Ok(())
}

/// Reads a part of a path; none where it is empty.
pub(super) fn part(name: &str, text: &str) -> Result<Option<Segments>, DataError> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |error| DataError::Invalid(format!("failed to construct storage path: {name}: {error}"));
    Segments::parse(text).map(Some).map_err(invalid)
}

/// Reads a name that is one part of a path.
pub(super) fn single(name: &str, text: &str) -> Result<Segments, DataError> {
    let invalid = |error: &dyn std::fmt::Display| DataError::Invalid(format!("{name}: {error}"));
    if text.contains('/') {
        return Err(invalid(&crate::data::path::InvalidPath::Slash));
    }
    Segments::parse(text).map_err(|error| invalid(&error))
}
