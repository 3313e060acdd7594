//! From catalogs as written to what they are made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use thiserror::Error;

use crate::config::data::catalog::{
    CalloutCatalogConfig, CatalogConfig, FlyteCatalogConfig, ProjectTemplateConfig, TemplateCatalogConfig,
};
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::data::catalog::Catalog;
use crate::data::catalog::callout::{CalloutCatalog, CalloutCatalogSettings};
use crate::data::catalog::file::{FileCatalog, InvalidCatalogFile};
use crate::data::catalog::flyte::{FlyteCatalog, FlyteCatalogSettings};
use crate::data::catalog::kept::Keeping;
use crate::data::catalog::layers::Layers;
use crate::data::catalog::rows::{LogRow, PodRow};
use crate::data::catalog::templates::{
    LogTemplate, PodTemplate, ProjectTemplate, Template, TemplateCatalog, Templates, Variable,
};
use crate::data::path::DomainName;
use crate::data::settings::resolve::parsed;
use crate::http::{HttpError, parse_url};
use crate::secret::SecretText;

/// What a catalog is made of.
#[derive(Clone, Debug)]
pub enum CatalogSettings {
    /// A service.
    Callout(CalloutCatalogSettings),
    /// A file, and how often it is looked at.
    File(PathBuf, Duration),
    /// A Flyte.
    Flyte(FlyteCatalogSettings),
    /// Templates.
    Templates(Templates),
}

/// Catalogs that can be asked.
#[derive(Clone, Debug)]
pub struct OpenCatalogs {
    /// All of them, as one.
    pub catalog: Arc<dyn Catalog>,
    /// Those that keep up with a file; see [`FileCatalog::run`].
    pub files: Vec<Arc<FileCatalog>>,
}

/// A catalog that can't be opened.
#[derive(Debug, Error)]
pub enum NoCatalog {
    /// A file is none.
    #[error(transparent)]
    File(#[from] InvalidCatalogFile),
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl OpenCatalogs {
    /// Opens catalogs.
    ///
    /// # Errors
    /// [`NoCatalog`].
    pub fn open(settings: &[CatalogSettings]) -> Result<Self, NoCatalog> {
        let mut files = Vec::new();
        let mut layers: Vec<Arc<dyn Catalog>> = Vec::with_capacity(settings.len());
        for settings in settings {
            layers.push(match settings {
                CatalogSettings::Callout(settings) => Arc::new(CalloutCatalog::new(settings.clone())?),
                CatalogSettings::File(path, poll) => {
                    let file = Arc::new(FileCatalog::open(path, *poll)?);
                    files.push(Arc::clone(&file));
                    file
                }
                CatalogSettings::Flyte(settings) => Arc::new(FlyteCatalog::new(settings.clone())?),
                CatalogSettings::Templates(templates) => Arc::new(TemplateCatalog::new(templates.clone())),
            });
        }
        Ok(Self { catalog: Arc::new(Layers::new(layers)), files })
    }
}

impl CatalogSettings {
    /// Checks a catalog's configuration and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub(super) fn resolve(key: &str, config: CatalogConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        Ok(match config {
            CatalogConfig::Callout(config) => Self::Callout(callout(&format!("{key}.callout"), config, files)?),
            CatalogConfig::File(config) => {
                let poll = within(&format!("{key}.file.poll_secs"), config.poll_secs, 1, 3_600)?;
                Self::File(files.path(&config.path), poll)
            }
            CatalogConfig::Flyte(config) => Self::Flyte(flyte(&format!("{key}.flyte"), config, files)?),
            CatalogConfig::Templates(config) => Self::Templates(templates(&format!("{key}.templates"), config)?),
        })
    }
}

fn callout(
    key: &str,
    config: CalloutCatalogConfig,
    files: &mut Files<'_>,
) -> Result<CalloutCatalogSettings, InvalidSetting> {
    Ok(CalloutCatalogSettings {
        url: parsed(&format!("{key}.url"), parse_url(&config.url))?,
        authorization: authorization(key, config.authorization, config.authorization_file.as_deref(), files)?,
        timeout: timeout(key, config.timeout_ms)?,
        keeping: keeping(key, config.ttl_secs, config.negative_ttl_secs, config.entries)?,
    })
}

fn flyte(key: &str, config: FlyteCatalogConfig, files: &mut Files<'_>) -> Result<FlyteCatalogSettings, InvalidSetting> {
    let members = ProjectTemplateConfig {
        domains: Vec::new(),
        everyone: config.everyone,
        writer_groups: config.writer_groups,
        reader_groups: config.reader_groups,
    };
    Ok(FlyteCatalogSettings {
        url: parsed(&format!("{key}.url"), parse_url(&config.url))?,
        authorization: authorization(key, config.authorization, config.authorization_file.as_deref(), files)?,
        members: project_template(key, &members)?,
        pod_logs: config.pod_logs,
        timeout: timeout(key, config.timeout_ms)?,
        keeping: keeping(key, config.ttl_secs, config.negative_ttl_secs, config.entries)?,
    })
}

fn authorization(
    key: &str,
    value: Option<SecretText>,
    path: Option<&Path>,
    files: &mut Files<'_>,
) -> Result<Option<SecretText>, InvalidSetting> {
    let name = format!("{key}.authorization");
    let authorization = files.secret(&name, value, path)?;
    if authorization.as_ref().is_some_and(|secret| HeaderValue::from_str(secret.expose()).is_err()) {
        return Err(InvalidSetting::new(name, "has characters that no header may have"));
    }
    Ok(authorization)
}

fn timeout(key: &str, millis: u64) -> Result<Duration, InvalidSetting> {
    if !(1..=60_000).contains(&millis) {
        return Err(InvalidSetting::new(format!("{key}.timeout_ms"), "is not between 1 and 60000"));
    }
    Ok(Duration::from_millis(millis))
}

fn keeping(key: &str, ttl_secs: u64, negative_ttl_secs: u64, entries: u64) -> Result<Keeping, InvalidSetting> {
    if !(1..=1_000_000).contains(&entries) {
        return Err(InvalidSetting::new(format!("{key}.entries"), "is not between 1 and 1000000"));
    }
    Ok(Keeping {
        ttl: within(&format!("{key}.ttl_secs"), ttl_secs, 0, 3_600)?,
        negative_ttl: within(&format!("{key}.negative_ttl_secs"), negative_ttl_secs, 0, 3_600)?,
        entries,
    })
}

fn templates(key: &str, config: TemplateCatalogConfig) -> Result<Templates, InvalidSetting> {
    let read = |name: &str, text: Option<String>, known: &[Variable]| {
        text.map(|text| parsed(&format!("{key}.{name}"), Template::parse(&text, known))).transpose()
    };
    let log = |text: &str| parsed(&format!("{key}.log"), Template::parse(text, &Variable::OF_ATTEMPT));
    let log = match &config.log {
        None => None,
        Some(LogRow::File(text)) => Some(LogTemplate::File(log(text)?)),
        Some(LogRow::FinishedFile(text)) => Some(LogTemplate::FinishedFile(log(text)?)),
        Some(LogRow::Object(text)) => Some(LogTemplate::Object(log(text)?)),
        Some(LogRow::Http(text)) => Some(LogTemplate::Http(log(text)?)),
        Some(LogRow::Kubernetes(row)) => Some(LogTemplate::Kubernetes(pod(&format!("{key}.log.kubernetes"), row)?)),
    };
    Ok(Templates {
        projects: config
            .projects
            .map(|projects| project_template(&format!("{key}.projects"), &projects))
            .transpose()?,
        inputs: read("inputs", config.inputs, &Variable::OF_ACTION)?,
        outputs: read("outputs", config.outputs, &Variable::OF_ACTION)?,
        report: read("report", config.report, &Variable::OF_ATTEMPT)?,
        code_bundle: read("code_bundle", config.code_bundle, &Variable::OF_ATTEMPT)?,
        log,
    })
}

fn pod(key: &str, row: &PodRow) -> Result<PodTemplate, InvalidSetting> {
    let PodRow { namespace, pod, container, started_at } = row;
    if started_at.is_some() {
        return Err(InvalidSetting::new(format!("{key}.started_at"), "is nothing that a template knows; leave it out"));
    }
    let read = |name: &str, text: &str| parsed(&format!("{key}.{name}"), Template::parse(text, &Variable::OF_ATTEMPT));
    Ok(PodTemplate {
        namespace: read("namespace", namespace)?,
        pod: read("pod", pod)?,
        container: container.as_deref().map(|text| read("container", text)).transpose()?,
    })
}

fn project_template(key: &str, config: &ProjectTemplateConfig) -> Result<ProjectTemplate, InvalidSetting> {
    let groups = |name: &str, texts: &[String]| -> Result<Vec<Template>, InvalidSetting> {
        let key = format!("{key}.{name}");
        texts.iter().map(|text| parsed(&key, Template::parse(text, &Variable::OF_PROJECT))).collect()
    };
    let domains = config.domains.iter().map(|name| parsed(&format!("{key}.domains"), DomainName::parse(name)));
    Ok(ProjectTemplate {
        domains: domains.collect::<Result<_, _>>()?,
        everyone: config.everyone,
        writer_groups: groups("writer_groups", &config.writer_groups)?,
        reader_groups: groups("reader_groups", &config.reader_groups)?,
    })
}
